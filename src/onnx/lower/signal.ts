// Fourier transforms of real signals as layers, where frames have a power of two of samples; others are for JavaScript.
import { countOf } from "../../base/shape.js";
import { type Bin, isLength, spectrum } from "../layers/spectrum.js";
import { dynamicAt, type NodeLowering, numbersAt, varies } from "./site.js";

/** Every frequency as [re, im], up to half of n or all. */
function binsOf(n: number, isOneSided: boolean): readonly Bin[] {
  const count = isOneSided ? n / 2 + 1 : n;
  return Array.from({ length: count }, (_, f) => ({ frequency: f, re: 2 * f, im: 2 * f + 1, sign: 1 }));
}

const stft: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const [batch, samples, wide = 1] = x?.shape ?? [];
  if (!x || !batch || !samples || wide !== 1 || [1, 2, 3].some((i) => varies(site, i))) return undefined;
  const [[step] = [], window, [length] = []] = [1, 2, 3].map((i) => numbersAt(site, i));
  const n = length ?? window?.length ?? samples;
  const frames = step && Math.floor((samples - n) / step) + 1;
  if (!step || step < 1 || !isLength(n) || (window && window.length !== n) || !frames || frames < 1) return undefined;
  const bins = binsOf(n, site.c.int("onesided", 1) === 1);
  const layer = {
    signals: batch,
    samples,
    frames,
    hop: step,
    window: Float32Array.from(window ?? Array.from({ length: n }, () => 1)),
    bins,
    numbers: 2 * bins.length,
    isByFrame: true,
    isPower: false,
    output: [batch, frames, bins.length, 2],
    macs: 0,
  };
  return site.draft.add(site.layer, spectrum("STFT", layer), [x]);
};

/** Along the last axis but that of parts. */
const dft: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const { shape = [] } = x ?? {};
  const rank = shape.length;
  if (!x || rank < 2 || shape[rank - 1] !== 1 || varies(site, 1) || varies(site, 2)) return undefined;
  const n = shape[rank - 2] as number;
  const axis = site.c.opset < 20 ? site.c.int("axis", 1) : (numbersAt(site, 2)?.[0] ?? -2);
  const length = numbersAt(site, 1)?.[0] ?? n;
  if ((axis < 0 ? axis + rank : axis) !== rank - 2 || length !== n || !isLength(n)) return undefined;
  if (site.c.int("inverse", 0) === 1) return undefined;
  const frames = countOf(shape) / n;
  const bins = binsOf(n, site.c.int("onesided", 0) === 1);
  const layer = {
    signals: 1,
    samples: frames * n,
    frames,
    hop: n,
    window: new Float32Array(n).fill(1),
    bins,
    numbers: 2 * bins.length,
    isByFrame: true,
    isPower: false,
    output: [...shape.slice(0, -2), bins.length, 2],
    macs: 0,
  };
  return site.draft.add(site.layer, spectrum("DFT", layer), [x]);
};

export const SIGNAL_LAYERS: Readonly<Record<string, NodeLowering>> = { STFT: stft, DFT: dft };
