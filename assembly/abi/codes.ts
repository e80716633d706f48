// Functions by number, as descriptors name them. scripts/generate.mjs writes them to src/kernels/gen/constants.ts.

/** What lib/activate.ts applies. relu and clip are one clamp from alpha to beta; so is relu6. */
export const enum ActivationCode {
  none,
  relu,
  leakyRelu,
  elu,
  sigmoid,
  hardSigmoid,
  tanh,
  silu,
  hardSwish,
  gelu,
  geluTanh,
  clip,
}

/** What kernels/elementwise.ts computes of two operands. */
export const enum BinaryCode {
  add,
  sub,
  mul,
  div,
  prelu, // a, or b*a where a < 0
  maximum, // NaN where either is
  minimum,
}

/** What kernels/unary.ts computes of one, by the names of ONNX. */
export const enum UnaryCode {
  Exp,
  Log,
  Sin,
  Cos,
  Erf,
  Sqrt,
  Abs,
  Floor,
  Ceil,
  Round, // halves to even
  Reciprocal,
  Half, // the nearest float16
  Sign,
}
