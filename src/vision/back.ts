// From tensors back to pictures: colours, masks, and pictures of another size.
import { knownOptions, type Pair, pair } from "../base/check.js";
import { ShapeError, show } from "../base/errors.js";
import type { DType } from "../base/spec.js";
import { OWNER, Tensor } from "../plan/tensor.js";
import { internalsOf, type Runtime, requireRuntime } from "../runtime/runtime.js";
import { geometryOf, shown } from "./geometry.js";
import { channelsIn, infoOf, MOST_SIDE, type Picture, type RawPicture, type RgbaPicture } from "./picture/picture.js";
import { ByteRows, SampledRows } from "./picture/rows.js";
import { lumaMerged, yCbCrOf } from "./picture/ycbcr.js";
import { type Binary, type KernelOptions, type Kernels, kernelsOf } from "./resample/binary.js";
import { Resampler, type Sampling, type Store } from "./resample/resampler.js";
import { identityTaps, tableOf, tapsOf } from "./resample/taps.js";
import { checkedSpec, ORDERS, type PreprocessSpec, SPEC_KEYS } from "./spec.js";
import { type Affine, after, View } from "./view.js";

/** How a picture is made smaller or larger. */
export interface ResizeOptions extends Pick<PreprocessSpec, "filter" | "antialias">, KernelOptions {}

/** Bytes of a picture as they are. */
const bytesOf = (alpha: Store["alpha"]): Store => ({
  ...{ element: "uint8", channels: 4, isPlanar: false, fills: [] },
  ...{ factors: [1, 1, 1, 1], addends: [0, 0, 0, 0], order: ORDERS.rgba, alpha },
});
const GREY: Store = { ...bytesOf(undefined), channels: 1, isPlanar: true, factors: [1], addends: [0], order: [0] };

function resized(
  kernels: Kernels,
  image: Picture | RawPicture,
  [height, width]: readonly [number, number],
  options: ResizeOptions,
): RgbaPicture {
  const channels = channelsIn(image);
  const info = infoOf(image);
  const { filter, antialias } = options;
  const spec = checkedSpec({ size: [height, width], scale: 1, channels: "rgba", filter, antialias }, undefined);
  const source = { width: info.width, height: info.height, channels, orientation: 1, region: undefined };
  const { sampling, isSame } = geometryOf(spec, source, width, height);
  const store = bytesOf(isSame || spec.filter === "nearest" ? undefined : "premultiplied");
  const resampler = new Resampler(kernels, sampling, store, true);
  try {
    const data = new Uint8ClampedArray(width * height * 4);
    const rows = new ByteRows(info.width * channels, channels).use(image.data);
    resampler.runBands(rows, (bytes, begin) => data.set(bytes, begin * width * 4));
    return { data, width, height };
  } finally {
    resampler.dispose();
  }
}

/** resizeImage() of an entry that has its binary so. */
export const makeResizeImage =
  (binary: Binary) =>
  (runtime: Runtime, image: Picture | RawPicture, size: Pair, options: ResizeOptions = {}): RgbaPicture => {
    requireRuntime(runtime);
    knownOptions("resize options", options, ["filter", "antialias", "wasm"]);
    const sides = pair("size", size, 1);
    if (Math.max(...sides) > MOST_SIDE)
      throw new RangeError(`"size" expected sides up to ${MOST_SIDE}, got ${show(size)}`);
    return resized(kernelsOf(runtime, binary, options.wasm), image, sides, options);
  };

