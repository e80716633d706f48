// The lowering of FFT convolution, dense and depthwise: assembly/conv-fft.ts.
import { ConvDesc, FftWeightsDesc } from "../gen/desc.js";
import { fftTiling, RATES } from "../kernels.js";
import type { Builder, Ref } from "../plan.js";
import { stridesOf } from "../spec.js";
import {
  type Conv,
  channelsLastImage,
  channelsLastOutput,
  convValues,
  packBias,
  reductionBlocks,
  roundUp,
} from "./conv-lowering.js";

/** Scratch for spectra of a block of pairs: as much as an L2 of 1 MB holds, but enough pairs to share the weights' spectra. */
const SPECTRA_BYTES = 1024 * 1024;
const LEAST_PAIRS = 4;
const MOST_PAIRS = 48;

/** cos and sin of -2πk/L for k < L/2. */
function twiddles(b: Builder, size: number): Ref {
  const table = new Float32Array(size);
  for (let k = 0; k < size / 2; k++) {
    table[2 * k] = Math.cos((2 * Math.PI * k) / size);
    table[2 * k + 1] = -Math.sin((2 * Math.PI * k) / size);
  }
  return b.table(table);
}

export function lowerFft(b: Builder, conv: Conv): void {
  const { shape: s } = conv;
  const { size, pairs } = fftTiling(s, RATES[b.target.variant]);
  const points = size * size;
  const depthwise = s.groups === s.C;
  const image = channelsLastImage(b, conv.input, depthwise ? 1 : s.groups, [0, 0, 0, 0], depthwise ? 1 : 4);
  const filters = depthwise ? s.M : s.M / s.groups;
  const channels = s.C / s.groups;
  const [C, M] = [roundUp(channels, 4), roundUp(filters, 4)];
  const twiddlesPtr = twiddles(b, size);
  const groupBytes = depthwise ? 0 : points * 4 * C * M * 4;
  const ref = b.constant(depthwise ? points * M * 8 : s.groups * groupBytes);
  const [sM, sC, sR, sS] = stridesOf(conv.weight.spec).map((stride) => stride * 4) as [number, number, number, number];
  b.prepare(
    depthwise ? "fft_depthwise_weights_f32" : "fft_weights_f32",
    FftWeightsDesc,
    {
      srcPtr: conv.weight.ref,
      dstPtr: ref,
      twiddlesPtr,
      size,
      filters,
      channels,
      kernelH: s.R,
      kernelW: s.S,
      dilationH: s.dilationH,
      dilationW: s.dilationW,
      filterBytes: sM,
      channelBytes: sC,
      kernelHBytes: sR,
      kernelWBytes: sS,
      dstGroupBytes: groupBytes,
    },
    (depthwise ? 1 : s.groups) * (M / 4),
    (points + size) * 32,
  );
  const y = channelsLastOutput(b, conv.output);
  const blocks = reductionBlocks(b, [0], 2 * C, 2 * C);
  const bias = packBias(b, conv.bias, s.M, depthwise ? 1 : s.groups);
  const fit = Math.floor(SPECTRA_BYTES / (points * 8 * (C + M)));
  const block = Math.min(pairs, Math.max(LEAST_PAIRS, Math.min(MOST_PAIRS, fit)));
  const values = {
    ...convValues(b, conv, image, { ref, groupBytes }, bias, blocks, y.ref),
    tileH: Math.log2(size),
    tileBlock: block,
    twiddlesPtr,
    zerosPtr: b.constant(2 * M * 4),
  };
  const window = 64 + (points + size) * 32;
  if (depthwise) b.step("conv2d_fft_depthwise_f32", ConvDesc, values, pairs, window);
  else {
    const spectra = points * (block * 8 * (C + M) + 2 * 64);
    b.step("conv2d_fft_f32", ConvDesc, values, pairs, window + roundUp(block * 4, 64) + spectra);
  }
  y.finish();
}
