// The digit that is drawn, and what the network answers: the latest drawing is asked about, one at a time.
import { computed, effect, signal } from "@preact/signals";
import { stateOf } from "../address.js";
import { call, where } from "../call.js";
import type { Answer } from "../engine/ops.js";
import { asMnist, read, SIDE, type Stroke, written } from "./strokes.js";

/** e: an example, 0 for none; d: lines that were drawn. */
const state = stateOf("digit", {
  e: { is: 1, from: 0, to: 12 },
  d: { is: "", like: /^[\w.-]{0,4000}$/ },
});

export interface Example {
  readonly label: number;
  readonly pixels: Float32Array;
}
export const examples = signal<readonly Example[]>([]);
export const strokes = computed(() => read(state.now.value.d));
export const example = computed(() => state.now.value.e);

/** A file of what scripts/page/digits.mjs took of MNIST's test set: a label and 784 pixels each. */
export async function loadExamples(): Promise<void> {
  const file = await boot.digits.catch(() => undefined);
  if (file === undefined) return;
  const bytes = new Uint8Array(file);
  const each = 1 + SIDE * SIDE;
  examples.value = Array.from({ length: bytes.length / each }, (_, i) => {
    const [label = 0, ...pixels] = bytes.subarray(i * each, (i + 1) * each);
    return { label, pixels: Float32Array.from(pixels, (pixel) => pixel / 255) };
  });
}

export const pixels = computed(() => {
  const chosen = strokes.value.length === 0 ? examples.value[example.value - 1] : undefined;
  return chosen?.pixels ?? asMnist(strokes.value);
});
export const isEmpty = computed(() => pixels.value.every((pixel) => pixel === 0));

export function draw(lines: readonly Stroke[]): void {
  state.set({ d: written(lines), e: 0 });
}
export function choose(number: number): void {
  state.set({ d: "", e: number });
}

export type Digit = Answer<"classify"> & { readonly pixels: Float32Array; readonly answeredMs: number };
export const digit = signal<Digit | undefined>(undefined);
export const failure = signal("");
/** Milliseconds from the start of the page's load to its first answer. */
export const firstAnswerMs = signal<number | undefined>(undefined);
/** Bytes that page and worker had fetched by then, as they were sent: gzipped where the host does that. */
export const firstBytes = signal(0);
/** WebKit tells a worker nothing of what it fetches. */
export const isPartOfBytes = signal(false);

function fetchedHere(): number {
  const entries = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
  return (entries as PerformanceResourceTiming[]).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
}
export const weights = signal<Answer<"digitWeights"> | undefined>(undefined);

let isAsking = false;
let asked: Float32Array | undefined;
async function ask(): Promise<void> {
  if (isAsking || asked === pixels.peek()) return;
  isAsking = true;
  const given = pixels.peek();
  asked = given;
  const start = performance.now();
  try {
    const answer = await call("classify", { pixels: given });
    const end = performance.now();
    digit.value = { ...answer, pixels: given, answeredMs: end - start };
    if (firstAnswerMs.peek() === undefined) {
      firstAnswerMs.value = end;
      const ofWorker = where.peek() === "worker" ? answer.fetchedBytes : 0;
      firstBytes.value = fetchedHere() + ofWorker;
      isPartOfBytes.value = where.peek() === "worker" && ofWorker === 0;
      asked = undefined; // once more: the first took its start with it
    }
    failure.value = "";
    weights.value ??= await call("digitWeights", undefined);
  } catch (error) {
    failure.value = (error as Error).message;
  }
  isAsking = false;
  void ask();
}

export function startDigit(): void {
  effect(() => {
    if (!isEmpty.value && pixels.value) void ask();
  });
}

/** After another runtime was made. */
export function askAgain(): void {
  asked = undefined;
  if (!isEmpty.peek()) void ask();
}
