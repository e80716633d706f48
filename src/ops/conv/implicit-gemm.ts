// The lowering of implicit GEMM: assembly/kernels/conv-implicit-gemm.ts.

import { type ConvShape, convMacs, extent } from "../../base/shape.js";
import { PANEL, ROW_BLOCK } from "../../kernels/gen/constants.js";
import { GemmRun, ImplicitGemmDesc } from "../../kernels/gen/desc.js";
import type { Builder } from "../../plan/builder.js";
import { descBytes } from "../../plan/operand.js";
import { channelsLastImage, isChannelsLast } from "../parts/image.js";
import { packBias, packWeights } from "../parts/panels.js";
import { type Conv, clipping, convValues, patchSegments, product } from "./lowering.js";

// What clipping saves against a padded copy, in nanoseconds on the reference machine: a float copied, a multiplication by a
// zero of the padding; and what it costs: runs of a pixel or two, a panel and a step of k of each.
const COPIED_NS = 0.4;
const MAC_NS = 0.04;
const RUN_NS = 60;
const STEP_NS = 0.5;

/** One axis of a convolution: outputs whose windows are inside, and the taps of all windows that are. */
function insideOf(size: number, outputs: number, taps: number, stride: number, dilation: number, before: number) {
  const first = Math.ceil(before / stride);
  const last = Math.floor((size + before - extent(taps, dilation)) / stride);
  const outputsInside = Math.max(0, Math.min(last + 1, outputs) - first);
  let tapsInside = 0;
  for (let tap = 0; tap < taps; tap++) {
    const at = tap * dilation - before; // of the first output
    const from = Math.max(0, Math.ceil(-at / stride));
    const to = Math.min(outputs, Math.ceil((size - at) / stride));
    tapsInside += Math.max(0, to - from);
  }
  return { outputs: outputsInside, share: tapsInside / (outputs * taps) };
}

const acrossOf = (s: ConvShape) => insideOf(s.W, s.Q, s.S, s.strideW, s.dilationW, s.padding[1]);
const downOf = (s: ConvShape) => insideOf(s.H, s.P, s.R, s.strideH, s.dilationH, s.padding[0]);

/** Whether clipping windows at the border is faster than a padded copy, where a row of taps is one segment. */
function isClipped({ input, shape: s }: Conv): boolean {
  if (s.groups > 1 || (s.dilationW > 1 && s.S > 1) || !isChannelsLast(input.spec)) return false;
  const [across, down] = [acrossOf(s), downOf(s)];
  const saved = COPIED_NS * s.C * s.H * s.W + MAC_NS * (convMacs(s) / s.N) * (1 - across.share * down.share);
  const runs = (s.Q - across.outputs) * (s.P - down.outputs + 1);
  return saved > runs * Math.ceil(s.M / PANEL) * (RUN_NS + STEP_NS * s.C * s.R * s.S);
}

/** Most runs of a block of pixels: one of each row of them, and one for every border or left over pixel. */
function mostRuns(s: ConvShape, tileRows: number): number {
  const rows = Math.min(s.N * s.P, Math.ceil((ROW_BLOCK - 1) / s.Q) + 1);
  const columns = Math.min(s.Q, s.Q - acrossOf(s).outputs + tileRows - 1);
  return Math.min(ROW_BLOCK, s.N * s.P * s.Q, rows * (1 + columns));
}

/** Patches read where they lie. */
export function implicitGemm(b: Builder, conv: Conv): void {
  const { shape: s } = conv;
  const clips = isClipped(conv);
  const image = channelsLastImage(b, conv.input, s.groups, clips ? [0, 0, 0, 0] : s.padding);
  const blocks = patchSegments(b, s, image);
  const weights = packWeights(b, conv.weight, s.groups, blocks);
  const values = {
    ...convValues(conv, image, weights, packBias(b, conv.bias, s.M, s.groups, conv.slope)),
    ...(clips ? clipping(conv) : { padTop: 0, padLeft: 0 }),
    ...product(b, blocks),
  };
  const scratchBytes = mostRuns(s, values.tileRows) * descBytes(GemmRun);
  b.step("conv2d_implicit_gemm_f32", ImplicitGemmDesc, values, s.N * s.P * s.Q, scratchBytes);
}
