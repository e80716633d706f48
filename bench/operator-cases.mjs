// One case an operator of the standard's that convolutional networks have, more where one of its forms is another's code path:
// operands as exporters write them, data of the network first. A case is { name, op, opset, attributes, operands, outputs }.

const ARRAYS = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
};
/** The newest operator set that both sides read for most operators. */
const OPSET = 20;
const IMAGE = [1, 64, 56, 56];
const MATRIX = [512, 512];

let seed = 1;
/** From 0 up to 1, the same in every process. */
function random() {
  seed = (seed * 48271) % 2147483647;
  return (seed - 1) / 2147483646;
}

function operand(type, shape, value) {
  const count = shape.reduce((product, size) => product * size, 1);
  const data = new ARRAYS[type](count);
  for (let i = 0; i < count; i++) data[i] = type === "int64" ? BigInt(Math.floor(value(i))) : value(i);
  return { type, shape, data };
}

/** Numbers from low to high. */
const floats = (shape = IMAGE, low = -1, high = 1) => operand("float32", shape, () => low + (high - low) * random());
const whole = (type, shape, low, high) => operand(type, shape, () => low + Math.floor((high - low) * random()));
const bools = (shape = IMAGE) => whole("bool", shape, 0, 2);
const list = (...values) => fixed(operand("int64", [values.length], (i) => values[i]));
const number = (value, type = "float32") => fixed(operand(type, [], () => value));
/** A constant of the file. */
const fixed = (of) => ({ ...of, isConstant: true });

const cases = [];
/** name: the operator, then what form of it. */
function add(name, operands, attributes = {}, { opset = OPSET, outputs = 1, tolerance = 1e-4 } = {}) {
  cases.push({
    name,
    op: name.split(/[ ,]/)[0],
    opset,
    attributes,
    tolerance,
    operands: operands.map((of, i) => of && { ...of, name: `x${i}` }),
    outputs: Array.from({ length: outputs }, (_, i) => `y${i}`),
  });
}

