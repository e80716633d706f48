// A file's bytes, from where they come. Everything is known by what it has, never by its class: it may be of another realm or a
// polyfill, and naming a class that an engine lacks would throw. A chunk of its own: bytes need none of it.
import { asBytes, isBytes, tagOf } from "../../base/check.js";
import { ModelError, show } from "../../base/errors.js";
import type { ByteStream, Global } from "../../base/globals.js";
import type { OnnxOptions } from "../load.js";

/** A source that is there, or brings the file when it is read. An address is fetched only where it is the source itself. */
export type OneSource =
  | Uint8Array
  | ArrayBuffer
  | Global<"Blob">
  | Global<"Response">
  | Global<"Request">
  | Global<"URL">
  | string
  | ByteStream
  | AsyncIterable<Uint8Array>;

/**
 * Where a file comes from: its bytes; a Blob or File, Response, ReadableStream, Node stream or any async iterable that brings
 * them; an address (URL, string or Request), which is fetched; or a promise of one of these.
 */
export type OnnxSource = OneSource | PromiseLike<OneSource>;

/** What came of a source. */
export interface Brought {
  readonly bytes: Uint8Array;
  /** Nobody else has the bytes. */
  readonly isOurs: boolean;
  /** Its address, where it has one. */
  readonly from?: string;
}

type Progress = OnnxOptions["onProgress"];

export async function bytesFrom(given: unknown, onProgress: Progress): Promise<Brought> {
  const source = await given;
  if (isBytes(source)) return whole(asBytes(source), false, onProgress);
  if (typeof source === "string" || (isObject(source) && /^(URL|Request)$/.test(tagOf(source))))
    return ofResponse(await fetched(source as string), onProgress);
  if (isObject(source)) {
    const { status, size, arrayBuffer } = source as Partial<Response & Blob>;
    const isReadable = typeof arrayBuffer === "function";
    if (isReadable && typeof status === "number") return ofResponse(source as Response, onProgress);
    if (isReadable && typeof size === "number")
      return whole(new Uint8Array(await (source as Blob).arrayBuffer()), true, onProgress);
    if (/^(Blob|File)$/.test(tagOf(source))) return whole(await readBlob(source as Blob), true, onProgress);
    if (isStream(source)) return { bytes: await gathered(source, undefined, onProgress), isOurs: true };
  }
  throw new TypeError(
    `"source" expected bytes, an address, or a Blob, Response or stream that brings them, got ${show(source)}`,
  );
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

const isStream = (value: object): value is ReadableStream<unknown> | AsyncIterable<unknown> =>
  typeof (value as ReadableStream).getReader === "function" || Symbol.asyncIterator in value;

/** Bytes that are there at once. */
function whole(bytes: Uint8Array, isOurs: boolean, onProgress: Progress): Brought {
  onProgress?.({ loaded: bytes.length, total: bytes.length });
  return { bytes, isOurs };
}

/** What an address answers. Browsers take one that begins at the page's, Node does not; no fetch takes paths of files. */
async function fetched(address: string | URL | Request): Promise<Response> {
  const shown = show(typeof address === "object" && "url" in address ? address.url : String(address));
  try {
    return await fetch(address);
  } catch (cause) {
    const message = `"source" expected an address that fetch() reaches (of a file on disk, its bytes: await readFile(…)), got ${shown}`;
    throw new ModelError(message, { cause });
  }
}

async function ofResponse(response: Response, onProgress: Progress): Promise<Brought> {
  const { url, body, headers } = response;
  const from = url || undefined;
  const at = from ? ` from ${from}` : "";
  if (response.type === "opaque")
    throw new ModelError(
      `"source" expected a response that may be read, got an opaque one${at} (fetch mode "no-cors")`,
    );
  if (!response.ok)
    throw new ModelError(`"source" expected a response with the model, got status ${response.status}${at}`);
  if (response.bodyUsed)
    throw new TypeError(`"source" expected a response that nobody has read, got one read before${at}`);
  const length = Number(headers?.get("content-length"));
  const total = length > 0 && headers.get("content-encoding") === null ? length : undefined;
  // All at once where nobody wants to know how it gets on: engines keep one copy then.
  const bytes =
    onProgress && body && isStream(body)
      ? await gathered(body, total, onProgress)
      : new Uint8Array(await response.arrayBuffer());
  if (!(onProgress && body)) onProgress?.({ loaded: bytes.length, total });
  return { bytes, isOurs: true, from };
}

/** Blobs of jsdom have no arrayBuffer(). */
function readBlob(blob: Blob): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(asBytes(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsArrayBuffer(blob);
  });
}

/** All of a stream, as one array. */
async function gathered(
  stream: ReadableStream<unknown> | AsyncIterable<unknown>,
  total: number | undefined,
  onProgress: Progress,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let loaded = 0;
  const take = (chunk: unknown) => {
    if (!isBytes(chunk)) throw new TypeError(`"source" expected chunks of bytes, got ${show(chunk)}`);
    chunks.push(asBytes(chunk));
    loaded += chunk.byteLength;
    onProgress?.({ loaded, total });
  };
  if ("getReader" in stream) {
    const reader = stream.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        take(value);
      }
    } catch (error) {
      reader.cancel(error).catch(() => {}); // nobody waits for the rest
      throw error;
    }
  } else for await (const chunk of stream) take(chunk);
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
