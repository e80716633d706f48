// The project's own conformance set, made from the float64 reference: folders like those of ONNX's backend tests below
// operators/, and whole networks with references below models/ and refs/. Committed as test/conformance, which
// test/conformance-set.test.ts holds to what is made here.
import { ALONG, BEFORE, integers, type OperatorNode, SLOPE, type Value, VECTORS } from "./conformance-vectors.js";
import { type Constant, ELEMENTS, onnxFile, tensorFile, typed } from "./onnx-file.js";
import { fill } from "./random.js";
import * as r from "./reference.js";
import { type Ref, ref } from "./reference.js";

const random = (shape: readonly number[], seed: string): Ref => ref(shape, fill(shape, seed));
const constant = ({ shape, data, type = "float32" }: Value): Constant => typed(type, shape, data);

/** A folder: nodes on one first operand. */
export interface OperatorTest {
  readonly nodes: readonly OperatorNode[];
  /** Operands that are constants of the file, whatever the others are. */
  readonly constants?: readonly Value[];
  readonly opset?: number;
}

const x = random([2, 6, 9, 7], "x");
const w = random([8, 3, 3, 3], "w");
const bias = random([8], "bias");
const depth = random([6, 1, 3, 3], "depth");
const channels = ["mean", "gamma", "beta"].map((name) => random([6], name));
const [mean, gamma, beta] = channels as [Ref, Ref, Ref];
const variance = r.map(random([6], "variance"), (v) => Math.fround(Math.abs(v) + 0.5));
const rows = random([5, 12], "rows");
const matrix = random([7, 12], "matrix");

/** One node each, operator set 17; by the name of the folder. */
const SINGLE: Readonly<Record<string, OperatorNode>> = {
  conv_groups_strided: {
    op: "Conv",
    inputs: [x, w, bias],
    attributes: { group: 2, strides: [2, 1], pads: [1, 0, 2, 1] },
    output: r.conv2d(x, w, bias, { groups: 2, stride: [2, 1], padding: [1, 0, 2, 1] }),
  },
  conv_depthwise_dilated: {
    op: "Conv",
    inputs: [x, depth],
    attributes: { group: 6, dilations: [2, 2], pads: [2, 2, 2, 2] },
    output: r.conv2d(x, depth, null, { groups: 6, dilation: [2, 2], padding: [2, 2, 2, 2] }),
  },
  conv_transpose: {
    op: "ConvTranspose",
    inputs: [x, random([6, 4, 3, 3], "up")],
    attributes: { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
    output: r.convTranspose2d(x, random([6, 4, 3, 3], "up"), null, {
      stride: [2, 2],
      padding: [1, 1, 1, 1],
      outputPadding: [1, 1],
    }),
  },
  max_pool_ceil: {
    op: "MaxPool",
    inputs: [x],
    attributes: { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 0], ceil_mode: 1 },
    output: r.maxPool2d(x, { kernel: [3, 2], stride: [2, 2], padding: [1, 0, 1, 0], ceilMode: true }),
  },
  average_pool_excluding_padding: {
    op: "AveragePool",
    inputs: [x],
    attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
    output: r.avgPool2d(x, { kernel: [3, 3], stride: [1, 1], padding: [1, 1, 1, 1], countIncludePad: false }),
  },
  global_average_pool: { op: "GlobalAveragePool", inputs: [x], output: r.globalAvgPool(x) },
  batch_normalization: {
    op: "BatchNormalization",
    inputs: [x, gamma, beta, mean, variance],
    attributes: { epsilon: { float: 0.001 } },
    output: r.batchNorm(x, mean, variance, gamma, beta, Math.fround(0.001)),
  },
  gemm_transposed: {
    op: "Gemm",
    inputs: [rows, matrix, random([7], "c")],
    attributes: { transB: 1 },
    output: r.linear(rows, matrix, random([7], "c")),
  },
  softmax_channels: { op: "Softmax", inputs: [x], attributes: { axis: 1 }, output: r.softmax(x, 1) },
  sigmoid: { op: "Sigmoid", inputs: [x], output: r.sigmoid(x) },
  hard_swish: { op: "HardSwish", inputs: [x], output: r.hardSwish(x) },
  prelu_channels: {
    op: "PRelu",
    inputs: [x, random([6, 1, 1], "slope")],
    output: r.prelu(x, random([6], "slope")),
  },
  add_broadcast: {
    op: "Add",
    inputs: [x, random([6, 1, 1], "shift")],
    output: r.add(x, random([6, 1, 1], "shift")),
  },
  concat_channels: {
    op: "Concat",
    inputs: [x, r.relu(x)],
    attributes: { axis: 1 },
    output: r.concat([x, r.relu(x)], 1),
  },
  transpose_to_channels_last: {
    op: "Transpose",
    inputs: [x],
    attributes: { perm: [0, 2, 3, 1] },
    output: r.transpose(x, [0, 2, 3, 1]),
  },
};
const sizes = integers(0, -1);

