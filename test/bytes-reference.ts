// What kernels of bytes answer, written down plainly: integers, and float32 steps as onnxruntime has them. Images are [N, H, W, C] in
// order, as they lie.
import type { DType, Runtime, Tensor, TensorData } from "../src/index.js";
import type { Operator } from "../src/ops/operator.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { random } from "./random.js";
import { roundToEven } from "./reference.js";

export const f = Math.fround;

export const clamp = (x: number, low = 0, high = 255): number => Math.min(high, Math.max(low, x));

/** Round half to even, then saturate. */
export const toByte = (x: number, zero = 0, low = 0, high = 255): number => clamp(roundToEven(x) + zero, low, high);

/** Bytes in which the extremes are frequent. */
export function bytes(count: number, seed: string): Uint8Array {
  const { integer } = random(seed);
  return Uint8Array.from({ length: count }, () => {
    const kind = integer(0, 9);
    return kind === 0 ? 0 : kind === 1 ? 255 : integer(0, 255);
  });
}

/** A channels-last tensor of bytes as they lie. */
export function image(rt: Runtime, data: Uint8Array, shape: readonly number[]): Tensor<DType> {
  return rt.tensor(data, shape, { memoryFormat: shape.length < 3 ? "contiguous" : "channelsLast" });
}

/** The operator's outputs on tensors, as they lie; everything is given back. */
export function run(
  rt: Runtime,
  operator: Operator,
  inputs: readonly Tensor<DType>[],
  params: readonly (Tensor<DType> | undefined)[] = [],
): TensorData[] {
  const given = operator.variadic ? [inputs] : inputs;
  const owned = [...inputs, ...params];
  try {
    const y = internalsOf(rt).apply(operator, [...given, ...params]);
    const outputs = "spec" in y ? [y as Tensor<DType>] : (Object.values(y) as Tensor<DType>[]);
    owned.push(...outputs);
    return outputs.map((t) => t.data.slice());
  } finally {
    for (const t of owned) t?.dispose();
  }
}

/** Where two differ, and how often: short, whatever the lengths. */
export function apart(actual: ArrayLike<number | bigint> | undefined, expected: ArrayLike<number>): string {
  if (actual?.length !== expected.length) return `${actual?.length} elements, not ${expected.length}`;
  const wrong = Array.from(expected, (value, i) => (value === actual[i] ? -1 : i)).filter((i) => i >= 0);
  const [first] = wrong;
  return first === undefined
    ? ""
    : `${wrong.length} of ${expected.length}: ${actual[first]} at ${first}, not ${expected[first]}`;
}
