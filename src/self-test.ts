// A start-up check of the inner kernels on small integers, whose sums are exact with and without fused multiply-add, in
// about a millisecond: an engine that computes them wrongly (it has happened: WebKit 16.4) is found before a model runs.
import { UnsupportedError } from "./errors.js";
import type { ConvAlgorithm } from "./kernels.js";
import { conv2d } from "./ops/conv2d.js";
import type { Operator } from "./ops/operator.js";
import { build } from "./ops/operator.js";
import { Program } from "./plan.js";
import type { Engine } from "./runtime/instance.js";
import { makeSpec } from "./spec.js";

interface Case {
  readonly algorithm: ConvAlgorithm;
  readonly groups: number;
  readonly C: number;
  readonly M: number;
  readonly H: number;
  readonly W: number;
  /** Sizes of the slices of work items that the one kernel is called with; all at once when absent. */
  readonly slices?: readonly number[];
}

const CASES: readonly Case[] = [
  // 21 output pixels in slices of 1 to 6 reach the GEMM tile of every row count; M = 10 a full and a partial panel.
  { algorithm: "implicit-gemm", groups: 1, C: 5, M: 10, H: 5, W: 9, slices: [1, 2, 3, 4, 5, 6] },
  { algorithm: "winograd43", groups: 1, C: 5, M: 10, H: 6, W: 7 },
  { algorithm: "depthwise", groups: 6, C: 6, M: 6, H: 3, W: 7 },
];

/** Throws UnsupportedError naming the first kernel whose result is wrong. Leaves memory as it was. */
export function selfTest(engine: Engine): void {
  for (const test of CASES) check(engine, test);
}

function check(engine: Engine, { algorithm, groups, C, M, H, W, slices }: Case): void {
  const perGroup = C / groups;
  const input = makeSpec([1, C, H, W], "float32", "channelsLast");
  const weight = makeSpec([M, perGroup, 3, 3]);
  const builder = build(
    conv2d as unknown as Operator,
    [input],
    [weight, undefined],
    { algorithm, groups },
    engine.target,
  );
  const { allocator } = engine.heap;
  const x = Float32Array.from({ length: C * H * W }, (_, i) => ((i * 7) % 11) - 5);
  const w = Float32Array.from({ length: M * perGroup * 9 }, (_, i) => ((i * 5) % 7) - 3);
  const P = H - 2;
  const Q = W - 2;
  const taken: number[] = [];
  const take = (floats: number): number => {
    const ptr = allocator.allocate(floats * 4);
    taken.push(ptr);
    return ptr;
  };
  try {
    const [xPtr, wPtr, yPtr] = [take(x.length), take(w.length), take(M * P * Q)];
    engine.heap.f32.set(x, xPtr >>> 2);
    engine.heap.f32.set(w, wPtr >>> 2);
    const program = new Program(engine, builder, [wPtr, undefined]);
    program.bind([xPtr, yPtr], 1);
    if (slices) slices.reduce((begin, size) => program.runSlice(begin, begin + size), 0);
    else program.run();
    program.dispose();
    const y = engine.heap.f32.subarray(yPtr >>> 2, (yPtr >>> 2) + M * P * Q);
    for (let i = 0; i < y.length; i++) {
      const m = i % M;
      const q = Math.floor(i / M) % Q;
      const p = Math.floor(i / M / Q);
      const first = Math.floor((m * groups) / M) * perGroup; // first input channel of the group
      let sum = 0;
      for (let c = 0; c < perGroup; c++) {
        for (let tap = 0; tap < 9; tap++) {
          const pixel = (p + Math.floor(tap / 3)) * W + q + (tap % 3);
          sum += (x[pixel * C + first + c] as number) * (w[(m * perGroup + c) * 9 + tap] as number);
        }
      }
      // Exact but for F(4,3), whose points are not integers; a wrong lane or tap is off by 1 at least.
      if (!(Math.abs((y[i] as number) - sum) < 0.01)) {
        throw new UnsupportedError(
          `"${algorithm}" expected ${sum} in the start-up self-test of the ${engine.variant} binary, got ${y[i]}`,
        );
      }
    }
  } finally {
    for (const ptr of taken) allocator.free(ptr);
  }
}
