// What a kernel call is counted as by bench:models --profile, and what it has to do at least: floating-point operations and bytes.
// Descriptors are read by the layouts that the build wrote; which one a kernel takes is in its source.
import { readdirSync, readFileSync } from "node:fs";

const ROOT = new URL("../", import.meta.url);
const read = (path) => readFileSync(new URL(path, ROOT), "utf8");

/** Descriptors by name: fields in the order of memory. */
async function layouts() {
  const found = {};
  const folder = "src/kernels/gen";
  const files = readdirSync(new URL(folder, ROOT), { recursive: true }).filter((file) => file.endsWith("desc.ts"));
  for (const file of files.sort()) {
    const js = read(`${folder}/${file}`)
      .replaceAll(" as const", "")
      .replace(/^import .*$/gm, "");
    Object.assign(found, await import(`data:text/javascript,${encodeURIComponent(js)}`));
  }
  return found;
}

/** Kernels by name: the descriptor that their source reads. */
function descriptors() {
  const found = {};
  for (const file of readdirSync(new URL("assembly/kernels", ROOT))) {
    const [, ...functions] = read(`assembly/kernels/${file}`).split("export function ");
    for (const text of functions) found[/^\w+/.exec(text)[0]] = /changetype<(\w+)>\(desc\)/.exec(text)?.[1];
  }
  return found;
}

/** Answers describe(kernel, desc, i32): a descriptor's values, plus `product`, the length of a matrix product's sums. */
export async function describer() {
  const [layout, descOf] = [await layouts(), descriptors()];
  return (kernel, desc, i32) => {
    const values = {};
    let at = desc >>> 2;
    for (const field in layout[descOf[kernel]] ?? {}) values[field] = i32[at++];
    // Blocks of a reduction: | list | segments | bytes of A a segment | bytes of a panel |, see assembly/lib/gemm.ts.
    const blocks = values.blocksPtr >>> 2;
    values.product = 0;
    for (let b = 0; b < (values.blockCount ?? 0); b++)
      values.product += (i32[blocks + 4 * b + 1] * i32[blocks + 4 * b + 2]) / 4;
    return values;
  };
}

const product = (...sizes) => sizes.reduce((a, b) => a * b, 1);

/** Bytes of images: an element that no window reads counts too, as its cache line is read. */
const imageBytes = (d) => 4 * d.batch * d.channels * d.groups * d.height * d.width;

function convolution(d) {
  const outputs = product(d.batch, d.outH, d.outW, d.filters, d.groups);
  const taps = product(d.channels, d.kernelH, d.kernelW);
  const weights = product(d.filters, d.groups, taps);
  const stride = d.strideH > 1 ? `s${d.strideH}` : "";
  const dilation = d.dilationH > 1 ? `d${d.dilationH}` : "";
  const groups = d.groups > 1 ? `g${d.groups}` : "";
  const channels = `${d.channels * d.groups}-${d.filters * d.groups}`;
  return {
    flops: 2 * outputs * taps,
    bytes: imageBytes(d) + 4 * outputs * (d.residualPtr ? 2 : 1),
    weightBytes: 4 * weights,
    name: `${d.kernelH}x${d.kernelW}${stride}${dilation}${groups} ${channels}@${d.height}x${d.width}`,
  };
}

function byReduction(K, M) {
  const depth = K <= 16 ? "K <= 16" : K <= 32 ? "K 17 to 32" : K <= 64 ? "K 33 to 64" : "K > 64";
  return `1x1, ${depth}, ${M <= 32 ? "M <= 32" : "M > 32"}`;
}

function dense(d) {
  const work = convolution(d);
  const { kernelH, kernelW, channels, groups, filters } = d;
  const strided = d.strideH > 1 || d.strideW > 1;
  if (kernelH * kernelW === 1) return { ...work, class: byReduction(channels, filters) };
  if (channels * groups <= 4) return { ...work, class: "first layers (C <= 4)" };
  return { ...work, class: strided ? "other k x k, strided" : "other k x k" };
}

function depthwise(d) {
  if (d.channels * d.groups <= 4) return dense(d);
  const strided = d.strideH > 1 || d.strideW > 1;
  const isCommon = d.kernelH === 3 && d.kernelW === 3;
  const name = `depthwise ${isCommon ? "3x3" : "other"}${strided ? ", strided" : ""}`;
  return { ...convolution(d), class: name };
}

function separable(d) {
  const half = convolution(d);
  const pixels = d.batch * d.outH * d.outW;
  const between = d.filters * d.groups;
  return {
    flops: half.flops + 2 * pixels * between * d.pointFilters,
    bytes: imageBytes(d) + 4 * pixels * d.pointFilters * (d.outResidualPtr ? 2 : 1),
    weightBytes: half.weightBytes + 4 * between * d.pointFilters,
    class: "separable",
    name: `${half.name}-${d.pointFilters}`,
  };
}

