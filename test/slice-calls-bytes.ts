// As slice-calls.ts, of kernels of bytes.
import type { DType, Runtime, Tensor } from "../src/index.js";
import { depthwise } from "../src/onnx/layers/int8/depthwise.js";
import { add, affine, flip, fromFloat, multiply, table, toFloat } from "../src/onnx/layers/int8/elements.js";
import { concat, interleave, parts, resize, zip } from "../src/onnx/layers/int8/moves.js";
import { averagePool, globalMean, maxPool } from "../src/onnx/layers/int8/pool.js";
import type { Operator } from "../src/ops/operator.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { bytes, image } from "./bytes-reference.js";

type Answer = Tensor<DType> | Readonly<Record<string, Tensor<DType>>>;
type Call = (rt: Runtime) => Answer;

const call =
  (operator: Operator, shapes: readonly (readonly number[])[], ...weights: readonly (readonly number[])[]): Call =>
  (rt) => {
    const count = (shape: readonly number[]) => shape.reduce((n, size) => n * size, 1);
    const inputs = shapes.map((shape, i) => image(rt, bytes(count(shape), `${i} ${shape}`), shape));
    const params = weights.map((shape, i) => {
      const data = bytes(count(shape), `w${i} ${shape}`);
      return i === 0 ? rt.tensor(new Int8Array(data.buffer), shape) : rt.tensor(Int32Array.from(data), shape);
    });
    const y = internalsOf(rt).apply(operator, [...(operator.variadic ? [inputs] : inputs), ...params]);
    for (const t of [...inputs, ...params]) t.dispose();
    return y;
  };

const scale = Float32Array.of(0.003);
const uint8 = { type: "uint8", scale, zero: 90, low: 0, high: 255 } as const;
const window = { strides: [1, 1], padding: [1, 1, 1, 1], dilations: [1, 1] } as const;
const SHAPE = [2, 21, 11, 13];
const layer = (taps: number, strides: readonly [number, number], more: object = {}) =>
  depthwise({
    ...window,
    strides,
    padding: [taps >> 1, taps >> 1, taps >> 1, taps >> 1],
    xZero: 77,
    wZero: [0],
    ending: uint8,
    ...more,
  });

/** Of twice as many output positions. */
const each = (count: number) => Array.from({ length: count }, (_, i) => ({ at: [i >> 1], weights: [1] }));

export const BYTES: Readonly<Record<string, Call>> = {
  ...Object.fromEntries(
    ([3, 5] as const).flatMap((taps) =>
      ([1, 2] as const).map((stride) => [
        `depthwise of bytes, ${taps}x${taps}, stride ${stride}`,
        call(layer(taps, [stride, stride]), [SHAPE], [21, 1, taps, taps], [21]),
      ]),
    ),
  ),
  "depthwise of bytes, rows as they lie": call(
    layer(3, [1, 1], { padding: [1, 0, 1, 0] }),
    [SHAPE],
    [21, 1, 3, 3],
    [21],
  ),
  "depthwise of bytes, weights beyond int8": call(layer(3, [1, 1], { wZero: [-100] }), [SHAPE], [21, 1, 3, 3], [21]),
  "depthwise of bytes, any window": call(layer(7, [2, 1], { dilations: [1, 2] }), [SHAPE], [21, 1, 7, 7], [21]),
  "depthwise of bytes, few channels": call(layer(3, [1, 1]), [[2, 3, 11, 13]], [3, 1, 3, 3], [3]),
  "depthwise of bytes, a multiplier": call(layer(3, [1, 1]), [[2, 7, 11, 13]], [14, 1, 3, 3], [14]),
  "depthwise of bytes, to int32": call(layer(3, [1, 1], { ending: { type: "int32" } }), [SHAPE], [21, 1, 3, 3], [21]),
  "depthwise of bytes, to float32": call(
    layer(3, [1, 1], { ending: { type: "float32", scale, low: -5, high: 5 } }),
    [SHAPE],
    [21, 1, 3, 3],
    [21],
  ),
  "maxima of bytes": call(maxPool({ ...window, kernel: [3, 3] }), [SHAPE]),
  "maxima of bytes, few channels": call(maxPool({ ...window, kernel: [3, 3] }), [[2, 11, 11, 13]]),
  "means of bytes": call(
    averagePool({
      ...window,
      kernel: [3, 3],
      countIncludePad: true,
      xScale: 0.5,
      xZero: 7,
      yScale: 0.6,
      offset: 3,
      zero: 0,
    }),
    [SHAPE],
  ),
  "means of bytes over images": call(globalMean({ xZero: 7, factor: 0.004, zero: 3 }), [[2, 53, 11, 13]]),
  "sums of bytes": call(add({ ra: 0.7, rb: 0.6, aZero: 7, bZero: 9, offset: 2, shift: 0, low: 0, high: 255 }), [
    SHAPE,
    SHAPE,
  ]),
  "products of bytes, one by channel": call(
    multiply({ aZero: 3, bZero: 9, factor: 0.01, offset: 2, zero: 0, low: 0, high: 255 }),
    [SHAPE, [2, 21, 1, 1]],
  ),
  "bytes by a table": call(table(Uint8Array.from({ length: 256 }, (_, i) => 255 - i)), [[2, 53, 11, 13]]),
  "bytes by an affine map": call(affine({ ratio: 0.5, offset: 3 }), [[2, 53, 11, 13]]),
  "bytes as int8": call(flip(), [[2, 53, 11, 13]]),
  "bytes joined": call(concat(1, [undefined, { type: "affine", ratio: 0.5, offset: 3 }]), [SHAPE, [2, 14, 11, 13]]),
  "bytes in parts": call(
    parts(1, [
      { start: 0, size: 8 },
      { start: 8, size: 13 },
    ]),
    [SHAPE],
  ),
  "bytes in turn": call(interleave(2), [[2, 54, 11, 13]]),
  "bytes in turn, three groups": call(interleave(3), [SHAPE]),
  "bytes zipped": call(zip(1), [
    [2, 22, 11, 13],
    [2, 22, 11, 13],
  ]),
  "bytes of another size, nearest": call(resize(each(22), each(26)), [SHAPE]),
  "bytes of another size, linear": call(resize(each(22), each(26), { xScale: 0.5, xZero: 7, yScale: 0.6, yZero: 9 }), [
    SHAPE,
  ]),
  "bytes to floats": call(toFloat({ scale: 0.1, zero: 7 }), [[2, 53, 11, 13]]),
  "floats to bytes": (rt) => {
    const data = Float32Array.from(bytes(2 * 3 * 40 * 41, "floats"));
    using x = rt.tensor(data, [2, 3, 40, 41]);
    return internalsOf(rt).apply(fromFloat({ scale: 2, zero: 7 }), [x]);
  },
};
