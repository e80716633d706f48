// How operators that are made of others are described.
import { utf8Of } from "../../base/check.js";
import { ModelError } from "../../base/errors.js";
import { type ElementType, isFloat } from "../file/element-type.js";
import { nodeName } from "../file/node.js";
import type { PlainTensor } from "../file/plain-tensor.js";
import { type AttributeProto, attribute, type NodeProto } from "../file/proto.js";
import type { Context } from "../host/context.js";
import type { Form, Part, Parts } from "../operators.js";

/** Describes an operator to an assembly; answers the names of its outputs, "" for one that is left out. */
export type Description = (a: Assembly, inputs: readonly (Part | undefined)[]) => readonly string[];

/** The operator set that parts are written in. */
const OPSET = 23;

type Value = number | string | readonly number[] | { readonly float: number };

/** Nodes and constants while they are put together. Inputs are called "0", "1", and so on; "" is one that is left out. */
export class Assembly {
  readonly nodes: NodeProto[] = [];
  readonly constants = new Map<string, PlainTensor>();

  constructor(readonly c: Context) {}

  /** Adds a node; answers the name of its first output. */
  add(opType: string, inputs: readonly string[], attributes: Readonly<Record<string, Value>> = {}): string {
    return this.node(opType, inputs, attributesOf(attributes))[0] as string;
  }

  /** Adds a node with attributes of a file, and as many outputs as are asked for; answers their names. */
  node(opType: string, inputs: readonly string[], attributes: readonly AttributeProto[], count = 1): readonly string[] {
    const outputs = Array.from({ length: count }, (_, i) => `${opType} ${this.nodes.length} ${i}`);
    const { node } = this.c;
    const part = node.part ?? node.opType;
    this.nodes.push({ name: nodeName(node), opType, domain: "", inputs, outputs, attributes, opset: OPSET, part });
    return outputs;
  }

  constant(tensor: PlainTensor): string {
    const name = `constant ${this.constants.size}`;
    this.constants.set(name, tensor);
    return name;
  }

  number(value: number, type: ElementType = "float32"): string {
    return this.constant({
      type,
      shape: [],
      data: type === "float64" ? Float64Array.of(value) : Float32Array.of(value),
    });
  }

  reshape(x: string, ...shape: number[]): string {
    return this.add("Reshape", [x, this.integers(...shape)]);
  }

  /** Elements from start up to end of some axes. */
  slice(
    x: string,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps: readonly number[] = [],
  ): string {
    const lists = [starts, ends, axes, ...(steps.length > 0 ? [steps] : [])];
    return this.add("Slice", [x, ...lists.map((list) => this.integers(...list))]);
  }

  integers(...values: number[]): string {
    return this.constant({ type: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) });
  }
}

export const attributesOf = (values: Readonly<Record<string, Value>>): AttributeProto[] =>
  Object.entries(values).map(toAttribute);

function toAttribute([name, value]: readonly [string, Value]): AttributeProto {
  const own = { ...attribute(), name };
  if (typeof value === "number") return { ...own, type: 2, i: BigInt(value) };
  if (typeof value === "string") return { ...own, type: 3, s: utf8Of(value) };
  if ("float" in value) return { ...own, type: 1, f: value.float };
  return { ...own, type: 7, ints: value.map(BigInt) };
}

/** Requires an input that the node may have left out. */
export function needed(inputs: readonly (Part | undefined)[], i: number, name: string): Part {
  const part = inputs[i];
  if (!part) throw new ModelError(`"${name}" expected an input, got none`);
  return part;
}

/** Descriptions as what a family exports. */
export const described = (all: Readonly<Record<string, Description>>): Readonly<Record<string, Parts>> =>
  formed(all) as Readonly<Record<string, Parts>>;

/** Describes a form of an operator, or answers undefined for one that is left to JavaScript. */
export type FormDescription = (a: Assembly, inputs: readonly (Part | undefined)[]) => readonly string[] | undefined;

/** Descriptions of forms as what a family exports. */
export const formed = (all: Readonly<Record<string, FormDescription>>): Readonly<Record<string, Form>> =>
  Object.fromEntries(
    Object.entries(all).map(([name, describe]): [string, Form] => [
      name,
      (c, inputs) => {
        const assembly = new Assembly(c);
        const outputs = describe(assembly, inputs);
        return outputs && { nodes: assembly.nodes, constants: assembly.constants, outputs };
      },
    ]),
  );

/** Whether a value is held as float32 on kernels. */
export const isSingle = (part: Part | undefined): boolean =>
  part !== undefined && isFloat(part.type) && part.type !== "float64";