/** Elements of a tensor of a picture, and how they lie: [1, C, H, W], [1, H, W, C], [1, H, W] or [H, W]. */
function planesOf(name: string, runtime: Runtime, tensor: unknown) {
  if (!(tensor instanceof Tensor) || tensor[OWNER].engine !== internalsOf(runtime).engine)
    throw new TypeError(
      `"${name}" expected a tensor of this runtime, got ${tensor instanceof Tensor ? "another runtime's" : show(tensor)}`,
    );
  const { shape, data, memoryFormat } = tensor;
  const wrong = () =>
    new ShapeError(`"${name}" expected [1, C, H, W] or [1, H, W, C] with 1, 3 or 4 channels, got ${show(shape)}`);
  if (tensor.dtype === "int64" || tensor.dtype === "uint64")
    throw new TypeError(`"${name}" expected numbers, got ${tensor.dtype}`);
  const is = (size: number | undefined) => size === 1 || size === 3 || size === 4;
  const four = shape.length === 2 ? [1, 1, ...shape] : shape.length === 3 ? [1, ...shape] : shape;
  const [n, first, second = 0, last = 0] = four;
  if (four.length !== 4 || n !== 1 || (!is(first) && !is(last))) throw wrong();
  const isFirst = is(first);
  const [channels, height, width] = isFirst ? [first as number, second, last] : [last, first as number, second];
  const isPlanar = isFirst && memoryFormat === "contiguous";
  if (!isFirst && memoryFormat !== "contiguous") throw wrong();
  return { data: data as Float32Array, channels, height, width, isPlanar };
}

/**
 * A tensor of a picture as RGBA bytes: (value * std + mean) / scale, rounded, halves to even, and clipped; the reverse of what
 * these numbers do in preprocess(), so that a preset may be given. Shapes: [1, C, H, W] in either memory format, [1, H, W, C].
 *
 * @throws TypeError for what is no tensor of this runtime, ShapeError for one that is no picture, RangeError, DisposedError.
 */
export function toImage(runtime: Runtime, tensor: Tensor<DType>, options: PreprocessSpec): RgbaPicture {
  requireRuntime(runtime);
  knownOptions("image options", options, SPEC_KEYS);
  const planes = planesOf("tensor", runtime, tensor);
  const { scale, mean, std, channels } = checkedSpec(options, planes.channels);
  if (scale === 0) throw new RangeError(`"scale" expected no 0, got 0`);
  if (ORDERS[channels].length !== planes.channels)
    throw new ShapeError(`"channels" expected what the tensor has, ${planes.channels}, got ${channels}`);
  const { data, width, height, isPlanar } = planes;
  const out = new Uint8ClampedArray(width * height * 4).fill(255);
  const [pixel, plane] = isPlanar ? [1, width * height] : [planes.channels, 1];
  for (let c = 0; c < planes.channels; c++) {
    const [factor, addend] = [(std[c] as number) / scale, (mean[c] as number) / scale];
    const to = (ORDERS[channels] as readonly number[])[c] as number;
    for (let i = 0; i < width * height; i++)
      out[4 * i + to] = (data[i * pixel + c * plane] as number) * factor + addend;
  }
  if (planes.channels === 1) for (let i = 0; i < out.length; i += 4) out[i + 1] = out[i + 2] = out[i] as number;
  return { data: out, width, height };
}

/** One channel as bytes: of a tensor from 0 to 1, or of a grey picture. */
function greyOf(name: string, runtime: Runtime, given: Tensor<DType> | Picture) {
  if (!(given instanceof Tensor) && ArrayBuffer.isView((given as Picture)?.data)) {
    if (channelsIn(given as Picture) === 1) return given as Picture;
    throw new ShapeError(`"${name}" expected one channel, got ${channelsIn(given as Picture)}`);
  }
  const { data, channels, width, height } = planesOf(name, runtime, given);
  if (channels !== 1) throw new ShapeError(`"${name}" expected one channel, got ${channels}`);
  return { data: Uint8ClampedArray.from(data, (value) => value * 255), width, height };
}

/** mergeLuma() of an entry that has its binary so. */
export const makeMergeLuma =
  (binary: Binary) =>
  (
    runtime: Runtime,
    image: Picture | RawPicture,
    luma: Tensor<DType> | Picture,
    options: KernelOptions = {},
  ): RgbaPicture => {
    requireRuntime(runtime);
    knownOptions("merge options", options, ["wasm"]);
    channelsIn(image);
    const { data, width, height } = greyOf("luma", runtime, luma);
    const kernels = kernelsOf(runtime, binary, options.wasm);
    return lumaMerged(data, resized(kernels, yCbCrOf(image), [height, width], { filter: "bicubic" }));
  };

