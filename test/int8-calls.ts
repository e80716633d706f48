// Calls of slice-calls.ts on bytes: every kernel of the int8 pack, and every way through it. The runtime's own tensors are not read.
import type { DType, Runtime, Tensor } from "../src/index.js";
import { depthwise } from "../src/onnx/layers/int8/depthwise.js";
import { quantizeDynamic } from "../src/onnx/layers/int8/dynamic.js";
import { type ConvolutionOptions, convolution, product } from "../src/onnx/layers/int8/product.js";
import { requirePacks } from "../src/onnx/packs.js";
import type { Operator } from "../src/ops/operator.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { fill, random } from "./random.js";

type BytesCall = (rt: Runtime) => Promise<Tensor<DType>>;

/** Bytes of a shape, channels-last where it has pixels. */
function bytesOf(rt: Runtime, shape: readonly number[], type: "uint8" | "int8", isParam = false): Tensor<DType> {
  const r = random(`${shape} ${type}`);
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Array.from({ length: count }, () => r.integer(0, 255) - (type === "int8" ? 128 : 0));
  const memoryFormat = shape.length === 4 && !isParam ? "channelsLast" : "contiguous";
  return rt.tensor(type === "int8" ? Int8Array.from(data) : Uint8Array.from(data), shape, {
    memoryFormat,
  }) as Tensor<DType>;
}

/** An operator on tensors that are made of it and let go of. */
const call =
  (
    operator: Operator,
    inputs: readonly (readonly number[])[],
    weight: readonly number[],
    type: "uint8" | "int8" = "int8",
  ): BytesCall =>
  async (rt) => {
    await requirePacks(rt, ["int8"]);
    const tensors = [
      ...inputs.map((shape) => bytesOf(rt, shape, "uint8")),
      ...(weight.length > 0 ? [bytesOf(rt, weight, type, true)] : []),
    ];
    const y = internalsOf(rt).apply(operator, tensors) as Tensor<DType>;
    for (const tensor of tensors) tensor.dispose();
    return y;
  };

/** Floats to bytes by their range, and a product of these. */
const dynamic =
  (operator: Operator, shape: readonly number[], weight: readonly number[]): BytesCall =>
  async (rt) => {
    await requirePacks(rt, ["int8"]);
    const memoryFormat = shape.length === 4 ? "channelsLast" : "contiguous";
    using x = rt.tensor(fill(shape, "dynamic"), shape, { memoryFormat });
    const { apply } = internalsOf(rt);
    const parts = apply(quantizeDynamic(), [x]) as Readonly<Record<"y" | "scale" | "zero", Tensor<DType>>>;
    const tensors = [parts.y, parts.zero, parts.scale, bytesOf(rt, weight, "int8", true)];
    const y = apply(operator, tensors) as Tensor<DType>;
    for (const tensor of tensors) tensor.dispose();
    return y;
  };

const SCALE = Float32Array.of(0.002);
const PLAIN: ConvolutionOptions = {
  strides: [1, 1],
  padding: [0, 0, 0, 0],
  dilations: [1, 1],
  groups: 1,
  xZero: 7,
  wZero: [0],
  ending: { type: "uint8", scale: SCALE, zero: 100, low: 3, high: 250 },
};
const COMPUTED = {
  xZero: 0,
  computed: "zero and scale",
  ending: { type: "float32", scale: SCALE, offset: Float32Array.of(0.3), low: 0, high: 6 },
} as const;
const IMAGE = [2, 21, 9, 10];
const conv = (
  options: Partial<ConvolutionOptions>,
  weight: readonly number[],
  more: readonly number[][] = [],
  type?: "uint8",
) => call(convolution({ ...PLAIN, ...options }), [IMAGE, ...more], weight, type);
const ADDITION = { ra: 0.7, rb: 1.2, aZero: 90, bZero: 40, offset: 20, shift: 0, low: 0, high: 255 };

/** By what they reach. */
export const BYTES: Readonly<Record<string, BytesCall>> = {
  "bytes: 3x3": conv({ padding: [1, 1, 1, 1] }, [29, 21, 3, 3]),
  "bytes: 1x1": conv({}, [29, 21, 1, 1]),
  "bytes: groups, stride": conv({ groups: 3, strides: [2, 2] }, [15, 7, 3, 3]),
  "bytes: weights beyond int8": conv({ wZero: [40] }, [9, 21, 3, 3], [], "uint8"),
  "bytes: int32": conv({ ending: { type: "int32" } }, [13, 21, 1, 1]),
  "bytes: float32": conv({ ending: { type: "float32", scale: SCALE, low: -1, high: 1 } }, [11, 21, 3, 3]),
  "bytes: an addition": conv({ addition: ADDITION }, [27, 21, 1, 1], [[2, 27, 9, 10]]),
  "bytes: another addition": conv({ addition: ADDITION }, [27, 21, 3, 3], [[2, 27, 7, 8]]),
  "bytes: winograd": conv({ padding: [1, 1, 1, 1], algorithm: "winograd43" }, [29, 21, 3, 3]),
  "bytes: winograd in parts, an addition": conv(
    { addition: ADDITION, algorithm: "winograd43", parts: 2 },
    [21, 21, 3, 3],
    [[2, 21, 7, 8]],
  ),
  "bytes: a product": call(product({ ...PLAIN, transposed: true }), [[23, 70]], [19, 70]),
  "bytes: a zero point that a run computes": dynamic(
    convolution({ ...PLAIN, padding: [1, 1, 1, 1], ...COMPUTED }),
    IMAGE,
    [29, 21, 3, 3],
  ),
  "bytes: depthwise, a zero point that a run computes": dynamic(
    depthwise({ ...PLAIN, padding: [1, 1, 1, 1], ...COMPUTED }),
    IMAGE,
    [21, 1, 3, 3],
  ),
  "bytes: a product by a scale that a run computes": dynamic(
    product({ ...PLAIN, transposed: true, ...COMPUTED }),
    [61, 70],
    [19, 70],
  ),
  "bytes: a product of columns": call(product({ ...PLAIN, transposed: false }), [[1, 33]], [33, 50]),
};
