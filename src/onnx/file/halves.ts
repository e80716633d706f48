// Numbers of 16 bits, held as float32: from bits, and rounded.
import { numbers, type PlainTensor } from "./plain-tensor.js";

const real = new Float32Array(1);

const bits = new Uint32Array(real.buffer);

/** The 16 bits of a half as a number. */
export function halfToNumber(half: number): number {
  const isNumber = (half & 0x7c00) !== 0x7c00;
  bits[0] = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13) | (isNumber ? 0 : 0x7f800000);
  return (real[0] as number) * (isNumber ? 2 ** 112 : 1); // exponents start at -14 here, at -126 there
}

export function bfloatToNumber(bfloat: number): number {
  bits[0] = bfloat << 16;
  return real[0] as number;
}

/** The nearest number without the last bits, ties to even; infinite ones and NaN stay. */
function roundBits(x: number, last: number): number {
  if (!Number.isFinite(x)) return x;
  real[0] = x;
  const all = bits[0] as number;
  bits[0] = (all + 2 ** (last - 1) - 1 + ((all >>> last) & 1)) & -(2 ** last);
  return real[0] as number;
}

/** The nearest half, ties to even. */
function roundToHalf(x: number): number {
  // Below 2^-14 the steps are 2^-24.
  const rounded = Math.abs(x) < 2 ** -14 ? roundToEven(x * 2 ** 24) * 2 ** -24 : roundBits(x, 13);
  return Math.abs(rounded) < 65536 ? rounded : Math.sign(x) * Infinity;
}

const roundToBfloat = (x: number): number => roundBits(x, 16);

export function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Rounds what was computed in float32 or float64 to the element type, in place. */
export function roundToType(t: PlainTensor): PlainTensor {
  const round = t.type === "float16" ? roundToHalf : t.type === "bfloat16" ? roundToBfloat : undefined;
  if (round) {
    const data = numbers(t);
    for (let i = 0; i < data.length; i++) data[i] = round(data[i] as number);
  }
  return t;
}
