// The layer of section 3: its sizes stand in the address, its numbers as letters where they were changed.
import { computed, effect, signal } from "@preact/signals";
import { stateOf } from "../address.js";
import { call } from "../call.js";
import type { Kind, Setting } from "../engine/arithmetic.js";
import { compute, filters, isPooling, outputs, resultOf, termsOf, whyNone } from "./definition.js";

export const KINDS = ["conv", "transposed", "max", "average", "norm"] as const;

/** h w r s: sizes; u stride, p padding, d dilation; c m g: channels, filters, groups; v: which numbers; x y: those that were set. */
const state = stateOf("conv", {
  kind: { is: "conv", of: KINDS },
  h: { is: 5, from: 1, to: 12 },
  w: { is: 5, from: 1, to: 12 },
  r: { is: 3, from: 1, to: 5 },
  s: { is: 3, from: 1, to: 5 },
  u: { is: 1, from: 1, to: 4 },
  p: { is: 0, from: 0, to: 4 },
  d: { is: 1, from: 1, to: 4 },
  c: { is: 1, from: 1, to: 4 },
  m: { is: 1, from: 1, to: 4 },
  g: { is: 1, from: 1, to: 4 },
  v: { is: 7, from: 1, to: 999 },
  x: { is: "", like: /^[a-s]*$/ },
  y: { is: "", like: /^[a-s]*$/ },
});
export const now = state.now;

/** -9 to 9 as a to s. */
const letters = (values: ArrayLike<number>) =>
  Array.from(values, (value) => String.fromCharCode(97 + 9 + value)).join("");
const numbers = (text: string) => Float32Array.from(text, (letter) => letter.charCodeAt(0) - 97 - 9);

function random(count: number, seed: number, from: number, to: number): Float32Array {
  let now = Math.imul(seed, 2654435761) | 1;
  return Float32Array.from({ length: count }, () => {
    now ^= now << 13;
    now ^= now >>> 17;
    now ^= now << 5;
    return from + ((now >>> 8) % (to - from + 1));
  });
}

/** Largest number of groups that divides what it has to, up to what was asked for. */
export function groupsOf(asked: number, C: number, M: number): number {
  for (let groups = asked; groups > 1; groups--) if (C % groups === 0 && M % groups === 0) return groups;
  return 1;
}

/** γ 1 to 3, β -2 to 2, μ 0 to 4, σ² 1 to 9: as far from one as they are in networks. */
function normNumbers(c: number, seed: number): Float32Array {
  const ranges = [
    [1, 3],
    [-2, 2],
    [0, 4],
    [1, 9],
  ] as const;
  const columns = ranges.map(([from, to], k) => random(c, seed + 2000 + k, from, to));
  return Float32Array.from({ length: 4 * c }, (_, i) => columns[i % 4]?.[Math.floor(i / 4)] ?? 0);
}

/** A variance that the address or the keyboard puts below 1 is 1. */
const withVariances = (values: Float32Array) => values.map((value, i) => (i % 4 === 3 ? Math.max(1, value) : value));

export const setting = computed<Setting>(() => {
  const { kind, h, w, r, s, u, p, d, c, m, g, v, x, y } = now.value;
  if (kind === "norm") {
    const sizes = [c * h * w, 4 * c] as const;
    return {
      ...{ kind, stride: 1, padding: 0, dilation: 1, groups: 1 },
      x: x.length === sizes[0] ? numbers(x) : random(sizes[0], v, 0, 4),
      input: [c, h, w],
      w: withVariances(y.length === sizes[1] ? numbers(y) : normNumbers(c, v)),
      weight: [c, 1, 1, 4],
    };
  }
  const pools = isPooling({ kind: kind as Kind });
  const groups = pools ? 1 : groupsOf(g, c, m);
  const input = [c, h, w] as const;
  const weight =
    kind === "transposed" ? ([c, m / groups, r, s] as const) : ([pools ? 1 : m, pools ? 1 : c / groups, r, s] as const);
  const sizeX = c * h * w;
  const sizeW = weight.reduce((a, b) => a * b);
  return {
    kind: kind as Kind,
    x: x.length === sizeX ? numbers(x) : random(sizeX, v, 0, 4),
    input,
    w: y.length === sizeW ? numbers(y) : random(sizeW, v + 1000, -2, 2),
    weight,
    stride: u,
    padding: p,
    dilation: kind === "average" ? 1 : d,
    groups,
  };
});

