// Every error the package throws on bad input is one sentence: `"stride" expected integer >= 1, got 0`.
// TypeError tells a wrong kind, RangeError a wrong value; the classes below tell the rest apart.

/** Shapes that do not fit each other or the operator. */
export class ShapeError extends Error {
  override name = "ShapeError";
}

/** A tensor, plan, model or runtime was used after dispose(). */
export class DisposedError extends Error {
  override name = "DisposedError";
}

/** Well-formed, but outside what an algorithm, operator or engine does. */
export class UnsupportedError extends Error {
  override name = "UnsupportedError";
}

/** The runtime's memory limit would be passed; nothing was allocated. */
export class OutOfMemoryError extends Error {
  override name = "OutOfMemoryError";
}

/** A model or weight file is malformed, or its parts do not fit each other. */
export class ModelError extends Error {
  override name = "ModelError";
}

/** A thread was lost while it computed: its runtime is disposed. */
export class ThreadError extends Error {
  override name = "ThreadError";
}

/** A data set file is malformed. */
export class DataError extends Error {
  override name = "DataError";
}

/** Shows a bad value in an error message, short and without running its code. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return typeof value === "function" ? "a function" : String(value);
  if (Array.isArray(value)) {
    return `[${value.slice(0, 8).map(show).join(", ")}${value.length > 8 ? ", ..." : ""}]`;
  }
  if (value instanceof Promise) return "a promise"; // its await is missing
  return ArrayBuffer.isView(value) ? value.constructor.name : "an object";
}