/** From the photo's pixels to the mask's: tables where both lie alike, else a map that is sampled. */
function maskSampling(toMask: Affine, [w, h]: readonly [number, number], [W, H]: readonly [number, number]) {
  const [a, b, c, d, e, f] = toMask;
  const common = { channels: 1, outWidth: W, outHeight: H };
  if (b !== 0 || c !== 0 || a <= 0 || d <= 0) {
    const sampling: Sampling = {
      ...{ ...common, width: W, height: H, left: 0, top: 0 },
      columns: tableOf(identityTaps(W), W, 4),
      rows: tableOf(identityTaps(H), H, 2),
    };
    return { sampling, sampled: after([1, 0, 0, 1, 0.5, 0.5], toMask) };
  }
  const x = { size: w, from: e, to: e + a * W };
  const y = { size: h, from: f, to: f + d * H };
  const [left, right] = shown(x, W, 0, W);
  const [top, bottom] = shown(y, H, 0, H);
  const taps = tapsOf(
    { ...x, outSize: W, first: left, count: right - left },
    { ...y, outSize: H, first: top, count: bottom - top },
    "bilinear",
    true,
  );
  const sampling: Sampling = {
    ...{ ...common, width: w, height: h, left, top },
    columns: tableOf(taps[0], w, 4),
    rows: tableOf(taps[1], h, 2),
  };
  return { sampling, sampled: undefined };
}

/** applyMask() of an entry that has its binary so. */
export const makeApplyMask =
  (binary: Binary) =>
  (
    runtime: Runtime,
    image: Picture | RawPicture,
    mask: Tensor<DType> | Picture,
    view: View,
    options: KernelOptions = {},
  ): RgbaPicture => {
    requireRuntime(runtime);
    knownOptions("mask options", options, ["wasm"]);
    const channels = channelsIn(image);
    const { width, height } = infoOf(image);
    if (!(view instanceof View)) throw new TypeError(`"view" expected the view of a run, got ${show(view)}`);
    if (view.width !== width || view.height !== height)
      throw new ShapeError(
        `"image" expected the ${view.width} x ${view.height} pixels of the view, got ${width} x ${height}`,
      );
    const grey = greyOf("mask", runtime, mask);
    const scale: Affine = [grey.width / view.modelWidth, 0, 0, grey.height / view.modelHeight, 0, 0];
    const toMask = after(view.inverse, scale);
    const { sampling, sampled } = maskSampling(toMask, [grey.width, grey.height], [width, height]);
    const kernels = kernelsOf(runtime, binary, options.wasm);
    const resampler = new Resampler(kernels, sampling, GREY, true);
    try {
      const data = rgbaOf(image, channels);
      const rows = sampled
        ? new SampledRows(sampled, [grey.width, grey.height, 1], width, 0)
        : new ByteRows(grey.width, 1);
      resampler.runBands(rows.use(grey.data), (bytes, begin) => {
        let at = begin * width * 4 + 3;
        for (let i = 0; i < bytes.length; i++, at += 4) data[at] = ((data[at] as number) * (bytes[i] as number)) / 255;
      });
      return { data, width, height };
    } finally {
      resampler.dispose();
    }
  };

/** A copy with four bytes a pixel. */
function rgbaOf({ data }: Picture | RawPicture, channels: number): Uint8ClampedArray<ArrayBuffer> {
  if (channels === 4) return new Uint8ClampedArray(data);
  const out = new Uint8ClampedArray((data.length / channels) * 4);
  for (let i = 0, from = 0; i < out.length; i += 4, from += channels) {
    out[i] = data[from] as number;
    out[i + 1] = data[channels === 1 ? from : from + 1] as number;
    out[i + 2] = data[channels === 1 ? from : from + 2] as number;
    out[i + 3] = 255;
  }
  return out;
}
