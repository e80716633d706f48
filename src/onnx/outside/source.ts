// A file's bytes, from where they come.
import { ModelError, show } from "../base/errors.js";
import type { OnnxOptions } from "./load.js";

/** Where a file comes from: its bytes, or a stream or response that brings them. */
export type OnnxSource = Uint8Array | ArrayBuffer | ReadableStream<Uint8Array> | Response;

export async function bytesOf(source: unknown, onProgress: OnnxOptions["onProgress"]): Promise<Uint8Array> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) {
    const bytes = new Uint8Array(
      source instanceof ArrayBuffer ? source : source.buffer,
      ...(source instanceof ArrayBuffer ? [] : [source.byteOffset, source.byteLength]),
    );
    onProgress?.({ loaded: bytes.length, total: bytes.length });
    return bytes;
  }
  let stream: unknown = source;
  let total: number | undefined;
  if (typeof Response === "function" && source instanceof Response) {
    if (!source.ok) throw new ModelError(`"source" expected a response with the model, got status ${source.status}`);
    stream = source.body;
    const length = Number(source.headers.get("content-length"));
    if (length > 0 && source.headers.get("content-encoding") === null) total = length;
  }
  if (!(stream instanceof ReadableStream)) {
    throw new TypeError(`"source" expected bytes, a ReadableStream or a Response, got ${show(source)}`);
  }
  const chunks: Uint8Array[] = [];
  let loaded = 0;
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!(value instanceof Uint8Array)) throw new TypeError(`"source" expected chunks of bytes, got ${show(value)}`);
      chunks.push(value);
      loaded += value.length;
      onProgress?.({ loaded, total });
    }
  } catch (error) {
    reader.cancel(error).catch(() => {}); // nobody waits for the rest
    throw error;
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
