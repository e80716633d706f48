// What a descriptor is filled with: addresses that are not known yet, and the layouts that scripts/generate.mjs reads from
// assembly/abi.
import type { TensorSpec } from "../base/spec.js";

/** An address not known yet: a byte offset into one of the plan's areas. Area "none" is the address 0. */
export interface Ref {
  readonly area: "none" | "input" | "output" | "param" | "constant" | "packed" | "workspace";
  readonly index: number;
  readonly offset: number;
}

export const NONE: Ref = { area: "none", index: 0, offset: 0 };

/** The address `bytes` further. */
export function shift(ref: Ref, bytes: number): Ref {
  return { ...ref, offset: ref.offset + bytes };
}

/** Kinds of fields of a descriptor: i32 is the third. */
export const F32 = 1;
export const PTR = 2;

/** The fields of a descriptor struct in the order of memory, four bytes each; from src/kernels/gen/desc.ts. */
export type DescLayout = Readonly<Record<string, 0 | typeof F32 | typeof PTR>>;

export type DescValues<D extends DescLayout> = {
  readonly [F in keyof D]: D[F] extends typeof PTR ? Ref : number;
};

export function descBytes(layout: DescLayout): number {
  return 4 * Object.keys(layout).length;
}

export interface Operand {
  readonly spec: TensorSpec;
  readonly ref: Ref;
}
