// What a lowering sees of a node: its operands, constant or computed, its attributes, and the draft that it adds to.
import { UnsupportedError } from "../../base/errors.js";
import type { OperatorName } from "../../ops/index.js";
import type { Draft, Dynamic } from "../draft.js";
import type { Budgeted } from "../file/budget.js";
import { type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import type { Context } from "../host/context.js";
import { scalar } from "../host/make.js";
import type { Memo } from "../memo.js";

/** A node with its operands: a constant has a tensor, everything else a value of the draft. */
export interface Site extends Budgeted {
  readonly c: Context;
  readonly draft: Draft;
  readonly memo: Memo;
  readonly layer: string;
  /** How another operator of float32 becomes layers. Throws NotLoaded. */
  readonly lowering: (operator: string) => NodeLowering | undefined;
  readonly inputs: readonly (Dynamic | PlainTensor | undefined)[];
  /** How a value came about, that of a folded constant included; undefined for what no node makes. */
  readonly behind: (value: Dynamic | PlainTensor) => Behind | undefined;
  /** What the node's operator computes of constants. Throws NotLoaded. */
  readonly evaluate: (inputs: readonly (PlainTensor | undefined)[]) => readonly PlainTensor[];
}

/** The node that computes a value. */
export interface Behind {
  readonly site: Site;
  /** Which of its outputs it is. */
  readonly output: number;
  /** Whether but one node reads the value, and it is no output. */
  readonly isReadOnce: boolean;
  /** The node that this one is the last of a form of: a pooling of lines is one of images. */
  readonly whole?: Behind | undefined;
}

export type NodeLowering = (site: Site) => readonly Dynamic[] | undefined;

/** How a node becomes layers of whole numbers: undefined where it has none to do, and in words why where it goes another way. */
export type WholeLowering = (site: Site) => readonly Dynamic[] | string | undefined;

export const isConstant = (operand: Dynamic | PlainTensor | undefined): operand is PlainTensor =>
  operand !== undefined && "data" in operand;

export function tensorAt({ inputs }: Site, i: number): PlainTensor | undefined {
  const operand = inputs[i];
  return isConstant(operand) ? operand : undefined;
}

export function dynamicAt({ inputs }: Site, i: number): Dynamic | undefined {
  const operand = inputs[i];
  return operand === undefined || isConstant(operand) ? undefined : operand;
}

/** The numbers of a constant input. */
export function numbersAt(site: Site, i: number): readonly number[] | undefined {
  const tensor = tensorAt(site, i);
  return tensor && toNumbers(tensor);
}

/** Whether an input that the node has is not a constant. */
export const varies = (site: Site, i: number): boolean => dynamicAt(site, i) !== undefined;

export function param(site: Site, tensor: PlainTensor | undefined, suffix: string): string | null {
  return tensor === undefined ? null : site.draft.constant(tensor, `${site.layer}.${suffix}`);
}

/** The first input through one operator without parameters. */
export function through(op: OperatorName, options: (site: Site) => object | undefined = () => ({})): NodeLowering {
  return (site) => {
    const x = dynamicAt(site, 0);
    const given = options(site);
    return x && given && site.draft.add(site.layer, op, [x], [], given);
  };
}

/** Any input as an operand: constants are parameters. */
export function operandAt(site: Site, i: number): Dynamic | string {
  const given = site.inputs[i];
  if (given === undefined) throw new UnsupportedError(`"inputs" expected an input ${i}, got none`);
  return isConstant(given) ? (param(site, given, `operand${i}`) as string) : given;
}

/** A constant that the node makes of another: made once a model. */
export function madeOf(site: Site, what: string, t: PlainTensor, make: (site: Site) => PlainTensor): PlainTensor {
  const made = site.memo.tensors(site.c.node, what, [t], site.budget, (budget) => [make({ ...site, budget })]);
  return made[0] as PlainTensor;
}

export const list = (site: Site, i: number, name: string): readonly number[] | undefined =>
  site.c.list(name, tensorAt(site, i));

/** Arithmetic of two values as a layer. */
export function binary(site: Site, op: "add" | "sub" | "mul" | "div", a: Dynamic, b: Dynamic | number): Dynamic {
  const right = typeof b === "number" ? site.draft.constant(scalar(site, "float32", b), `${site.layer}.${op}`) : b;
  return site.draft.add(site.layer, op, [a, right])[0] as Dynamic;
}
