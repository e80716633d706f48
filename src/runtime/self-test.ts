// A start-up check of the inner kernels on small integers, whose sums are exact with and without fused multiply-add: an engine
// that computes them wrongly (it has happened: WebKit 16.4) is found before a model runs. What is right is one number a case,
// which a test works out by the reference: computing it here in cold JavaScript took as long as all the rest.
import { UnsupportedError } from "../base/errors.js";
import { makeSpec } from "../base/spec.js";
import type { Engine } from "../engine/engine.js";
import type { ConvAlgorithm } from "../kernels/table.js";
import { conv2d } from "../ops/conv/conv2d.js";
import { build } from "../ops/operator.js";
import { Program } from "../plan/program.js";

/** A 3x3 convolution of one image. */
export interface Case {
  readonly algorithm: ConvAlgorithm;
  readonly groups: number;
  readonly C: number;
  readonly M: number;
  readonly H: number;
  readonly W: number;
  /** Sizes of the slices of work items that the one kernel is called with; all at once when absent. */
  readonly slices?: readonly number[];
  readonly checksum: number;
}

export const CASES: readonly Case[] = [
  // 21 output pixels in slices of 1 to 6 reach the GEMM tile of every row count; M = 10 a full and a partial panel.
  { algorithm: "implicit-gemm", groups: 1, C: 5, M: 10, H: 5, W: 9, slices: [1, 2, 3, 4, 5, 6], checksum: 1231 },
  { algorithm: "winograd43", groups: 1, C: 5, M: 10, H: 6, W: 7, checksum: 2035 },
  { algorithm: "depthwise", groups: 6, C: 6, M: 6, H: 3, W: 7, checksum: 2168 },
];

/** Element i of an image [1, H, W, C] and of weights [M, C/groups, 3, 3]. */
export const pixel = (i: number): number => ((i * 7) % 11) - 5;
export const tap = (i: number): number => ((i * 5) % 7) - 3;

/** Every element with a weight of its own, so that lanes that change places are found. */
export function checksum(y: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < y.length; i++) sum += (y[i] as number) * ((i % 31) + 1);
  return sum;
}

/** Throws UnsupportedError naming the first kernel whose result is wrong. Leaves memory as it was. */
export function selfTest(engine: Engine): void {
  for (const test of CASES) check(engine, test);
}

function check(engine: Engine, { algorithm, groups, C, M, H, W, slices, checksum: expected }: Case): void {
  const input = makeSpec([1, C, H, W], "float32", "channelsLast");
  const weight = makeSpec([M, C / groups, 3, 3]);
  const builder = build(conv2d, [input], [weight, undefined], { algorithm, groups }, engine.target);
  const { allocator } = engine.heap;
  const sizes = [C * H * W, (M * C * 9) / groups, M * (H - 2) * (W - 2)] as const;
  const taken: number[] = [];
  try {
    for (const size of sizes) taken.push(allocator.allocate(size * 4));
    const [xPtr, wPtr, yPtr] = taken as [number, number, number];
    const { f32 } = engine.heap;
    for (let i = 0; i < sizes[0]; i++) f32[(xPtr >>> 2) + i] = pixel(i);
    for (let i = 0; i < sizes[1]; i++) f32[(wPtr >>> 2) + i] = tap(i);
    const program = new Program(engine, builder, [wPtr, undefined]);
    program.bind([xPtr, yPtr], 1);
    if (slices) slices.reduce((begin, size) => program.runSlice(begin, begin + size), 0);
    else program.run();
    program.dispose();
    const got = checksum(engine.heap.f32.subarray(yPtr >>> 2, (yPtr >>> 2) + sizes[2]));
    // Exact but for F(4,3), whose points are not integers; a wrong lane or tap is off by 1 at least.
    if (!(Math.abs(got - expected) < 0.5)) {
      throw new UnsupportedError(
        `"${algorithm}" expected ${expected} in the start-up self-test of the ${engine.variant} binary, got ${got}`,
      );
    }
  } finally {
    for (const ptr of taken) allocator.free(ptr);
  }
}