/** Products have operations of their own; what the transforms read and write are the image, the points and the output. */
function winograd(d) {
  const work = convolution(d);
  const tiles = d.batch * Math.ceil(d.outH / d.tileH) * Math.ceil(d.outW / d.tileW);
  const points = (d.tileH + d.kernelH - 1) * (d.tileW + d.kernelW - 1);
  const values = tiles * points * d.groups * (d.channels + d.filters);
  return {
    ...work,
    class: "Winograd",
    algorithm: `winograd${Math.max(d.tileH, d.tileW)}3`,
    productFlops: 2 * product(tiles, points, d.channels, d.filters, d.groups),
    pointBytes: 4 * points * d.channels * d.filters * d.groups,
    transformBytes: work.bytes + 4 * values,
    shape: d,
  };
}

function linear(d) {
  return {
    class: "fully connected",
    flops: 2 * product(d.rows, d.length, d.filters),
    bytes: 4 * d.rows * (d.length + d.filters),
    weightBytes: 4 * d.length * d.filters,
    name: `${d.rows} x ${d.length}-${d.filters}`,
  };
}

function gemm(d, items) {
  const batches = items / d.rows;
  return {
    class: "matrix products",
    flops: 2 * product(items, d.cols, d.product),
    bytes: 4 * items * (d.product + d.cols * (d.residualPtr ? 2 : 1)),
    weightBytes: 4 * product(d.bBatchBytes ? batches : 1, d.product, d.cols),
    name: `${batches > 1 ? `${batches} x ` : ""}${d.rows}x${d.product}x${d.cols}`,
  };
}

function pool(d, items) {
  const batch = items / d.outH;
  return {
    class: "pooling",
    bytes: 4 * batch * d.channels * (d.height * d.width + d.outH * d.outW),
    name: `${d.adaptive ? "adaptive" : `${d.kernelH}x${d.kernelW}s${d.strideH}`} ${d.channels}@${d.height}x${d.width}`,
  };
}

function binary(d, items) {
  const count = d.chunks > 1 ? (items / d.chunks) * d.cols : items * d.rows * d.cols;
  const reads = (d.aStepBytes ? 1 : 0) + (d.bStepBytes ? 1 : 0);
  return { class: "by element", bytes: 4 * count * (1 + reads), name: `${count}` };
}

const elements = (count, bytesEach = 8) => ({ class: "by element", bytes: count * bytesEach, name: `${count}` });
const lines = (count) => ({ class: "normalisation, softmax", bytes: 8 * count, name: `${count}` });
const movement = (bytes, name) => ({ class: "movement", bytes, name });

function copied(d) {
  const sizes = Array.from({ length: 8 }, (_, i) => d[`dim${i}`]);
  const name = sizes.filter((size) => size > 1).join("x");
  return movement(2 * d.elementBytes * product(...sizes), name);
}

function padded(d, items) {
  const batch = items / d.dstHeight;
  const source = d.channels * d.height * d.width;
  const bytes = 4 * batch * (source + d.groups * d.groupChannelsPadded * d.dstHeight * d.dstWidth);
  return movement(bytes, `${d.channels}@${d.height}x${d.width} to ${d.dstHeight}x${d.dstWidth}`);
}

const gathered = (d) => ({
  class: "transposed convolution",
  bytes: 4 * d.filters * (d.height * d.width * d.kernelH * d.kernelW + d.outH * d.outW),
  name: `gather ${d.kernelH}x${d.kernelW}s${d.strideH} ${d.filters}@${d.outH}x${d.outW}`,
});

/** { class, name, flops?, bytes?, weightBytes? } by the kernel's name; a convolution that has no line goes by its shape. */
const WORK = {
  conv2d_winograd_f32: winograd,
  conv2d_depthwise_f32: depthwise,
  conv2d_fft_f32: (d) => ({ ...convolution(d), class: "FFT" }),
  separable_conv2d_f32: separable,
  im2col_f32: (d) => movement(2 * convolution(d).bytes, "patches"),
  gemm_f32: gemm,
  linear_f32: linear,
  linear_panels_f32: linear,
  conv_transpose_gather_f32: gathered,
  max_pool_f32: pool,
  avg_pool_f32: pool,
  global_pool_f32: (d, items) => ({
    class: "pooling",
    bytes: 4 * items * d.length,
    name: `global ${items}x${d.length}`,
  }),
  activation_f32: (d) => elements(d.count),
  convert: (d) => elements(d.count),
  binary_f32: binary,
  typed_binary: binary,
  quantize_f32: (d, items) => elements((items / d.chunks) * d.cols, 5),
  dequantize_f32: (d, items) => elements((items / d.chunks) * d.cols, 5),
  batch_norm_f32: (d, items) => elements(items * (d.inner > 1 ? d.inner : d.channels)),
  softmax_f32: (d, items) => lines(items * d.size * (d.inner > 1 ? 16 : 1)),
  normalise_f32: (d, items) => lines(items * d.length),
  copy_nd: copied,
  pad_image_f32: padded,
  transpose_f32: (d, items) => movement(8 * items * 4 * d.cols, `${d.rows}x${d.cols}`),
  resize_f32: (d) =>
    movement(4 * d.channels * (d.height * d.width + d.outH * d.outW), `resize ${d.channels}@${d.outH}`),
};

/** What a call of `items` work items is counted as, d as describe() answers it. */
export function workOf(kernel, d, items) {
  const work = WORK[kernel]?.(d, items) ?? (d.kernelH && d.filters ? dense(d) : { class: "other kernels", name: "" });
  return { ...work, kernel };
}
