// The worker: { id, op, args } in, { id, value } or { id, failure } out. A page that may have none imports this, and asks answer().
import { answer, type Op } from "./ops.js";

export { inlinedBytes } from "#lanewise/engine/inline.js"; // of every binary: here it waits for none, in no file of its own
export { answer };

interface Scope {
  postMessage(message: unknown, transfer?: readonly Transferable[]): void;
}

/** Buffers of an answer's typed arrays, one level deep. */
function buffersOf(found: object): Transferable[] {
  const value = "value" in found ? found.value : undefined;
  const parts = value !== null && typeof value === "object" ? Object.values(value) : [];
  return parts.flatMap((part) => (ArrayBuffer.isView(part) ? [part.buffer as ArrayBuffer] : []));
}

if (!("document" in globalThis))
  addEventListener("message", async ({ data }: MessageEvent<{ id: number; op: Op; args: unknown }>) => {
    const found = await answer(data.op, data.args);
    (globalThis as unknown as Scope).postMessage({ id: data.id, ...found }, [...new Set(buffersOf(found))]);
  });
