// Argument checks: the success path comes first, the message is built only on failure.
import { ShapeError, show } from "./errors.js";

/** Dimensions, slowest axis first. */
export type Shape = readonly number[];
/** One number for both directions, or [height, width]. */
export type Pair = number | readonly [number, number];

/** Largest number of elements or bytes a shape may ask for: what one 32-bit linear memory can hold. */
const MAX_BYTES = 2 ** 32;

export function integer(name: string, value: unknown, min: number, max = Number.MAX_SAFE_INTEGER): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  const range = max === Number.MAX_SAFE_INTEGER ? `integer >= ${min}` : `integer from ${min} to ${max}`;
  const message = `"${name}" expected ${range}, got ${show(value)}`;
  throw typeof value === "number" ? new RangeError(message) : new TypeError(message);
}

export function finite(name: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  const message = `"${name}" expected a finite number, got ${show(value)}`;
  throw typeof value === "number" ? new RangeError(message) : new TypeError(message);
}

export function boolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`"${name}" expected true or false, got ${show(value)}`);
}

export function oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  const message = `"${name}" expected one of ${allowed.join(", ")}, got ${show(value)}`;
  throw typeof value === "string" ? new RangeError(message) : new TypeError(message);
}

/** n or [h, w] to [h, w]. */
export function pair(name: string, value: unknown, min: number): readonly [number, number] {
  if (!Array.isArray(value)) {
    const both = integer(name, value, min);
    return [both, both];
  }
  if (value.length === 2) return [integer(`${name}[0]`, value[0], min), integer(`${name}[1]`, value[1], min)];
  throw new RangeError(`"${name}" expected a number or [height, width], got ${show(value)}`);
}

/** Checks dimensions (integers >= least, rank 0 to 8, byte count below 4 GiB) and answers the number of elements. */
export function elements(name: string, shape: unknown, bytesPerElement = 1, least = 1): number {
  if (!Array.isArray(shape)) throw new TypeError(`"${name}" expected an array of dimensions, got ${show(shape)}`);
  if (shape.length > 8) throw new ShapeError(`"${name}" expected rank 0 to 8, got rank ${shape.length}`);
  let count = 1;
  for (let i = 0; i < shape.length; i++) {
    count *= integer(`${name}[${i}]`, shape[i], least);
    if (count * bytesPerElement > MAX_BYTES) {
      throw new RangeError(`"${name}" expected at most ${MAX_BYTES} bytes, got ${show(shape)}`);
    }
  }
  return count;
}

/** Refuses option names that nothing reads: a misspelt option must not be ignored. */
export function knownOptions(name: string, options: unknown, allowed: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`"${name}" expected an options object, got ${show(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!allowed.includes(key)) {
      throw new TypeError(`"${name}" expected options among ${allowed.join(", ")}, got ${show(key)}`);
    }
  }
}

/** A possibly negative axis to 0..rank-1. */
export function axisOf(name: string, value: unknown, rank: number): number {
  const axis = integer(name, value, -rank, rank - 1);
  return axis < 0 ? axis + rank : axis;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

/**
 * What a value says it is: "Uint8Array", also of a Buffer, "ArrayBuffer", "Map". Holds for values of other realms too (frames,
 * vm contexts, jsdom), of which instanceof knows nothing.
 */
export const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

/** Whether asBytes() takes it. */
export const isBytes = (value: unknown): value is Uint8Array | ArrayBuffer =>
  ArrayBuffer.isView(value) ? tagOf(value) === "Uint8Array" : tagOf(value) === "ArrayBuffer";

/** Plain Uint8Array even for a Node Buffer, whose slice() means something else. */
export function asBytes(bytes: unknown, name = "bytes"): Uint8Array {
  if (!isBytes(bytes)) throw new TypeError(`"${name}" expected a Uint8Array or an ArrayBuffer, got ${show(bytes)}`);
  return ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
}

let decoder: TextDecoder | undefined;

/** UTF-8 as text. Damage becomes U+FFFD, and all that is no ASCII with it where there is no TextDecoder (jsdom, worklets). */
export function textOf(bytes: Uint8Array): string {
  if (typeof TextDecoder === "undefined") {
    try {
      return strictTextOf(bytes);
    } catch {
      return Array.from(bytes, (byte) => String.fromCharCode(byte < 128 ? byte : 0xfffd)).join("");
    }
  }
  decoder ??= new TextDecoder();
  return decoder.decode(bytes);
}

/** UTF-8 as text, with its byte order mark. Throws for damage. */
export function strictTextOf(bytes: Uint8Array): string {
  if (typeof TextDecoder === "undefined")
    return decodeURIComponent(Array.from(bytes, (byte) => `%${(byte + 256).toString(16).slice(1)}`).join(""));
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Text as UTF-8. */
export const utf8Of = (text: string): Uint8Array =>
  typeof TextEncoder === "undefined"
    ? Uint8Array.from(encodeURIComponent(text).match(/%..|./g) ?? [], (unit) =>
        unit.length > 1 ? Number.parseInt(unit.slice(1), 16) : unit.charCodeAt(0),
      )
    : new TextEncoder().encode(text);
