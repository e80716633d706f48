// Tensors from logical data, in either memory format; shared by the operator tests.
import type { DType, MemoryFormat, Runtime, Tensor } from "../src/index.js";
import type { Operator } from "../src/ops/operator.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { type Ref, ref } from "./reference.js";

export const FORMATS: readonly MemoryFormat[] = ["contiguous", "channelsLast"];

/** [N, C, ...spatial] to [N, ...spatial, C], written plainly. */
export function toChannelsLast<T extends Float32Array>(data: T, shape: readonly number[]): T {
  const [N, C, ...spatial] = shape as [number, number, ...number[]];
  const pixels = spatial.reduce((a, b) => a * b, 1);
  const out = data.slice() as T;
  for (let n = 0; n < N; n++) {
    for (let c = 0; c < C; c++) {
      for (let i = 0; i < pixels; i++) out[(n * pixels + i) * C + c] = data[(n * C + c) * pixels + i] as number;
    }
  }
  return out;
}

/** A tensor whose logical elements are `data`. */
export function tensorOf(
  rt: Runtime,
  data: Float32Array,
  shape: readonly number[],
  memoryFormat: MemoryFormat = "contiguous",
): Tensor {
  const lying = memoryFormat === "channelsLast" ? toChannelsLast(data, shape) : data;
  return rt.tensor(lying, shape, { memoryFormat });
}

/** An operator that no facade shows, on one tensor. */
export function apply(rt: Runtime, operator: Operator, x: Tensor<DType>): Tensor<DType> {
  return internalsOf(rt).apply(operator, [x]) as Tensor<DType>;
}

export function refOf(data: ArrayLike<number>, shape: readonly number[]): Ref {
  return ref(shape, Array.from(data));
}
