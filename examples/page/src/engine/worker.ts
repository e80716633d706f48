// The worker: { id, op, args } in, { id, value } or { id, failure } out.
import { digitWeights } from "./digit.js";
import { answer, type Op } from "./ops.js";

interface Scope {
  postMessage(message: unknown, transfer?: readonly Transferable[]): void;
}

/** Buffers of an answer's typed arrays, one level deep. */
function buffersOf(found: object): Transferable[] {
  const value = "value" in found ? found.value : undefined;
  const parts = value !== null && typeof value === "object" ? Object.values(value) : [];
  return parts.flatMap((part) => (ArrayBuffer.isView(part) ? [part.buffer as ArrayBuffer] : []));
}

addEventListener("message", async ({ data }: MessageEvent<{ id: number; op: Op; args: unknown }>) => {
  const found = await answer(data.op, data.args);
  (globalThis as unknown as Scope).postMessage({ id: data.id, ...found }, [...new Set(buffersOf(found))]);
});

digitWeights().catch(() => {}); // on their way before they are asked for; who asks hears of a failure
