// Cases of operators that work element by element.

/** Types that both sides have kernels for: of float32 most cases. */
const floatOf = (r, opset) => (r.chance(0.75) ? "float32" : r.pick(opset >= 13 ? ["float64", "float16"] : ["float64"]));
const SINGLE = () => "float32";

/** One operand, and attributes. bounds: of its elements; K: what a tolerance of one rounding is multiplied by. */
const unary =
  ({ bounds = [-4, 4], type = SINGLE, attributes = () => ({}), K = 8 } = {}) =>
  (r, opset) => {
    const of = type(r, opset);
    const special = [0, -0, Infinity, -Infinity, NaN];
    const draw = (wild) => (wild && r.chance(0.1) ? r.pick(special) : r.float(...bounds));
    const isWhole = !/float/.test(of);
    const wild = r.chance(0.15) && of !== "float16";
    const shape = r.shape(r.int(0, 5));
    const x = isWhole ? r.tensor(of, shape) : r.tensor(of, shape, () => draw(wild));
    return { inputs: [x], attributes: attributes(r, opset), K };
  };

const alpha = (name, low, high) => (r) => (r.chance(0.7) ? { [name]: { float: r.float(low, high) } } : {});
const wholeOr = (since, types) => (r, opset) => (opset >= since && r.chance(0.4) ? r.pick(types) : "float32");

/** Two operands that broadcast. */
const binary =
  ({ types = () => ["float32"], bounds, second = bounds, broadcasts = 7 } = {}) =>
  (r, opset) => {
    const type = r.pick(types(opset));
    const shape = r.shape(r.int(0, 5));
    const [a, b] = opset >= broadcasts ? [r.broadcast(shape), r.broadcast(shape)] : [shape, shape];
    const inputs = [r.tensor(type, a, bounds), r.tensor(type, b, second)];
    return { inputs, attributes: {}, K: 4 };
  };

const NUMBERS = (opset) =>
  opset >= 7 ? ["float32", "float32", "float32", "float64", "int32", "int64"] : ["float32", "float64"];
const COMPARED = (opset) => (opset >= 9 ? ["float32", "float32", "int32", "int64"] : ["float32"]);
const BITS = () => ["int8", "int32", "int64", "uint8", "uint32"];

/** Any number of operands of float32. */
const variadic = (r, opset) => {
  const shape = r.shape(r.int(0, 4));
  const inputs = r.list(r.int(1, 4), () => r.floats(opset >= 8 ? r.broadcast(shape) : shape));
  return { inputs, attributes: {}, K: 8 };
};

const POSITIVE = { bounds: [0.01, 9] };