function byElement() {
  for (const op of [
    "Abs",
    "Ceil",
    "Cos",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Mish",
  ])
    add(op, [floats(IMAGE, -3, 3)]);
  for (const op of ["Neg", "Relu", "Selu", "Celu", "Shrink", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Tanh"])
    add(op, [floats(IMAGE, -3, 3)]);
  for (const op of ["Log", "Reciprocal", "Sqrt"]) add(op, [floats(IMAGE, 0.1, 3)]);
  add("ThresholdedRelu", [floats(IMAGE, -3, 3)]);
  add("Swish", [floats(IMAGE, -3, 3)], {}, { opset: 24 });
  add("Identity", [floats()]);
  add("Dropout", [floats()]);
  add("Clip", [floats(), number(-0.5), number(0.5)]);
  add("PRelu", [floats(), fixed(floats([64, 1, 1]))]);
  for (const op of ["Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum"]) {
    add(op, [floats(IMAGE, 1, 2), floats(IMAGE, 1, 2)]);
    if (op !== "Sum" && op !== "Mean") add(`${op} by channel`, [floats(IMAGE, 1, 2), floats([1, 64, 1, 1], 1, 2)]);
  }
  for (const op of ["Add", "Mul", "Div"])
    add(`${op} int64`, [whole("int64", MATRIX, 1, 100), whole("int64", MATRIX, 1, 100)]);
  add("Add int32", [whole("int32", MATRIX, 1, 100), whole("int32", MATRIX, 1, 100)]);
  add("Mod fmod", [floats(IMAGE, 1, 9), floats(IMAGE, 1, 3)], { fmod: 1 });
  add("Mod int32", [whole("int32", MATRIX, -50, 50), whole("int32", MATRIX, 1, 9)]);
  add("Mod int64", [whole("int64", MATRIX, -50, 50), number(7, "int64")]);
  add("Pow", [floats(IMAGE, 0.1, 2), floats(IMAGE, -2, 2)]);
  add("Pow by 1.7", [floats(IMAGE, 0.1, 2), number(1.7)]);
  add("Pow squared", [floats(), number(2)]);
  for (const op of ["And", "Or"]) add(op, [bools(), bools()]);
  for (const op of ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]) {
    add(op, [floats(), floats()]);
    add(`${op} one number`, [floats(), number(0.25)]);
  }
  add("Equal int64", [whole("int64", MATRIX, 0, 9), number(3, "int64")]);
  add("Where", [bools(), floats(), floats()]);
  add("Where one number", [bools([1, 1, 256, 256]), number(-1e9), floats([1, 4, 256, 256])]);
  add("Where by row", [bools([1, 256, 1]), floats([8, 256, 64]), floats([64])]);
  add("Cast to bool", [floats()], { to: 9 });
  add("Cast to int64", [floats(IMAGE, 0, 99)], { to: 7 });
  add("Cast to int32", [floats(IMAGE, 0, 99)], { to: 6 });
  add("Cast from bool", [bools()], { to: 1 });
  add("Cast from int64", [whole("int64", MATRIX, 0, 99)], { to: 1 });
  add("Cast from uint8", [whole("uint8", IMAGE, 0, 255)], { to: 1 });
}

function reductions() {
  for (const op of ["Max", "Mean", "Min", "Sum", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"]) {
    const data = () => floats(IMAGE, 0.9, 1.1);
    add(`Reduce${op} of rows`, [data(), list(3)]);
    add(`Reduce${op} of channels`, [data(), list(1)]);
    add(`Reduce${op} of pixels`, [data(), list(2, 3)]);
    // A product of so many is held in float32 only where all are near 1.
    if (op === "Max" || op === "Sum" || op === "Prod") add(`Reduce${op} of all`, [floats(IMAGE, 0.9999, 1.0001)]);
  }
  add("ReduceMax int64", [whole("int64", MATRIX, 0, 99), list(1)], {}, { opset: 20 });
  for (const op of ["ArgMax", "ArgMin"]) {
    add(`${op} of channels`, [floats([1, 21, 128, 128])], { axis: 1, keepdims: 0 });
    add(`${op} of rows`, [floats(MATRIX)], { axis: -1 });
  }
  add("TopK", [floats([1, 100000]), list(100)], {}, { outputs: 2 });
  add("TopK of rows", [floats([2000, 64]), list(5)], {}, { outputs: 2 });
  add("TopK of channels", [floats([1, 21, 64, 64]), list(1)], { axis: 1 }, { outputs: 2 });
  add("CumSum", [floats(MATRIX), number(1, "int64")]);
  add("CumSum of columns", [floats(MATRIX), number(0, "int64")]);
  for (const axis of [1, -1]) {
    const where = axis === 1 ? "of channels" : "of rows";
    for (const op of ["Softmax", "LogSoftmax", "Hardmax", "LpNormalization"])
      add(`${op} ${where}`, [floats()], { axis });
  }
}

function normalisation() {
  const one = (size) => fixed(floats(size, 0.5, 1.5));
  add("BatchNormalization", [floats(), one([64]), one([64]), one([64]), one([64])]);
  add("InstanceNormalization", [floats(), one([64]), one([64])]);
  add("InstanceNormalization 1-D", [floats([1, 64, 3136]), one([64]), one([64])]);
  add("GroupNormalization", [floats(), one([64]), one([64])], { num_groups: 8 }, { opset: 21 });
  add("LayerNormalization", [floats([1, 512, 256]), one([256]), one([256])]);
  add("RMSNormalization", [floats([1, 512, 256]), one([256])], {}, { opset: 23 });
  add("MeanVarianceNormalization", [floats()]);
  add("LRN", [floats()], { size: 5 });
}

/** 1-D, 2-D and 3-D: spatial sizes. */
const SPACES = { "1-D": [4096], "2-D": [64, 64], "3-D": [16, 16, 16] };
const each = (space, value) => space.map(() => value);

function windows() {
  for (const [dimensions, space] of Object.entries(SPACES)) {
    const image = () => floats([1, 32, ...space]);
    const kernel = { kernel_shape: each(space, 3), pads: [...each(space, 1), ...each(space, 1)] };
    const taps = each(space, 3);
    const weights = (...channels) => floats([...channels, ...taps], -0.1, 0.1);
    add(`Conv ${dimensions}`, [image(), fixed(weights(32, 32)), fixed(floats([32]))], kernel);
    add(`Conv ${dimensions} depthwise`, [image(), fixed(weights(32, 1))], { ...kernel, group: 32 });
    add(`Conv ${dimensions}, weights computed`, [image(), weights(32, 32)], kernel);
    const strides = { ...kernel, strides: each(space, 2) };
    add(`ConvTranspose ${dimensions}`, [image(), fixed(weights(32, 16))], strides);
    add(`ConvTranspose ${dimensions}, weights computed`, [image(), weights(32, 16)], strides);
    add(`MaxPool ${dimensions}`, [image()], strides);
    add(`MaxPool ${dimensions} with indices`, [image()], strides, { outputs: 2 });
    add(`AveragePool ${dimensions}`, [image()], strides);
    add(`LpPool ${dimensions}`, [image()], { ...strides, p: 2 });
    add(`GlobalAveragePool ${dimensions}`, [image()]);
    add(`GlobalMaxPool ${dimensions}`, [image()]);
  }
  const place = (i) => Math.floor(i / 1024) * 4096 + Math.floor((i % 1024) / 32) * 128 + (i % 32) * 2;
  const unpool = { kernel_shape: [2, 2], strides: [2, 2] };
  add("MaxUnpool", [floats([1, 32, 32, 32]), operand("int64", [1, 32, 32, 32], place)], unpool);
  add(
    "DeformConv",
    [floats([1, 16, 64, 64]), fixed(floats([16, 16, 3, 3])), floats([1, 18, 62, 62])],
    {},
    { opset: 19, tolerance: 1e-3 },
  );
  add("ConvInteger", [whole("uint8", [1, 32, 56, 56], 0, 255), fixed(whole("uint8", [32, 32, 3, 3], 0, 255))]);
}

function products() {
  add("MatMul", [floats([256, 512]), fixed(floats([512, 512]))]);
  add("MatMul of two", [floats([8, 128, 128]), floats([8, 128, 128])]);
  add("Gemm", [floats([128, 512]), fixed(floats([512, 512])), fixed(floats([512]))], { transB: 1 });
  add("Gemm of two", [floats([256, 256]), floats([256, 256]), floats([256])], { transA: 1 });
  add("Einsum of matrices", [floats([256, 256]), floats([256, 256])], { equation: "ij,jk->ik" });
  add("Einsum of heads", [floats([1, 128, 8, 64]), floats([1, 128, 8, 64])], { equation: "bqhd,bkhd->bhqk" });
  add("Einsum of channels", [floats([1, 64, 1024]), fixed(floats([64, 64]))], { equation: "ncv,cw->nwv" });
  add("Einsum summed", [floats(MATRIX)], { equation: "ij->j" });
  const quantised = (a, b) => [
    a,
    number(0.02),
    number(128, "uint8"),
    fixed(b),
    number(0.03),
    number(127, "uint8"),
    number(9),
    number(128, "uint8"),
  ];
  add(
    "QLinearMatMul",
    quantised(whole("uint8", [256, 256], 0, 255), whole("uint8", [256, 256], 0, 255)),
    {},
    { tolerance: 1 / 100 },
  );
  add("QuantizeLinear", [floats(), number(0.01), number(128, "uint8")]);
  add("DequantizeLinear", [whole("uint8", IMAGE, 0, 255), number(0.01), number(128, "uint8")]);
  add("DynamicQuantizeLinear", [floats()], {}, { outputs: 3 });
}

function movement() {
  add("Concat", [floats(), floats()], { axis: 1 });
  add("Split", [floats()], { axis: 1, num_outputs: 2 }, { outputs: 2 });
  add("Slice", [floats(), list(0, 1), list(64, 55), list(1, 2)]);
  add("Slice with steps", [floats(), list(0, 0), list(56, 56), list(2, 3), list(2, 2)]);
  add("Pad", [floats(), list(0, 0, 1, 1, 0, 0, 1, 1)]);
  add("Pad by reflection", [floats(), list(0, 0, 3, 3, 0, 0, 3, 3)], { mode: "reflect" });
  add("Reshape", [floats(), list(1, 64, -1)]);
  add("Flatten", [floats()]);
  add("Squeeze", [floats(), list(0)]);
  add("Unsqueeze", [floats(), list(0)]);
  add("Transpose", [floats()], { perm: [0, 2, 3, 1] });
  add("Transpose of heads", [floats([1, 197, 6, 64])], { perm: [0, 2, 1, 3] });
  add("Expand", [floats([1, 64, 1, 56]), list(...IMAGE)]);
  add("Tile", [floats([1, 64, 28, 28]), list(1, 1, 2, 2)]);
  add("Gather rows", [fixed(floats([5000, 64])), whole("int64", [2048], 0, 5000)]);
  add("Gather columns", [floats(MATRIX), whole("int64", [256], 0, 512)], { axis: 1 });
  add("Gather channels", [floats(), fixed(whole("int64", [32], 0, 64))], { axis: 1 });
  add("GatherElements", [floats(MATRIX), whole("int64", MATRIX, 0, 512)], { axis: 1 });
  add("GatherND", [floats([64, 64, 64]), whole("int64", [2048, 2], 0, 64)]);
  add("ScatterElements", [floats(MATRIX), whole("int64", [64, 512], 0, 512), floats([64, 512])]);
  add("ScatterElements added", [floats(MATRIX), whole("int64", [64, 512], 0, 512), floats([64, 512])], {
    reduction: "add",
  });
  const place = (i) => (i % 2 === 0 ? Math.floor(i / 128) : (i >> 1) % 64);
  add("ScatterND", [floats([64, 64, 64]), operand("int64", [2048, 2], place), floats([2048, 64])]);
  add("ScatterND of pixels", [
    floats([256, 256]),
    operand("int64", [4096, 2], (i) => (i % 2 === 0 ? i >> 8 : (i >> 1) % 128)),
    floats([4096]),
  ]);
  add("OneHot", [whole("int64", [4096], 0, 32), number(32, "int64"), fixed(operand("float32", [2], (i) => i))]);
  add("NonZero", [whole("bool", MATRIX, 0, 2)]);
  add("Trilu", [floats(MATRIX)]);
  add("DepthToSpace", [floats()], { blocksize: 2 });
  add("SpaceToDepth", [floats()], { blocksize: 2 });
  add("CenterCropPad", [floats(), list(50, 60)], { axes: [2, 3] });
  add("ConstantOfShape", [operand("int64", [2], () => 512)]);
  add("Range", [number(0), number(100000), operand("float32", [], () => 1)]);
  add("Shape", [floats()]);
  add("Size", [floats()]);
}

function images() {
  const factors = fixed(operand("float32", [4], (i) => (i < 2 ? 1 : 2)));
  for (const [mode, how] of [
    ["nearest", "asymmetric"],
    ["linear", "half_pixel"],
    ["cubic", "half_pixel"],
  ])
    add(`Resize ${mode}`, [floats(), undefined, factors], {
      mode,
      coordinate_transformation_mode: how,
      nearest_mode: "floor",
    });
  add(
    "Resize linear uint8",
    [whole("uint8", [1, 3, 128, 128], 0, 255), undefined, factors],
    { mode: "linear" },
    { tolerance: 1 / 100 },
  );
  add("Resize linear 3-D", [floats([1, 8, 16, 32, 32]), undefined, undefined, list(1, 8, 32, 64, 64)], {
    mode: "linear",
  });
  add("Upsample", [floats(), factors], { mode: "nearest" }, { opset: 9 });
  add("GridSample", [floats(), floats([1, 56, 56, 2])], { mode: "linear" });
  add(
    "RoiAlign",
    [floats(), whole("float32", [32, 4], 0, 1), fixed(operand("int64", [32], () => 0))].map((of, i) =>
      i === 1 ? operand("float32", [32, 4], (at) => (at % 4 < 2 ? 2 : 40) + 10 * random()) : of,
    ),
    { output_height: 7, output_width: 7, sampling_ratio: 2 },
    { opset: 16 },
  );
  const corner = (i) => (i % 4 < 2 ? 0 : 20) + (Math.floor(i / 4) % 100) * 10;
  add("NonMaxSuppression", [
    operand("float32", [1, 4096, 4], corner),
    floats([1, 20, 4096], 0, 1),
    number(20, "int64"),
    number(0.5),
    number(0.4),
  ]);
}

for (const group of [byElement, reductions, normalisation, windows, products, movement, images]) group();

export const OPERATOR_CASES = cases;
