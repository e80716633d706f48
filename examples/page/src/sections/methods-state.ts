// One layer by every method: what is measured, and when it waits.
import { computed, signal } from "@preact/signals";
import { stateOf } from "../address.js";
import { call } from "../call.js";
import type { LayerSize, Method } from "../engine/methods.js";
import { accepts, METHODS } from "./methods-facts.js";

/** c m: channels, h: height and width, k: kernel; by: the method that is drawn; sweep: the layer of the plot. */
const state = stateOf("methods", {
  c: { is: 64, from: 1, to: 256 },
  m: { is: 64, from: 1, to: 256 },
  h: { is: 56, from: 4, to: 128 },
  k: { is: 3, from: 1, to: 31 },
  by: { is: "winograd23", of: METHODS },
  sweep: { is: "dense", of: ["dense", "depthwise"] },
});
export const now = state.now;
export const change = state.set;
export const size = computed<LayerSize>(() => {
  const { c, m, h, k } = now.value;
  return { C: c, M: m, H: h, K: k % 2 === 0 ? k - 1 : k };
});

const RUNS = 7;
/** JavaScript's loops over a large layer: fewer samples than that rather than a minute. */
const PATIENCE_MS = 9000;
/** Products beyond which JavaScript's loops are left out. */
const TOO_MANY = 1.5e9;

export interface Row {
  readonly method: Method;
  readonly ms: number;
  readonly times: readonly number[];
  readonly error: number;
  readonly workspaceBytes: number;
  readonly threads: number;
  readonly refusal: string;
}

export interface Measured {
  readonly size: LayerSize;
  readonly rows: ReadonlyMap<Method, Row>;
}
export const measured = signal<Measured | undefined>(undefined);
/** What is measured at the moment, and which share of it is done; "" for nothing. */
export const running = signal<{ method: Method | ""; share: number; isPaused: boolean }>({
  method: "",
  share: 0,
  isPaused: false,
});
let stopped = false;
export function stop(): void {
  stopped = true;
}

const median = (times: readonly number[]) => times.toSorted((a, b) => a - b)[times.length >> 1] as number;

/** A hidden page is slowed down: nothing is measured until it is seen again. */
async function whileVisible(): Promise<boolean> {
  if (!document.hidden) return true;
  running.value = { ...running.value, isPaused: true };
  await new Promise<void>((seen) => {
    document.addEventListener("visibilitychange", () => seen(), { once: true });
  });
  running.value = { ...running.value, isPaused: false };
  return false;
}

/** One method: a sample to warm up, then seven; one that was taken while the page went out of sight does not count. */
async function measure(layer: LayerSize, method: Method, runs: number): Promise<Row> {
  const none = { method, ms: Number.NaN, times: [], error: 0, workspaceBytes: 0, threads: 1 };
  try {
    running.value = { method, share: 0, isPaused: false };
    const { workspaceBytes, threads } = await call("methodOpen", { size: layer, method });
    const start = performance.now();
    const first = await call("methodRun", undefined);
    const times: number[] = [];
    while (times.length < runs && !stopped) {
      if (times.length > 0 && performance.now() - start > PATIENCE_MS) break;
      const wasVisible = await whileVisible();
      const { ms } = await call("methodRun", undefined);
      if (wasVisible && !document.hidden) times.push(ms);
      running.value = { method, share: times.length / runs, isPaused: false };
    }
    const { error } = await call("methodClose", undefined);
    const kept = times.length > 0 ? times : [first.ms];
    return { method, ms: median(kept), times: kept, error, workspaceBytes, threads, refusal: "" };
  } catch (error) {
    return { ...none, refusal: (error as Error).message };
  }
}

/** Methods that this page and this layer have. */
export function methodsOf(layer: LayerSize): Method[] {
  const { C, M, H, K } = layer;
  return METHODS.filter((method) => {
    if (method === "threads") return globalThis.crossOriginIsolated === true && navigator.hardwareConcurrency > 1;
    if (method === "loops") return C * M * H * H * K * K <= TOO_MANY;
    return accepts(method, layer);
  });
}

export async function measureAll(): Promise<void> {
  if (running.value.method !== "") return;
  stopped = false;
  const layer = size.peek();
  measured.value = { size: layer, rows: new Map() };
  for (const method of methodsOf(layer)) {
    if (stopped) break;
    const row = await measure(layer, method, RUNS);
    measured.value = { size: layer, rows: new Map([...(measured.value?.rows ?? []), [method, row]]) };
  }
  running.value = { method: "", share: 0, isPaused: false };
}

/** Time against kernel size, of two layers on 56 x 56, and where the lines cross. */
export const SWEPT = [3, 5, 7, 9, 11, 15, 19, 23, 31] as const;
export const SWEEPS = {
  dense: { size: { C: 16, M: 16, H: 56 }, methods: ["implicit-gemm", "fft", "winograd43"] },
  depthwise: { size: { C: 64, M: 64, H: 56, isDepthwise: true }, methods: ["depthwise", "fft"] },
} as const;
export type SweepName = keyof typeof SWEEPS;
export type Swept = Partial<Record<Method, readonly (readonly [K: number, ms: number])[]>>;
export const sweepName = computed(() => state.now.value.sweep as SweepName);
export const sweeps = signal<Partial<Record<SweepName, Swept>>>({});

export async function measureSweep(name: SweepName): Promise<void> {
  if (running.value.method !== "") return;
  stopped = false;
  const { size: layer, methods } = SWEEPS[name];
  let found: Swept = {};
  for (const K of SWEPT)
    for (const method of methods) {
      const sized = { ...layer, K };
      if (stopped || !accepts(method, sized)) continue;
      const { ms, refusal } = await measure(sized, method, 3);
      if (!refusal) found = { ...found, [method]: [...(found[method] ?? []), [K, ms]] };
      sweeps.value = { ...sweeps.value, [name]: found };
    }
  running.value = { method: "", share: 0, isPaused: false };
}