export const ELEMENTS = {
  Abs: unary({ type: wholeOr(13, ["int32", "int64", "int8"]) }),
  Acos: unary({ bounds: [-1, 1] }),
  Acosh: unary({ bounds: [1, 9] }),
  Asin: unary({ bounds: [-1, 1] }),
  Asinh: unary(),
  Atan: unary(),
  Atanh: unary({ bounds: [-0.99, 0.99] }),
  Ceil: unary({ type: floatOf }),
  Celu: unary({ attributes: alpha("alpha", 0.2, 2) }),
  Cos: unary({ bounds: [-50, 50] }),
  Cosh: unary({ K: 16 }),
  Elu: unary({ attributes: alpha("alpha", 0.2, 2) }),
  Erf: unary({ K: 16 }),
  Exp: unary({ K: 16 }),
  Floor: unary({ type: floatOf }),
  Gelu: unary({ attributes: (r) => (r.chance(0.5) ? { approximate: "tanh" } : {}), K: 32 }),
  HardSigmoid: unary({ attributes: (r) => ({ ...alpha("alpha", 0.1, 0.5)(r), ...alpha("beta", 0.1, 0.9)(r) }) }),
  HardSwish: unary(),
  Identity: unary({ type: floatOf }),
  IsInf: unary({
    attributes: (r) => (r.chance(0.5) ? { detect_negative: r.int(0, 1), detect_positive: r.int(0, 1) } : {}),
  }),
  IsNaN: unary(),
  LeakyRelu: unary({ attributes: alpha("alpha", -0.5, 0.5) }),
  Log: unary(POSITIVE),
  Mish: unary({ K: 32 }),
  Neg: unary({ type: wholeOr(13, ["int32", "int64", "int8"]) }),
  Reciprocal: unary(POSITIVE),
  Relu: unary({ type: wholeOr(14, ["int32", "int8"]) }),
  Round: unary({ bounds: [-6, 6] }),
  Selu: unary({ attributes: (r) => ({ ...alpha("alpha", 1, 2)(r), ...alpha("gamma", 1, 2)(r) }) }),
  Shrink: unary({ attributes: (r) => ({ ...alpha("lambd", 0.1, 2)(r), ...alpha("bias", 0, 1)(r) }) }),
  Sigmoid: unary({ K: 32 }),
  Sign: unary({ type: wholeOr(13, ["int32", "int64", "uint8"]) }),
  Sin: unary({ bounds: [-50, 50] }),
  Sinh: unary({ K: 16 }),
  Softplus: unary({ K: 32 }),
  Softsign: unary(),
  Sqrt: unary(POSITIVE),
  Swish: unary({ attributes: alpha("alpha", 0.5, 2), K: 32 }),
  Tan: unary({ bounds: [-1.4, 1.4], K: 32 }),
  Tanh: unary({ K: 32 }),
  ThresholdedRelu: unary({ attributes: alpha("alpha", -1, 1) }),
  Not: unary({ type: () => "bool" }),
  BitwiseNot: unary({ type: (r) => r.pick(BITS()) }),
  Add: binary({ types: NUMBERS }),
  Sub: binary({ types: NUMBERS }),
  Mul: binary({ types: NUMBERS }),
  Div: binary({ types: NUMBERS, bounds: [1, 9] }),
  Pow: binary({ bounds: [0.1, 3], second: [-2, 2] }),
  PRelu: (r) => {
    const shape = r.shape(r.int(1, 4));
    return { inputs: [r.floats(shape), r.floats(r.broadcast(shape))], attributes: {} };
  },
  Mod: (r, opset) => {
    const isFloat = r.chance(0.4);
    const of = binary({
      types: () => (isFloat ? ["float32"] : ["int32", "int64"]),
      bounds: isFloat ? [-9, 9] : [-9, 9],
      second: [1, 4],
    });
    return { ...of(r, opset), attributes: isFloat || r.chance(0.3) ? { fmod: 1 } : {}, K: 16 };
  },
  Max: variadic,
  Min: variadic,
  Mean: variadic,
  Sum: variadic,
  And: binary({ types: () => ["bool"] }),
  Or: binary({ types: () => ["bool"] }),
  Xor: binary({ types: () => ["bool"] }),
  Equal: binary({ types: (opset) => (opset >= 11 ? COMPARED(opset) : ["int32", "int64"]) }),
  Greater: binary({ types: COMPARED }),
  Less: binary({ types: COMPARED }),
  GreaterOrEqual: binary({ types: COMPARED }),
  LessOrEqual: binary({ types: COMPARED }),
  BitwiseAnd: binary({ types: BITS }),
  BitwiseOr: binary({ types: BITS }),
  BitwiseXor: binary({ types: BITS }),
  BitShift: (r, opset) => {
    const of = binary({ types: () => ["uint8", "uint32", "uint64"], bounds: [0, 100], second: [0, 7] })(r, opset);
    return { ...of, attributes: { direction: r.pick(["LEFT", "RIGHT"]) } };
  },
  Where: (r) => {
    const shape = r.shape(r.int(0, 4));
    const type = r.pick(["float32", "float32", "int64", "uint8"]);
    const inputs = [r.tensor("bool", r.broadcast(shape)), ...r.list(2, () => r.tensor(type, r.broadcast(shape)))];
    return { inputs, attributes: {} };
  },
  Cast: (r) => {
    const codes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float64: 11 };
    const [from, to] = [r.pick(Object.keys(codes)), r.pick(Object.keys(codes))];
    const bounds = /^u/.test(to) || /^u/.test(from) ? [0, 100] : [-100, 100];
    return {
      inputs: [r.tensor(from, r.shape(r.int(0, 4)), from === "bool" ? [0, 1] : bounds)],
      attributes: { to: codes[to] },
    };
  },
  CastLike: (r) => {
    const [from, to] = [r.pick(["float32", "int32"]), r.pick(["float32", "int64", "bool", "uint8"])];
    return { inputs: [r.tensor(from, r.shape(r.int(0, 4)), [0, 9]), r.tensor(to, [1], [0, 1])], attributes: {} };
  },
  Clip: (r, opset) => {
    const type = opset >= 12 && r.chance(0.3) ? r.pick(["int32", "int64", "uint8", "float64"]) : "float32";
    const x = r.tensor(type, r.shape(r.int(0, 4)));
    const [low, high] = [r.chance(0.7) ? r.int(-2, 0) : null, r.chance(0.7) ? r.int(1, 3) : null];
    const at = (value) => (value === null ? null : r.scalar(type, type === "uint8" ? Math.abs(value) : value));
    if (opset >= 11) return { inputs: [x, at(low), at(high)], attributes: {} };
    const attributes = { ...(low !== null && { min: { float: low } }), ...(high !== null && { max: { float: high } }) };
    return { inputs: [r.floats(x.shape)], attributes };
  },
  Dropout: (r, opset) => ({
    inputs: [r.floats(r.shape(r.int(1, 4)))],
    attributes: opset < 12 && r.chance(0.5) ? { ratio: { float: 0.3 } } : {},
    outputs: opset >= 10 ? r.int(1, 2) : 1,
  }),
};
