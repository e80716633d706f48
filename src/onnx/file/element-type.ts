// Element types: ONNX's codes, and the arrays that hold them in JavaScript.
import { UnsupportedError } from "../../base/errors.js";

export type ElementType =
  | "float32"
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "int32"
  | "int64"
  | "bool"
  | "float16"
  | "float64"
  | "uint32"
  | "uint64"
  | "bfloat16"
  | "uint4"
  | "int4";

/** float16 and bfloat16 are held as float32, rounded; 4 bits as 8. */
export const ARRAYS = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  float16: Float32Array,
  float64: Float64Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bfloat16: Float32Array,
  uint4: Uint8Array,
  int4: Int8Array,
} as const;

/** TensorProto.DataType to names. */
export const ELEMENT_TYPES: Readonly<Record<number, ElementType>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  4: "uint16",
  5: "int16",
  6: "int32",
  7: "int64",
  9: "bool",
  10: "float16",
  11: "float64",
  12: "uint32",
  13: "uint64",
  16: "bfloat16",
};

/** Constants alone are of 4 bits. */
export const NIBBLES: Readonly<Record<number, ElementType>> = { 21: "uint4", 22: "int4" };

export function elementType(code: number, what: string): ElementType {
  const type = ELEMENT_TYPES[code];
  if (type === undefined) throw new UnsupportedError(`"${what}" expected a numeric element type, got type ${code}`);
  return type;
}

/** The largest number of a type of reals; infinity is beyond. */
export const LARGEST: Readonly<Partial<Record<ElementType, number>>> = {
  float32: 3.4028234663852886e38,
  float64: Number.MAX_VALUE,
  float16: 65504,
  bfloat16: 3.3895313892515355e38,
};

export const isFloat = (type: ElementType): boolean => /float/.test(type);

export const isHalf = (type: ElementType): type is "float16" | "bfloat16" => type === "float16" || type === "bfloat16";