/** Changes one number. */
export function put(which: "x" | "w", index: number, value: number): void {
  const values = setting.peek()[which].slice();
  values[index] = Math.min(9, Math.max(-9, value));
  state.set(which === "x" ? { x: letters(values) } : { y: letters(values) });
}

/** The number that was pressed last: a finger has no keys to type another. */
export interface Picked {
  readonly which: "x" | "w";
  readonly index: number;
  readonly name: string;
  readonly from?: number;
}
export const picked = signal<Picked | undefined>(undefined);
export const isPicked = (which: "x" | "w", index: number) =>
  picked.value?.which === which && picked.value.index === index;

export const change: typeof state.set = (patch) => {
  picked.value = undefined; // where it was may be another number's place
  state.set(patch);
};

/** Pooling and batch norm have channels alone. */
export const hasFilters = computed(() => setting.value.kind !== "norm" && !isPooling(setting.value));
export const reason = computed(() => whyNone(setting.value));
export const P = computed(() => outputs(setting.value, 0));
export const Q = computed(() => outputs(setting.value, 1));
export const M = computed(() => filters(setting.value));
export const expected = computed(() => (reason.value ? new Float32Array() : compute(setting.value)));

/** The library's values of a setting. */
export const library = signal<{ of: Setting; values: Float32Array; failure: string } | undefined>(undefined);
let isAsking = false;
async function ask(): Promise<void> {
  const of = setting.peek();
  if (isAsking || library.peek()?.of === of || reason.peek()) return;
  isAsking = true;
  try {
    library.value = { of, values: (await call("arithmetic", of)).values, failure: "" };
  } catch (error) {
    library.value = { of, values: new Float32Array(), failure: (error as Error).message };
  }
  isAsking = false;
  void ask();
}
export function startConv(): void {
  effect(() => {
    if (!reason.value && setting.value) void ask();
  });
}

/** What is pointed at: an output, or an input, whose outputs are shown then. */
export type Pointer =
  | { readonly at: "output"; readonly m: number; readonly p: number; readonly q: number; readonly term?: number }
  | { readonly at: "input"; readonly c: number; readonly h: number; readonly w: number };
const pointed = signal<Pointer>({ at: "output", m: 0, p: 0, q: 0 });
export const pointer = computed<Pointer>(() => {
  const found = pointed.value;
  const { input } = setting.value;
  if (found.at === "input") {
    const [c, h, w] = [found.c, found.h, found.w].map((value, i) => Math.min(value, (input[i] as number) - 1));
    return { at: "input", c: c as number, h: h as number, w: w as number };
  }
  const clamp = (value: number, end: number) => Math.max(0, Math.min(value, end - 1));
  return { ...found, m: clamp(found.m, M.value), p: clamp(found.p, P.value), q: clamp(found.q, Q.value) };
});
export function point(to: Pointer): void {
  pointed.value = to;
}

/** Products of the output that is pointed at. */
export const terms = computed(() => {
  const at = pointer.value;
  return at.at === "output" && !reason.value ? termsOf(setting.value, at.m, at.p, at.q) : [];
});
export const sum = computed(() => resultOf(setting.value, terms.value));

const outputAt = (m: number, p: number, q: number, term?: number): Pointer => {
  return { at: "output", m, p, q, ...(term !== undefined && { term }) };
};

/** What the loops come to next, or came from: another output, or another product of this one. */
function next(by: 1 | -1, isFine: boolean): Pointer {
  const at = pointer.peek();
  const [m, p, q] = at.at === "output" ? [at.m, at.p, at.q] : [0, 0, 0];
  const term = at.at === "output" ? at.term : undefined;
  const last = terms.peek().length - 1;
  if (isFine && term === undefined) return outputAt(m, p, q, by > 0 ? 0 : last);
  if (isFine && term !== undefined && term + by >= 0 && term + by <= last) return outputAt(m, p, q, term + by);
  const all = M.peek() * P.peek() * Q.peek();
  const index = ((((m * P.peek() + p) * Q.peek() + q + by) % all) + all) % all;
  const other = [Math.floor(index / (P.peek() * Q.peek())), Math.floor(index / Q.peek()) % P.peek(), index % Q.peek()];
  const [otherM, otherP, otherQ] = other as [number, number, number];
  if (!isFine) return outputAt(otherM, otherP, otherQ);
  const length = termsOf(setting.peek(), otherM, otherP, otherQ).length;
  return outputAt(otherM, otherP, otherQ, by > 0 ? 0 : length - 1);
}

export function step(by: 1 | -1, isFine: boolean): void {
  if (!reason.peek()) point(next(by, isFine));
}