/** By the name of the folder. */
export const OPERATORS: Readonly<Record<string, OperatorTest>> = {
  ...Object.fromEntries(Object.entries(SINGLE).map(([name, node]) => [name, { nodes: [node] }])),
  reshape: {
    nodes: [{ op: "Reshape", inputs: [x, sizes], output: r.reshape(x, [2, 378]) }],
    constants: [sizes],
  },
  ...Object.fromEntries(Object.entries(VECTORS).map(([name, nodes]) => [name, { nodes, opset: 20 }])),
  before_operands: { nodes: BEFORE, opset: 9 },
  along_an_axis: { nodes: ALONG, opset: 6 },
  prelu_before_broadcasting: { nodes: SLOPE, opset: 6 },
};

/** The operands that a run gives, first the one that all nodes have. */
export function operandsOf({ nodes, constants = [] }: OperatorTest): readonly Value[] {
  const all = nodes.flatMap(({ inputs }) => inputs.filter((value) => value !== null));
  return [...new Set(all)].filter((value) => !constants.includes(value));
}

/** The outputs of all nodes. */
export const outputsOf = ({ nodes }: OperatorTest): readonly Value[] =>
  nodes.flatMap(({ output, more = [] }) => [output, ...more]);

/** What an element may be off, absolutely and as a share of what is expected; whole numbers are exact. */
export function toleranceOf({ type = "float32" }: Value): {
  readonly rtol: number;
  readonly atol: number;
} {
  return type === "float32" ? { rtol: 1e-5, atol: 1e-5 } : { rtol: 0, atol: 0 };
}

/** The operator as a model. A run gives all operands, the first one alone, or none. */
export function operatorFile(test: OperatorTest, given: "all" | "first" | "none" = "all"): Uint8Array {
  const { nodes, constants = [], opset = 17 } = test;
  const names = new Map<Value, string>();
  for (const [i, value] of operandsOf(test).entries()) names.set(value, `input${i}`);
  for (const [i, value] of constants.entries()) names.set(value, `constant${i}`);
  const results = outputsOf(test);
  const outputs = results.map((_, i) => (results.length === 1 ? "output" : `output${i}`));
  const free = operandsOf(test).slice(0, { all: undefined, first: 1, none: 0 }[given]);
  const codeOf = ({ type = "float32" }: Value) => ELEMENTS[type][0];
  const types = [
    ...free.map((value) => [names.get(value), codeOf(value)]),
    ...results.map((value, i) => [outputs[i], codeOf(value)]),
  ];
  return onnxFile({
    nodes: nodes.map(({ op, inputs, attributes = {}, output, more = [] }) => ({
      op,
      inputs: inputs.map((value) => (value === null ? "" : (names.get(value) as string))),
      outputs: [output, ...more].map((value) => outputs[results.indexOf(value)] as string),
      attributes,
    })),
    inputs: Object.fromEntries(free.map((value) => [names.get(value), value.shape])),
    types: Object.fromEntries(types),
    constants: Object.fromEntries(
      [...names].filter(([value]) => !free.includes(value)).map(([value, name]) => [name, constant(value)]),
    ),
    outputs,
    opset,
  });
}

