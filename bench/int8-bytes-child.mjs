// What stands between products of bench:int8, in one binary: node bench/int8-bytes-child.mjs '<job as JSON>'; progress to stderr, the last
// line of stdout is the result. Bytes are equal to onnxruntime-web's before anything is timed.
import { depthwise } from "../build/js/onnx/layers/int8/depthwise.js";
import { add, fromFloat, multiply, table } from "../build/js/onnx/layers/int8/elements.js";
import { concat, interleave, resize } from "../build/js/onnx/layers/int8/moves.js";
import { averagePool, globalMean, maxPool } from "../build/js/onnx/layers/int8/pool.js";
import { progressBar } from "../scripts/progress.mjs";
import { timeInTurns } from "./harness.mjs";
import { only, ort, planOf, rt, session, timing, variant } from "./int8-start.mjs";
import { fileOf } from "./peers/fuzz/file.mjs";

const f = Math.fround;
const countOf = (shape) => shape.reduce((a, b) => a * b, 1);
let state = 1;
function next() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const bytes = (count, Type = Uint8Array, low = 0, high = 255) =>
  Type.from({ length: count }, () => low + Math.floor(next() * (high - low + 1)));

/** Of an image, channels first, as it lies channels last, and back. */
const lastOf = (data, [N, C, ...spatial]) => turned(data, N, C, countOf(spatial));
const firstOf = (data, [N, C, ...spatial]) => turned(data, N, countOf(spatial), C);
function turned(data, images, rows, cols) {
  const out = new data.constructor(data.length);
  for (let n = 0; n < images; n++)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < cols; c++) out[(n * cols + c) * rows + r] = data[(n * rows + r) * cols + c];
  return out;
}

const image = (data, shape) => rt.tensor(lastOf(data, shape), shape, { memoryFormat: "channelsLast" });
/** A plan of an operator, and what it writes. */
function planned(operator, inputs, params = []) {
  const plan = planOf(operator, inputs, params);
  const [{ shape, memoryFormat, dtype }] = plan.outputs;
  const output = rt.tensor(new Uint8Array(countOf(shape)), shape, { memoryFormat, dtype });
  return { run: () => plan.run(...inputs, output), bytes: () => firstOf(output.data.slice(), shape) };
}

const one = (name, type, value) => ({ name, type, shape: [], data: value, constant: true });
const scale = (name, value) => one(name, "float32", Float32Array.of(value));
const zero = (name, value) => one(name, "uint8", Uint8Array.of(value));
const input = (name, shape, type = "uint8") => ({ name, type, shape });
const MS = { domain: "com.microsoft", opset: 15, attributes: {} };

async function web(file, feeds) {
  const run = await ort.InferenceSession.create(fileOf({ outputs: ["y"], ...file }), session);
  const given = Object.fromEntries(
    Object.entries(feeds).map(([name, [type, data, shape]]) => [name, new ort.Tensor(type, data, shape)]),
  );
  const { y } = await run.run(given);
  return { run: () => run.run(given), bytes: () => y.data, release: () => run.release() };
}

const floatsOf = (shape) =>
  rt.tensor(Float32Array.from({ length: countOf(shape) }, next), shape, { memoryFormat: "channelsLast" });
/** A float32 operator's plan on operands by name. */
function floats(name, args, ...inputs) {
  const plan = rt.plan[name]({ memoryFormat: "channelsLast", ...args });
  const [{ shape, memoryFormat }] = plan.outputs;
  const output = rt.tensor(new Float32Array(countOf(shape)), shape, { memoryFormat });
  return { run: () => plan.run(...inputs, output) };
}

const SIDES = { strides: [1, 1], dilations: [1, 1], padding: [0, 0, 0, 0] };

