// A start-up check of the inner kernels on small integers, whose sums are exact with and without fused multiply-add, in
// about a millisecond: an engine that computes them wrongly (it has happened: WebKit 16.4) is found before a model runs.
import { UnsupportedError } from "./errors.js";
import type { ConvAlgorithm } from "./kernels.js";
import { build } from "./ops/operator.js";
import { conv2d } from "./ops/conv2d.js";
import { Program } from "./plan.js";
import type { Engine } from "./runtime/instance.js";
import { makeSpec } from "./spec.js";
import type { Operator } from "./ops/operator.js";

interface Case {
  readonly algorithm: ConvAlgorithm;
  readonly groups: number;
  readonly C: number;
  readonly M: number;
}

// 5 x 5 outputs reach tiles of several row counts; M = 10 a full and a partial panel.
const CASES: readonly Case[] = [
  { algorithm: "implicit-gemm", groups: 1, C: 5, M: 10 },
];
const SIZE = 7;

/** Throws UnsupportedError naming the first kernel whose result is wrong. Leaves memory as it was. */
export function selfTest(engine: Engine): void {
  for (const test of CASES) check(engine, test);
}

function check(engine: Engine, { algorithm, groups, C, M }: Case): void {
  const perGroup = C / groups;
  const input = makeSpec([1, C, SIZE, SIZE], "float32", "channelsLast");
  const weight = makeSpec([M, perGroup, 3, 3]);
  const builder = build(conv2d as unknown as Operator, [input], [weight, undefined], { algorithm, groups }, engine.target);
  const { allocator } = engine.heap;
  const x = Int32Array.from({ length: C * SIZE * SIZE }, (_, i) => ((i * 7) % 11) - 5);
  const w = Int32Array.from({ length: M * perGroup * 9 }, (_, i) => ((i * 5) % 7) - 3);
  const out = SIZE - 2;
  const xPtr = allocator.allocate(x.length * 4);
  const wPtr = allocator.allocate(w.length * 4);
  const yPtr = allocator.allocate(M * out * out * 4);
  try {
    engine.heap.f32.set(x, xPtr >> 2);
    engine.heap.f32.set(w, wPtr >> 2);
    const program = new Program(engine, builder, [wPtr, undefined]);
    program.bind([xPtr], [yPtr]);
    program.run();
    program.dispose();
    const y = engine.heap.f32.subarray(yPtr >> 2, (yPtr >> 2) + M * out * out);
    for (let m = 0; m < M; m++) {
      const first = Math.floor(m / (M / groups)) * perGroup; // first input channel of the group
      for (let pixel = 0; pixel < out * out; pixel++) {
        const p = Math.floor(pixel / out);
        const q = pixel % out;
        let sum = 0;
        for (let c = 0; c < perGroup; c++) {
          for (let r = 0; r < 3; r++) {
            for (let s = 0; s < 3; s++) {
              sum += (x[((p + r) * SIZE + q + s) * C + first + c] as number) * (w[(m * perGroup + c) * 9 + r * 3 + s] as number);
            }
          }
        }
        const got = y[pixel * M + m] as number;
        if (Math.abs(got - sum) > 1e-3) {
          throw new UnsupportedError(`"${algorithm}" expected ${sum} in the start-up self-test of ${engine.variant}, got ${got}`);
        }
      }
    }
  } finally {
    for (const ptr of [yPtr, wPtr, xPtr]) allocator.free(ptr);
  }
}
