// Layers of bench:int8 in one binary: node bench/int8-child.mjs '<job as JSON>'; progress to stderr, the last line of stdout is the
// result.
import { exactParts } from "../build/js/onnx/layers/int8/fits.js";
import { convolution } from "../build/js/onnx/layers/int8/product.js";
import { progressBar } from "../scripts/progress.mjs";
import { timeInTurns } from "./harness.mjs";
import { only, ort, planOf, rt, session, timing, variant } from "./int8-start.mjs";
import { fileOf } from "./peers/fuzz/file.mjs";

/** name: [size, C, M, taps, stride]: those of ResNet and ShuffleNet, and first layers. */
const LAYERS = {
  "3x3 64@56": [56, 64, 64, 3, 1],
  "3x3 128@28": [28, 128, 128, 3, 1],
  "3x3 256@14": [14, 256, 256, 3, 1],
  "3x3 512@7": [7, 512, 512, 3, 1],
  "3x3 s2 128@56": [56, 128, 128, 3, 2],
  "1x1 256-64@56": [56, 256, 64, 1, 1],
  "1x1 116-116@28": [28, 116, 116, 1, 1],
  "1x1 24-144@56": [56, 24, 144, 1, 1],
  "1x1 1024-256@14": [14, 1024, 256, 1, 1],
  "7x7 s2 3-64@224": [224, 3, 64, 7, 2],
};

/** Whole numbers from low to high, the same in every process. */
function numbers(low, high) {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + Math.floor((state / 2 ** 32) * (high - low + 1));
  };
}

function caseOf([size, C, M, taps, stride]) {
  const pad = taps >> 1;
  const out = Math.floor((size + 2 * pad - taps) / stride) + 1;
  const terms = C * taps * taps;
  const [byte, weight, bias] = [numbers(0, 255), numbers(-90, 90), numbers(-2000, 2000)];
  return {
    ...{ size, C, M, taps, stride, pad, out, macs: out * out * M * terms },
    x: Uint8Array.from({ length: size * size * C }, byte), // channels-last
    w: Int8Array.from({ length: M * terms }, weight),
    bias: Int32Array.from({ length: M }, bias),
    scale: Float32Array.from({ length: M }, (_, m) => (1 + (m % 7) / 7) / (60 * Math.sqrt(terms))),
    xZero: 3,
    yZero: 110,
  };
}

/** Channels last to channels first. */
function turned(data, pixels, C) {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < pixels; i++) for (let c = 0; c < C; c++) out[c * pixels + i] = data[i * C + c];
  return out;
}

/** The layer on our kernels, as `algorithm` has it; undefined where that does not do it. */
function ofBytes(c, algorithm) {
  const { size, C, M, taps, stride, pad, out, x, w, bias, scale, xZero, yZero } = c;
  if (algorithm === "winograd43" && (taps !== 3 || stride !== 1)) return undefined;
  const operator = convolution({
    strides: [stride, stride],
    padding: [pad, pad, pad, pad],
    dilations: [1, 1],
    groups: 1,
    xZero,
    wZero: [0],
    ending: { type: "uint8", scale, zero: yZero, low: 0, high: 255 },
    parts: exactParts(xZero, { data: w, zero: [0], filters: M }, C),
    algorithm,
  });
  const lastOf = (data, shape) => rt.tensor(data, shape, { memoryFormat: "channelsLast" });
  const [input, output] = [lastOf(x, [1, C, size, size]), lastOf(new Uint8Array(out * out * M), [1, M, out, out])];
  const params = [rt.tensor(w, [M, C, taps, taps]), rt.tensor(bias, [M])];
  const plan = planOf(operator, [input], params);
  return { run: () => plan.run(input, output), bytes: () => output.data.slice(), algorithm: plan.describe().algorithm };
}

function ofFloats({ size, C, M, taps, stride, pad, out }, algorithm) {
  if (algorithm === "winograd43" && (taps !== 3 || stride !== 1)) return undefined;
  const filled = (shape, memoryFormat) => {
    const value = numbers(-100, 100);
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => value() / 100);
    return rt.tensor(data, shape, { memoryFormat });
  };
  const input = [1, C, size, size];
  const [x, y] = [filled(input, "channelsLast"), filled([1, M, out, out], "channelsLast")];
  const plan = rt.plan.conv2d({
    ...{ input, memoryFormat: "channelsLast", weight: filled([M, C, taps, taps]), bias: filled([M]) },
    ...{ padding: pad, stride, algorithm },
  });
  return { run: () => plan.run(x, y) };
}

async function ofWeb({ size, C, M, taps, stride, pad, out, x, w, bias, scale, xZero, yZero }) {
  const fixed = (name, type, shape, data) => ({ name, type, shape, data, constant: true });
  const one = (name, type, value) => fixed(name, type, [], value);
  const file = fileOf({
    op: "QLinearConv",
    opset: 13,
    attributes: { kernel_shape: [taps, taps], strides: [stride, stride], pads: [pad, pad, pad, pad] },
    inputs: [
      { name: "x", type: "uint8", shape: [1, C, size, size] },
      one("xs", "float32", Float32Array.of(1)),
      one("xz", "uint8", Uint8Array.of(xZero)),
      fixed("w", "int8", [M, C, taps, taps], w),
      fixed("ws", "float32", [M], scale),
      fixed("wz", "int8", [M], new Int8Array(M)),
      one("ys", "float32", Float32Array.of(1)),
      one("yz", "uint8", Uint8Array.of(yZero)),
      fixed("b", "int32", [M], bias),
    ],
    outputs: ["y"],
  });
  const web = await ort.InferenceSession.create(file, session);
  const input = { x: new ort.Tensor("uint8", turned(x, size * size, C), [1, C, size, size]) };
  const { y } = await web.run(input);
  return {
    isAsync: true,
    run: () => web.run(input),
    bytes: turned(y.data, M, out * out),
    release: () => web.release(),
  };
}

const chosen = Object.entries(LAYERS).filter(([name]) => new RegExp(only).test(name));
const bar = progressBar(`bench:int8 ${variant}`, chosen.length);
const rows = [];
for (const [i, [layer, sizes]] of chosen.entries()) {
  bar(i);
  const c = caseOf(sizes);
  const web = await ofWeb(c);
  const ours = Object.fromEntries(
    ["auto", "product", "winograd43"].map((algorithm) => [algorithm, ofBytes(c, algorithm)]),
  );
  for (const [algorithm, side] of Object.entries(ours)) {
    side?.run();
    const got = side?.bytes();
    const at = got?.findIndex((byte, k) => byte !== web.bytes[k]);
    if (side && at >= 0) throw new Error(`${layer}, ${algorithm}: ${got[at]} for ${web.bytes[at]} at ${at}`);
  }
  const sides = [
    ...Object.entries(ours),
    ["float gemm", ofFloats(c, "implicit-gemm")],
    ["float winograd43", ofFloats(c, "winograd43")],
    ["web", web],
  ].flatMap(([name, side]) => (side ? [{ name, run: side.run, isAsync: side.isAsync }] : []));
  const times = Object.fromEntries(await timeInTurns(sides, timing));
  rows.push({ layer, macs: c.macs, algorithm: ours.auto.algorithm, times });
  await web.release();
}
bar(chosen.length);
console.log(JSON.stringify({ variant, node: process.versions.node, int8: rt.report().int8, rows }));
process.exit(0); // an engine may keep the process waiting