function ofDepthwise(C, size, taps, stride) {
  const [shape, pad] = [[1, C, size, size], taps >> 1];
  const x = bytes(countOf(shape));
  const w = bytes(C * taps * taps, Int8Array, -90, 90);
  const bias = bytes(C, Int32Array, -2000, 2000);
  const scales = Float32Array.from({ length: C }, (_, m) => (1 + (m % 7) / 7) / (60 * taps));
  const window = { strides: [stride, stride], dilations: [1, 1], padding: [pad, pad, pad, pad] };
  const ending = { type: "uint8", scale: scales, zero: 110, low: 0, high: 255 };
  return {
    ours: () =>
      planned(
        depthwise({ ...window, xZero: 3, wZero: [0], ending }),
        [image(x, shape)],
        [rt.tensor(w, [C, 1, taps, taps]), rt.tensor(bias, [C])],
      ),
    floats: () => {
      const weight = rt.tensor(Float32Array.from(w), [C, 1, taps, taps]);
      const options = { padding: pad, stride, groups: C, algorithm: "depthwise" };
      return floats(
        "conv2d",
        { input: shape, weight, bias: rt.tensor(Float32Array.from(bias), [C]), ...options },
        floatsOf(shape),
      );
    },
    web: () =>
      web(
        {
          op: "QLinearConv",
          opset: 13,
          attributes: { kernel_shape: [taps, taps], strides: [stride, stride], pads: window.padding, group: C },
          inputs: [
            input("x", shape),
            ...[scale("xs", 1), zero("xz", 3)],
            { name: "w", type: "int8", shape: [C, 1, taps, taps], data: w, constant: true },
            { name: "ws", type: "float32", shape: [C], data: scales, constant: true },
            { name: "wz", type: "int8", shape: [C], data: new Int8Array(C), constant: true },
            ...[scale("ys", 1), zero("yz", 110)],
            { name: "b", type: "int32", shape: [C], data: bias, constant: true },
          ],
        },
        { x: ["uint8", x, shape] },
      ),
  };
}

function ofMaxima(C, size, taps, stride, pad) {
  const shape = [1, C, size, size];
  const x = bytes(countOf(shape));
  const window = { kernel: [taps, taps], strides: [stride, stride], dilations: [1, 1], padding: [pad, pad, pad, pad] };
  const attributes = { kernel_shape: window.kernel, strides: window.strides, pads: window.padding };
  return {
    ours: () => planned(maxPool(window), [image(x, shape)]),
    floats: () => floats("maxPool2d", { input: shape, kernel: taps, stride, padding: pad }, floatsOf(shape)),
    web: () => web({ op: "MaxPool", opset: 12, attributes, inputs: [input("x", shape)] }, { x: ["uint8", x, shape] }),
  };
}

function ofMeans(C, size) {
  const shape = [1, C, size, size];
  const x = bytes(countOf(shape));
  const means = { countIncludePad: false, xScale: f(0.037), xZero: 97, yScale: f(0.051), offset: 31, zero: 0 };
  const attributes = { kernel_shape: [2, 2], strides: [2, 2] };
  const inputs = [
    input("x", shape),
    scale("xs", means.xScale),
    zero("xz", 97),
    scale("ys", means.yScale),
    zero("yz", 31),
  ];
  return {
    ours: () => planned(averagePool({ ...SIDES, kernel: [2, 2], strides: [2, 2], ...means }), [image(x, shape)]),
    floats: () => floats("avgPool2d", { input: shape, kernel: 2, stride: 2 }, floatsOf(shape)),
    web: () => web({ ...MS, op: "QLinearAveragePool", attributes, inputs }, { x: ["uint8", x, shape] }),
  };
}

function ofImages(C, size) {
  const shape = [1, C, size, size];
  const x = bytes(countOf(shape));
  const factor = f(f(0.02) / f(f(0.013) * size * size));
  const inputs = [input("x", shape), scale("xs", f(0.02)), zero("xz", 117), scale("ys", f(0.013)), zero("yz", 60)];
  return {
    ours: () => planned(globalMean({ xZero: 117, factor, zero: 60 }), [image(x, shape)]),
    floats: () => floats("globalAvgPool", { input: shape }, floatsOf(shape)),
    web: () => web({ ...MS, op: "QLinearGlobalAveragePool", inputs }, { x: ["uint8", x, shape] }),
  };
}