/** image ─▶ conv, relu ─▶ depthwise, batch norm, clip ─▶ 1x1 + residual ─▶ max pool ─▶ mean ─▶ gemm ─▶ softmax */
function residualNetwork(): { file: Uint8Array; run(image: Ref): Ref[] } {
  const weights = {
    stem: random([6, 3, 3, 3], "stem"),
    stemBias: random([6], "stem bias"),
    depth,
    gamma,
    beta,
    mean,
    variance,
    point: random([6, 6, 1, 1], "point"),
    head: random([5, 6], "head"),
  };
  const pads = { pads: [1, 1, 1, 1] };
  const file = onnxFile({
    inputs: { image: [1, 3, 16, 16] },
    outputs: ["logits", "classes"],
    constants: {
      ...Object.fromEntries(Object.entries(weights).map(([name, value]) => [name, constant(value)])),
      zero: { dims: [], data: Float32Array.of(0) },
      six: { dims: [], data: Float32Array.of(6) },
    },
    nodes: [
      { op: "Conv", inputs: ["image", "stem", "stemBias"], outputs: ["c0"], attributes: { ...pads, strides: [2, 2] } },
      { op: "Relu", inputs: ["c0"], outputs: ["r0"] },
      { op: "Conv", inputs: ["r0", "depth"], outputs: ["c1"], attributes: { ...pads, group: 6 } },
      { op: "BatchNormalization", inputs: ["c1", "gamma", "beta", "mean", "variance"], outputs: ["n1"] },
      { op: "Clip", inputs: ["n1", "zero", "six"], outputs: ["r1"] },
      { op: "Conv", inputs: ["r1", "point"], outputs: ["c2"] },
      { op: "Add", inputs: ["c2", "r0"], outputs: ["s2"] },
      { op: "MaxPool", inputs: ["s2"], outputs: ["p"], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
      { op: "GlobalAveragePool", inputs: ["p"], outputs: ["g"] },
      { op: "Flatten", inputs: ["g"], outputs: ["f"] },
      { op: "Gemm", inputs: ["f", "head"], outputs: ["logits"], attributes: { transB: 1 } },
      { op: "Softmax", inputs: ["logits"], outputs: ["classes"] },
    ],
  });
  const padding = [1, 1, 1, 1] as const;
  return {
    file,
    run(image) {
      const r0 = r.relu(r.conv2d(image, weights.stem, weights.stemBias, { stride: [2, 2], padding }));
      const c1 = r.conv2d(r0, depth, null, { groups: 6, padding });
      const r1 = r.clip(r.batchNorm(c1, mean, variance, gamma, beta, 1e-5), 0, 6);
      const s2 = r.add(r.conv2d(r1, weights.point, null), r0);
      const pooled = r.globalAvgPool(r.maxPool2d(s2, { kernel: [2, 2], stride: [2, 2] }));
      const logits = r.linear(r.flatten(pooled), weights.head, null);
      return [logits, r.softmax(logits)];
    },
  };
}

/** A quantised 3x3 convolution: DequantizeLinear of input and weights, Conv, QuantizeLinear and back. */
function quantizedNetwork(): { file: Uint8Array; run(image: Ref): Ref[] } {
  const [step, zero] = [1 / 16, 128];
  const codes = Uint8Array.from(fill([4, 3, 3, 3], "codes"), (v) => Math.round(v * 100) + 128);
  const weight = ref(
    [4, 3, 3, 3],
    Float64Array.from(codes, (code) => (code - 128) / 64),
  );
  const scalar = (value: number): Constant => ({ dims: [], data: Float32Array.of(value) });
  const point = (value: number): Constant => ({ dims: [], data: Uint8Array.of(value) });
  const file = onnxFile({
    inputs: { image: [1, 3, 8, 8] },
    outputs: ["y"],
    constants: {
      codes: { dims: [4, 3, 3, 3], data: codes },
      weightStep: scalar(1 / 64),
      step: scalar(step),
      zero: point(zero),
    },
    nodes: [
      { op: "QuantizeLinear", inputs: ["image", "step", "zero"], outputs: ["q"] },
      { op: "DequantizeLinear", inputs: ["q", "step", "zero"], outputs: ["d"] },
      { op: "DequantizeLinear", inputs: ["codes", "weightStep", "zero"], outputs: ["w"] },
      { op: "Conv", inputs: ["d", "w"], outputs: ["c"], attributes: { pads: [1, 1, 1, 1] } },
      { op: "QuantizeLinear", inputs: ["c", "step", "zero"], outputs: ["p"] },
      { op: "DequantizeLinear", inputs: ["p", "step", "zero"], outputs: ["y"] },
    ],
  });
  const [quantum, origin] = [ref([], [step]), ref([], [zero])];
  const quantised = (value: Ref) => r.dequantize(r.quantize(value, quantum, origin, [0, 255]), quantum, origin);
  return { file, run: (image) => [quantised(r.conv2d(quantised(image), weight, null, { padding: [1, 1, 1, 1] }))] };
}

/** A .npy file of float32. Source: NumPy's NEP 1, version 1.0. */
function npyFile({ shape, data }: Ref): Uint8Array {
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.map((size) => `${size},`).join(" ")}), }`;
  const header = `${dictionary.padEnd(Math.ceil((dictionary.length + 11) / 64) * 64 - 11)}\n`;
  const prefix = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8);
  return Buffer.concat([prefix, Buffer.from(header, "latin1"), Buffer.from(Float32Array.from(data).buffer)]);
}

/** Every file of the set, by its path. */
export function conformanceSet(): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const [name, test] of Object.entries(OPERATORS)) {
    files.set(`operators/${name}/model.onnx`, operatorFile(test));
    const data = `operators/${name}/test_data_set_0`;
    for (const [i, input] of operandsOf(test).entries())
      files.set(`${data}/input_${i}.pb`, tensorFile(constant(input)));
    if (!Object.hasOwn(SINGLE, name)) {
      const { rtol, atol } = toleranceOf(outputsOf(test)[0] as Value);
      files.set(`operators/${name}/data.json`, Buffer.from(`{ "rtol": ${rtol}, "atol": ${atol} }\n`));
    }
    for (const [i, output] of outputsOf(test).entries())
      files.set(`${data}/output_${i}.pb`, tensorFile(constant(output)));
  }
  for (const [name, { file, run }] of Object.entries({
    "residual-float": residualNetwork(),
    "conv-qdq": quantizedNetwork(),
  })) {
    files.set(`models/${name}.onnx`, file);
    const image = random(name === "conv-qdq" ? [1, 3, 8, 8] : [1, 3, 16, 16], `${name} image`);
    files.set(`refs/${name}/seed/input_0.npy`, npyFile(image));
    for (const [i, output] of run(image).entries()) files.set(`refs/${name}/seed/output_${i}.npy`, npyFile(output));
  }
  return files;
}
