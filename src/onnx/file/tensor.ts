// A TensorProto as a tensor in plain JavaScript memory.
import { asBytes } from "../../base/check.js";
import { ModelError, show } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import type { Budget } from "./budget.js";
import { ARRAYS, elementType, isHalf, NIBBLES } from "./element-type.js";
import { bfloatToNumber, halfToNumber } from "./halves.js";
import { Deferred, type HostData, type PlainTensor } from "./plain-tensor.js";
import type { TensorProto } from "./proto.js";

/** The tensor of a TensorProto, with elements of its own. Throws ModelError. */
export function readTensorProto(proto: TensorProto, budget: Budget): PlainTensor {
  const name = proto.name || "tensor";
  const type = NIBBLES[proto.dataType] ?? elementType(proto.dataType, name);
  const shape = proto.dims;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new ModelError(`"${name}" expected sizes >= 0, got ${show([...shape])}`);
    }
  }
  const count = countOf(shape);
  const width = isHalf(type) ? 2 : ARRAYS[type].BYTES_PER_ELEMENT;
  const raw = proto.raw ?? (type === "float32" ? proto.packed : null);
  if (proto.external !== null) throw new ModelError(`"${name}" expected elements in this file, got a place in another`);
  const wrong = (got: number, unit: string) =>
    new ModelError(
      `"${name}" expected ${unit === "bytes" ? count * width : count} ${unit} for ${type} ${show([...shape])}, got ${got}`,
    );
  if (type === "int4" || type === "uint4") {
    const pairs = raw ?? Uint8Array.from(proto.int32s);
    if (pairs.length !== Math.ceil(count / 2)) throw wrong(2 * pairs.length, "elements");
    return { type, shape, data: nibbles(asBytes(pairs), count, type === "int4" ? 8 : 0) };
  }
  const fromBits = type === "float16" ? halfToNumber : bfloatToNumber;
  if (raw !== null) {
    if (raw.length !== count * width) throw proto.raw ? wrong(raw.length, "bytes") : wrong(raw.length / 4, "elements");
    const bytes = asBytes(raw);
    if (!isHalf(type)) {
      return new Deferred(budget, type, shape, (to, from) => to.set(bytes.subarray(from, from + to.length)));
    }
    return new Deferred(budget, type, shape, (to, from) => {
      const numbers = new Float32Array(to.buffer, to.byteOffset, to.length / 4);
      for (let i = 0, at = from / 2; i < numbers.length; i++, at += 2) {
        numbers[i] = fromBits((bytes[at] as number) | ((bytes[at + 1] as number) << 8));
      }
    });
  }
  const list =
    type === "float32"
      ? proto.floats
      : type === "float64"
        ? proto.doubles
        : type === "int64"
          ? proto.int64s
          : type === "uint64" || type === "uint32"
            ? proto.uint64s
            : proto.int32s;
  if (list.length !== count) throw wrong(list.length, "elements");
  if (isHalf(type)) return { type, shape, data: Float32Array.from(list as number[], fromBits) };
  const values = type === "uint32" ? (list as readonly bigint[]).map(Number) : list;
  return { type, shape, data: (ARRAYS[type] as unknown as { from(v: unknown): HostData }).from(values) };
}

/** Numbers of 4 bits, two in a byte, the first in its lower half; sign: the bit that counts negative. */
function nibbles(pairs: Uint8Array, count: number, sign: number): HostData {
  const data = sign ? new Int8Array(count) : new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const four = ((pairs[i >> 1] as number) >> (4 * (i & 1))) & 15;
    data[i] = (four ^ sign) - sign;
  }
  return data;
}