/** A sum of equal shapes, or a product with one number a channel. */
function ofPairs(op, C, size) {
  const isSum = op === "add";
  const [shape, other] = [[1, C, size, size], isSum ? [1, C, size, size] : [1, C, 1, 1]];
  const [a, b] = [bytes(countOf(shape)), bytes(countOf(other))];
  const [sa, sb, sc, za, zb, zc] = [f(0.031), f(0.022), f(0.047), 112, 99, 120];
  const [ra, rb] = [f(sa / sc), f(sb / sc)];
  const sum = { ra, rb, fixed: f(zc - f(f(ra * za) + f(rb * zb))), low: 0, high: 255 };
  const product = { aZero: za, bZero: zb, factor: f(f(sa * sb) / sc), offset: zc, zero: 0, low: 0, high: 255 };
  const operands = (name, s, z, of) => [input(name, of), scale(`${name}s`, s), zero(`${name}z`, z)];
  return {
    ours: () => planned(isSum ? add(sum) : multiply(product), [image(a, shape), image(b, other)]),
    floats: () => floats(isSum ? "add" : "mul", { a: shape, b: other }, floatsOf(shape), floatsOf(other)),
    web: () =>
      web(
        {
          ...MS,
          op: isSum ? "QLinearAdd" : "QLinearMul",
          inputs: [...operands("a", sa, za, shape), ...operands("b", sb, zb, other), scale("cs", sc), zero("cz", zc)],
        },
        { a: ["uint8", a, shape], b: ["uint8", b, other] },
      ),
  };
}

function ofTables(C, size) {
  const shape = [1, C, size, size];
  const x = bytes(countOf(shape));
  const entry = (b) => {
    const y = f(f(1 / (1 + f(Math.exp(-f(f(0.04) * (b - 128)))))) * 256);
    const [whole, rest] = [Math.floor(y), y - Math.floor(y)];
    return Math.min(255, rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? whole + 1 : whole);
  };
  const inputs = [input("x", shape), scale("xs", f(0.04)), zero("xz", 128), scale("ys", 1 / 256), zero("yz", 0)];
  return {
    ours: () => planned(table(Uint8Array.from({ length: 256 }, (_, b) => entry(b))), [image(x, shape)]),
    floats: () => floats("sigmoid", { input: shape }, floatsOf(shape)),
    web: () => web({ ...MS, op: "QLinearSigmoid", inputs }, { x: ["uint8", x, shape] }),
  };
}

function ofShuffle(C, size) {
  const [shape, parts] = [
    [1, C, size, size],
    [1, 2, C / 2, size * size],
  ];
  const x = bytes(countOf(shape));
  const attributes = { perm: [0, 2, 1, 3] };
  return {
    ours: () => planned(interleave(2), [image(x, shape)]),
    web: () => web({ op: "Transpose", opset: 13, attributes, inputs: [input("x", parts)] }, { x: ["uint8", x, parts] }),
  };
}

function ofConcat(C, size) {
  const shape = [1, C, size, size];
  const [a, b] = [bytes(countOf(shape)), bytes(countOf(shape))];
  const inputs = [input("a", shape), input("b", shape)];
  return {
    ours: () => planned(concat(1), [image(a, shape), image(b, shape)]),
    floats: () => floats("concat", { inputs: [shape, shape] }, floatsOf(shape), floatsOf(shape)),
    web: () =>
      web(
        { op: "Concat", opset: 13, attributes: { axis: 1 }, inputs },
        { a: ["uint8", a, shape], b: ["uint8", b, shape] },
      ),
  };
}

