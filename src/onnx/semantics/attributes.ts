// A node's attributes, checked as they are read, and the operator set they were written for.
import { textOf } from "../../base/check.js";
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import type { AttributeProto, NodeProto } from "../file/proto.js";

/** What the operators of `semantics` read: pure numbers and words. */
export class Attributes {
  readonly #attributes = new Map<string, AttributeProto>();

  constructor(
    readonly node: NodeProto,
    /** Version of the operator's domain. */
    readonly opset: number,
  ) {
    for (const attribute of node.attributes) {
      if (this.#attributes.has(attribute.name)) {
        throw new ModelError(`"${attribute.name}" expected once, got it twice`);
      }
      this.#attributes.set(attribute.name, attribute);
    }
  }

  /** How many outputs somebody reads, those between them and the first counted. */
  get outputs(): number {
    return this.node.outputs.findLastIndex((name) => name !== "") + 1;
  }

  /** BatchNormalization by the batch's own statistics: before operator set 14 that is what naming its further outputs says. */
  get isTraining(): boolean {
    if (this.opset >= 14) return this.int("training_mode", 0) === 1;
    return this.node.outputs.length > 1 && (this.opset >= 7 || this.int("is_test", 0) === 0);
  }

  has(name: string): boolean {
    return this.#attributes.has(name);
  }

  int(name: string, fallback: number): number {
    const attribute = this.find(name, "i", 2);
    return attribute === undefined ? fallback : Number(attribute.i);
  }

  float(name: string, fallback: number): number {
    return this.find(name, "f", 1)?.f ?? fallback;
  }

  string(name: string, fallback: string): string {
    const attribute = this.find(name, "s", 3);
    return attribute === undefined ? fallback : textOf(attribute.s);
  }

  ints(name: string): readonly number[] | undefined {
    return this.find(name, "ints", 7)?.ints.map(Number);
  }

  floats(name: string): readonly number[] | undefined {
    return this.find(name, "floats", 6)?.floats;
  }

  strings(name: string): readonly string[] | undefined {
    return this.find(name, "strings", 8)?.strings.map(textOf);
  }

  /** An axis attribute or value, counted from the end when negative. */
  axis(name: string, value: number, rank: number): number {
    if (!Number.isInteger(value) || value < -rank || value >= rank) {
      throw new ModelError(`"${name}" expected an axis from ${-rank} to ${rank - 1}, got ${value}`);
    }
    return value < 0 ? value + rank : value;
  }

  axes(name: string, values: readonly number[], rank: number): number[] {
    const axes = values.map((value) => this.axis(name, value, rank));
    if (new Set(axes).size !== axes.length)
      throw new ModelError(`"${name}" expected each axis once, got ${show([...values])}`);
    return axes;
  }

  /** One of the values an attribute may have here. */
  oneOf<T extends string>(name: string, fallback: T, allowed: readonly T[]): T {
    const value = this.string(name, fallback) as T;
    if (allowed.includes(value)) return value;
    throw new UnsupportedError(`"${name}" expected one of ${allowed.join(", ")}, got ${show(value)}`);
  }

  /** Attribute types in the file (0 in old ones) must agree with what the operator reads. */
  protected find(name: string, field: string, type: number): AttributeProto | undefined {
    const attribute = this.#attributes.get(name);
    if (attribute === undefined) return undefined;
    if (attribute.type === type || (attribute.type === 0 && attribute.has.includes(field))) return attribute;
    throw new ModelError(`"${name}" expected an attribute of type ${type} (${field}), got type ${attribute.type}`);
  }
}
