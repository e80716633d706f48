// Bytes as they are held, uint8, behind the values of a graph: an int8 value has a twin 128 higher, and what is a function of another
// value's bytes is known by that and a table, so that functions of functions are one.
//
//   x ─▶ DequantizeLinear ─▶ Sigmoid ─▶ QuantizeLinear ─▶ DequantizeLinear ─▶ Mul ─▶ QuantizeLinear   ==>   x ─▶ table
//               └──────────────────────────────────────────────────────────────▲
import type { TensorSpec } from "../../../base/spec.js";
import type { Operator } from "../../../ops/operator.js";
import type { Draft, Dynamic } from "../../draft.js";
import { affine, flip, table } from "../../layers/int8/elements.js";
import type { WindowAxis } from "../../semantics/windows.js";
import type { Site } from "../site.js";
import { type Byte, eachByte, isByte } from "./quanta.js";

/** A value's bytes as a function of those of another, which is none. */
export interface Mapped {
  readonly root: Dynamic;
  /** By the root's byte. */
  readonly bytes: Uint8Array;
}

/** An operator that has its images channels-last: they are brought there, and until then their shapes are all that counts. */
export function onPixels(op: Operator): Operator {
  const lying = (spec: TensorSpec | undefined): TensorSpec | undefined =>
    spec && spec.shape.length > 2 ? { ...spec, memoryFormat: "channelsLast" } : spec;
  const isInput = (name: string) => op.inputs.includes(name);
  return {
    ...op,
    readsPixels: true,
    infer(specs, options) {
      const own = Object.entries(specs).map(([name, spec]) => [
        name,
        !isInput(name) ? spec : Array.isArray(spec) ? spec.map(lying) : lying(spec as TensorSpec),
      ]);
      return op.infer(Object.fromEntries(own), options);
    },
  };
}

interface Notes {
  /** What int8 values are held as, and the other way round. */
  readonly twins: Map<string, Dynamic>;
  readonly mapped: Map<string, Mapped>;
  /** Values in other bytes, by what they are. */
  readonly made: Map<string, Dynamic>;
}

const NOTES = new WeakMap<Draft, Notes>();

function notesOf({ draft }: Site): Notes {
  let notes = NOTES.get(draft);
  if (notes === undefined) {
    notes = { twins: new Map(), mapped: new Map(), made: new Map() };
    NOTES.set(draft, notes);
  }
  return notes;
}

/** The bytes of a value of 8 bits. */
export function heldOf(site: Site, x: Dynamic): Dynamic {
  return x.type === "int8" ? twinOf(site, x, "uint8") : x;
}

/** Bytes as a value of this type: what nobody reads of it is dropped. */
export function typedOf(site: Site, bytes: Dynamic, type: Byte): Dynamic {
  return type === "int8" ? twinOf(site, bytes, "int8") : bytes;
}

function twinOf(site: Site, x: Dynamic, type: Byte): Dynamic {
  const { twins } = notesOf(site);
  let twin = twins.get(`${type} ${x.name}`);
  if (twin === undefined) {
    twin = site.draft.add(site.layer, flip(), [x], [], {}, type)[0] as Dynamic;
    twins.set(`${type} ${x.name}`, twin);
    twins.set(`${x.type} ${twin.name}`, x);
  }
  return twin;
}

/** What these bytes are a function of: themselves, where of no others. */
export function mappedOf(site: Site, bytes: Dynamic): Mapped {
  return notesOf(site).mapped.get(bytes.name) ?? { root: bytes, bytes: eachByte((b) => b) };
}

/** The same value made once; it is none that a layer of a lowering that is taken back made. */
export function once(site: Site, key: string, make: () => Dynamic | undefined): Dynamic | undefined {
  const { made } = notesOf(site);
  const known = made.get(key);
  if (known) return known;
  const value = make();
  if (value) made.set(key, value);
  return value;
}

/** f of every byte: nothing at all, one multiplication and sum, or a table. */
export function through(site: Site, given: Dynamic, f: Uint8Array): Dynamic {
  const { root, bytes } = mappedOf(site, given);
  const whole = bytes.map((b) => f[b] as number);
  if (whole.every((y, b) => y === b)) return root;
  return once(site, `${root.name} ${whole.join()}`, () => {
    const op = affineOf(whole) ?? table(whole);
    const [value] = site.draft.add(site.layer, op, [root], [], {}, "uint8") as [Dynamic];
    notesOf(site).mapped.set(value.name, { root, bytes: whole });
    return value;
  }) as Dynamic;
}

const { fround } = Math;

/** clamp(round(b * ratio + offset)) where that is the table for every byte: half a table's time. */
function affineOf(bytes: Uint8Array) {
  const inside = [...bytes.keys()].filter((b) => bytes[b] !== 0 && bytes[b] !== 255);
  const [first = 0, last = 0] = [inside[0], inside.at(-1)];
  if (last - first < 2) return undefined;
  /** What is left for the offset, at this ratio; concave. */
  const room = (ratio: number) => {
    let [low, high] = [-Infinity, Infinity];
    for (const b of inside) {
      const rest = (bytes[b] as number) - b * ratio;
      low = Math.max(low, rest - 0.5);
      high = Math.min(high, rest + 0.5);
    }
    return { low, high };
  };
  const width = (ratio: number) => {
    const { low, high } = room(ratio);
    return high - low;
  };
  const slope = ((bytes[last] as number) - (bytes[first] as number)) / (last - first);
  let [from, to] = [slope - 1 / (last - first), slope + 1 / (last - first)];
  for (let i = 0; i < 40; i++) {
    const third = (to - from) / 3;
    if (width(from + third) < width(to - third)) from += third;
    else to -= third;
  }
  const ratio = fround((from + to) / 2);
  const { low, high } = room(ratio);
  const offset = fround((low + high) / 2);
  const isExact = bytes.every((y, b) => y === clampedRound(fround(fround(b * ratio) + offset)));
  return isExact ? affine({ ratio, offset }) : undefined;
}

function clampedRound(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  const whole = rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
  return Math.max(0, Math.min(255, whole));
}

/** The axis that lines lack to be images. */
export const UNIT: WindowAxis = { size: 1, taps: 1, stride: 1, dilation: 1, before: 0, after: 0, out: 1 };

export const shaped = ({ draft, layer }: Site, x: Dynamic, shape: readonly number[]): Dynamic =>
  draft.add(layer, "reshape", [x], [], { shape })[0] as Dynamic;

export const isBytes = (x: Dynamic | undefined): x is Dynamic => x !== undefined && isByte(x.type);