function ofResize(C, size) {
  const [shape, sizes] = [
    [1, C, size, size],
    [1, C, 2 * size, 2 * size],
  ];
  const x = bytes(countOf(shape));
  const taps = Array.from({ length: 2 * size }, (_, i) => ({ at: [i >> 1], weights: [1] }));
  const attributes = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
  const list = {
    name: "sizes",
    type: "int64",
    shape: [4],
    data: BigInt64Array.from(sizes.map(BigInt)),
    constant: true,
  };
  return {
    ours: () => planned(resize(taps, taps), [image(x, shape)]),
    web: () =>
      web(
        { op: "Resize", opset: 13, attributes, inputs: [input("x", shape), undefined, undefined, list] },
        { x: ["uint8", x, shape] },
      ),
  };
}

function ofEdge(size) {
  const shape = [1, 3, size, size];
  const x = Float32Array.from({ length: countOf(shape) }, () => 6 * next() - 3);
  const inputs = [input("x", shape, "float32"), scale("ys", f(0.0187)), zero("yz", 114)];
  return {
    ours: () => planned(fromFloat({ scale: f(0.0187), zero: 114 }), [rt.tensor(x, shape)]),
    web: () => web({ op: "QuantizeLinear", opset: 13, attributes: {}, inputs }, { x: ["float32", x, shape] }),
  };
}

const CASES = {
  "depthwise 3x3 32@112": () => ofDepthwise(32, 112, 3, 1),
  "depthwise 3x3 s2 96@112": () => ofDepthwise(96, 112, 3, 2),
  "depthwise 3x3 144@56": () => ofDepthwise(144, 56, 3, 1),
  "depthwise 3x3 512@14": () => ofDepthwise(512, 14, 3, 1),
  "depthwise 5x5 72@28": () => ofDepthwise(72, 28, 5, 1),
  "depthwise 5x5 s2 240@28": () => ofDepthwise(240, 28, 5, 2),
  "depthwise 7x7 96@28": () => ofDepthwise(96, 28, 7, 1),
  "maxima 3x3 s2 64@112": () => ofMaxima(64, 112, 3, 2, 1),
  "maxima 5x5 256@20": () => ofMaxima(256, 20, 5, 1, 2),
  "means 2x2 s2 64@56": () => ofMeans(64, 56),
  "means of images 1024@7": () => ofImages(1024, 7),
  "sums 64@56": () => ofPairs("add", 64, 56),
  "products by channel 64@56": () => ofPairs("mul", 64, 56),
  "sigmoid by a table 64@56": () => ofTables(64, 56),
  "two groups in turn 116@28": () => ofShuffle(116, 28),
  "joined 64 + 64@28": () => ofConcat(64, 28),
  "nearest 128@20 to 40": () => ofResize(128, 20),
  "image to bytes 3@224": () => ofEdge(224),
};

const chosen = Object.entries(CASES).filter(([name]) => new RegExp(only).test(name));
const bar = progressBar(`bench:int8 bytes ${variant}`, chosen.length);
const rows = [];
for (const [i, [layer, make]] of chosen.entries()) {
  bar(i);
  const c = make();
  const [ours, peer] = [c.ours(), await c.web()];
  ours.run();
  const [got, wanted] = [ours.bytes(), peer.bytes()];
  const at = got.length === wanted.length ? got.findIndex((byte, k) => byte !== wanted[k]) : 0;
  if (at >= 0) throw new Error(`${layer}: ${got[at]} for ${wanted[at]} at ${at} of ${wanted.length}, ${got.length}`);
  const sides = [
    { name: "bytes", run: ours.run },
    ...(c.floats ? [{ name: "floats", run: c.floats().run }] : []),
    { name: "web", run: peer.run, isAsync: true },
  ];
  rows.push({ layer, times: Object.fromEntries(await timeInTurns(sides, timing)) });
  await peer.release();
}
bar(chosen.length);
console.log(JSON.stringify({ variant, node: process.versions.node, int8: rt.report().int8, rows }));
process.exit(0); // an engine may keep the process waiting
