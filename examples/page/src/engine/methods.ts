// One layer by one method, timed on this machine and held to float64. The page asks for one sample after the other, so that it can
// show each, and pause where it is hidden.
import { createRuntime, type Plan, type Runtime, type Tensor } from "lanewise";
import { runtimeOf, whenRestarted } from "./runtime.js";

/** N = 1, stride 1, padding (K - 1) / 2. */
export interface LayerSize {
  readonly C: number;
  readonly M: number;
  readonly H: number;
  readonly K: number;
  /** Each channel alone: C = M = groups. */
  readonly isDepthwise?: boolean;
}

export type Method =
  | "loops"
  | "direct"
  | "im2col"
  | "implicit-gemm"
  | "fft"
  | "depthwise"
  | "winograd23"
  | "winograd43"
  | "winograd63"
  | "threads";

/** Outputs that are compared with sums in float64. */
const COMPARED = 2048;
/** A sample repeats what is short, since a page's clock steps by 0.1 ms. */
const SAMPLE_MS = 12;

interface Open {
  readonly run: () => void;
  readonly result: () => Float32Array;
  readonly close: () => void;
  readonly reference: Reference;
  repeats: number;
}

interface Reference {
  readonly size: LayerSize;
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly at: Int32Array;
  readonly values: Float64Array;
}

/** Normal numbers by Box and Muller, the same every time. */
function noise(count: number, seed: number): Float32Array {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
  return Float32Array.from({ length: count }, () => {
    return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  });
}

/** Sums of some outputs, in float64, by the definition. */
function referenceOf(size: LayerSize): Reference {
  const { C, M, H, K, isDepthwise } = size;
  const each = isDepthwise ? 1 : C;
  const x = noise(C * H * H, 1);
  const w = noise(M * each * K * K, 2);
  const pad = (K - 1) >> 1;
  const count = Math.min(COMPARED, Math.ceil(4e6 / (each * K * K)), M * H * H);
  const at = Int32Array.from({ length: count }, (_, i) => Math.floor((i * M * H * H) / count));
  const values = Float64Array.from(at, (index) => {
    const m = Math.floor(index / (H * H));
    const p = Math.floor(index / H) % H;
    const q = index % H;
    let sum = 0;
    for (let k = 0; k < each; k++) {
      const c = isDepthwise ? m : k;
      for (let r = Math.max(0, pad - p); r < Math.min(K, H + pad - p); r++)
        for (let s = Math.max(0, pad - q); s < Math.min(K, H + pad - q); s++)
          sum +=
            (x[(c * H + p + r - pad) * H + q + s - pad] as number) * (w[((m * each + k) * K + r) * K + s] as number);
    }
    return sum;
  });
  return { size, x, w, at, values };
}

let last: Reference | undefined;
function sharedReference(size: LayerSize): Reference {
  const isSame = last && (["C", "M", "H", "K", "isDepthwise"] as const).every((key) => last?.size[key] === size[key]);
  if (!isSame) last = referenceOf(size);
  return last as Reference;
}

/** The seven loops; n is 1, so that six are left. Sums in float64, as JavaScript has them. */
function loops({ x, w, size: { C, M, H, K } }: Reference, y: Float32Array): void {
  const pad = (K - 1) >> 1;
  for (let m = 0; m < M; m++)
    for (let p = 0; p < H; p++)
      for (let q = 0; q < H; q++) {
        let sum = 0;
        for (let c = 0; c < C; c++)
          for (let r = 0; r < K; r++)
            for (let s = 0; s < K; s++) {
              const h = p + r - pad;
              const v = q + s - pad;
              if (h >= 0 && h < H && v >= 0 && v < H)
                sum += (x[(c * H + h) * H + v] as number) * (w[((m * C + c) * K + r) * K + s] as number);
            }
        y[(m * H + p) * H + q] = sum;
      }
}

let open: Open | undefined;
let threaded: Runtime | undefined;
whenRestarted(() => {
  open = undefined;
});

async function threadedRuntime(): Promise<Runtime> {
  threaded ??= await createRuntime({
    threads: { min: 2 }, // waits until they have come
    worker: () => new Worker(new URL("worker.js", import.meta.url)),
  });
  return threaded;
}

/** Plans a method for a layer; answers what the plan says of itself. What was open before is closed. */
export async function methodOpen({ size, method }: { readonly size: LayerSize; readonly method: Method }) {
  methodClose();
  const reference = sharedReference(size);
  if (method === "loops") {
    const y = new Float32Array(size.M * size.H * size.H);
    open = { run: () => loops(reference, y), result: () => y, close() {}, reference, repeats: 0 };
    return { workspaceBytes: 0, constantBytes: 0, threads: 1 };
  }
  const rt = await (method === "threads" ? threadedRuntime() : runtimeOf());
  const { C, M, H, K, isDepthwise } = size;
  const kept: (Tensor | Plan)[] = [];
  const close = () => {
    for (const one of kept) one.dispose();
  };
  const keep = <T extends Tensor | Plan>(one: T): T => {
    kept.push(one);
    return one;
  };
  try {
    const ordered = keep(rt.tensor(reference.x, [1, C, H, H]));
    const x = keep(rt.toMemoryFormat(ordered, { memoryFormat: "channelsLast" }));
    const weight = keep(rt.tensor(reference.w, [M, isDepthwise ? 1 : C, K, K]));
    const algorithm = method === "threads" ? "auto" : method;
    const options = { padding: (K - 1) >> 1, groups: isDepthwise ? C : 1, algorithm } as const;
    const plan = keep(rt.plan.conv2d({ input: [1, C, H, H], memoryFormat: "channelsLast", weight, ...options }));
    const y = keep(rt.empty(plan.outputs[0] as Plan["outputs"][number]));
    const { workspaceBytes, constantBytes } = plan.describe();
    open = { run: () => void plan.run(x, y), result: () => y.toArray(), close, reference, repeats: 0 };
    return { workspaceBytes, constantBytes, threads: rt.report().threads.running };
  } catch (error) {
    close();
    throw error;
  }
}

/** Milliseconds of one run, of as many as fill a sample; the first call warms up and is not to be counted. */
export function methodRun(): { ms: number } {
  if (open === undefined) throw new Error(`"methodRun" expected a method that is open, got none`);
  const { run } = open;
  const count = Math.max(1, open.repeats);
  const start = performance.now();
  for (let i = 0; i < count; i++) run();
  const ms = (performance.now() - start) / count;
  open.repeats = Math.max(1, Math.min(1000, Math.ceil(SAMPLE_MS / Math.max(ms, 0.01))));
  return { ms };
}

/** The largest difference from float64, as a share of the largest output; frees what was open. */
export function methodClose(): { error: number } {
  if (open === undefined) return { error: 0 };
  const { at, values } = open.reference;
  const result = open.result();
  let [most, off] = [0, 0];
  values.forEach((value, i) => {
    most = Math.max(most, Math.abs(value));
    off = Math.max(off, Math.abs(value - (result[at[i] as number] as number)));
  });
  open.close();
  open = undefined;
  return { error: off / most };
}
