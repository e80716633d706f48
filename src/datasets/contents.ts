// The bytes of a data set file, inflated if need be. Not trusted: they may be cut, damaged or a gzip bomb.
import { asBytes, integer, knownOptions } from "../base/check.js";
import { DataError, UnsupportedError } from "../base/errors.js";

/** Limits of a reader. */
export interface DatasetOptions {
  /** Largest file read, in bytes after inflating. Default: 1 GiB. */
  readonly maxBytes?: number;
}

const DEFAULT_MAX_BYTES = 2 ** 30;
/** What `check` may need to see of a longer file: the longest IDX header, of 255 dimensions. */
const HEAD_BYTES = 4 + 4 * 255;
/** An empty gzip file: 10 bytes of header, 2 of deflate, 8 of trailer. */
const MIN_GZIP_BYTES = 20;
/** Deflate's best: a match of 258 bytes in two bits. A file that claims more is lying. */
const MAX_RATIO = 1032;
/**
 * Compressed bytes handed over at a time. Engines may inflate all of one chunk before we see any of it, so a
 * bomb runs past its limit by at most 1032 times this, 16 MiB.
 */
const CHUNK_BYTES = 16384;

/** Throws unless the first bytes of a file fit its length. `head` is all of it, or at least HEAD_BYTES. */
type Check = (head: Uint8Array, length: number) => void;

/** Answers what the file holds, checked: a view of plain `bytes`, new memory if they are gzip. */
export async function contents(bytes: unknown, options: DatasetOptions, check: Check): Promise<Uint8Array> {
  const file = asBytes(bytes);
  knownOptions("options", options, ["maxBytes"]);
  const maxBytes = integer("maxBytes", options.maxBytes ?? DEFAULT_MAX_BYTES, 0);
  const gzipped = file[0] === 0x1f && file[1] === 0x8b;
  if (!gzipped && file.length > maxBytes) {
    throw new DataError(`"bytes" expected at most ${maxBytes} bytes, got ${file.length}`);
  }
  const data = gzipped ? await gunzip(file, maxBytes, check) : file;
  check(data, data.length);
  return data;
}

/**
 * A gzip file ends in its inflated length. Held to that, it needs one allocation, of at most 1032 times the
 * file; and bytes after its end, which some engines pass over, make that length wrong.
 */
async function gunzip(file: Uint8Array, maxBytes: number, check: Check): Promise<Uint8Array> {
  if (typeof DecompressionStream === "undefined") {
    throw new UnsupportedError(`"bytes" expected plain bytes, for want of DecompressionStream, got gzip`);
  }
  if (file.length < MIN_GZIP_BYTES) {
    throw new DataError(`"bytes" expected at least ${MIN_GZIP_BYTES} bytes of gzip, got ${file.length}`);
  }
  const length = new DataView(file.buffer, file.byteOffset + file.length - 4).getUint32(0, true);
  const claim = `a gzip trailer that says ${length}`;
  if (length > file.length * MAX_RATIO) {
    throw new DataError(`"bytes" expected whole gzip data, got ${file.length} bytes with ${claim}`);
  }
  if (length > maxBytes) throw new DataError(`"bytes" expected at most ${maxBytes} bytes, got ${claim}`);

  const inflated = new Uint8Array(length);
  const reader = inChunks(file).pipeThrough(new DecompressionStream("gzip")).getReader();
  const wrongLength = (got: string | number) =>
    new DataError(`"bytes" expected ${length} inflated bytes, as its gzip trailer says, got ${got}`);
  const damaged = (cause: unknown) =>
    new DataError(`"bytes" expected intact gzip data, got damage after ${filled} inflated bytes`, { cause });
  let filled = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw damaged(cause);
      });
      if (done) break;
      const before = filled;
      filled += value.length;
      if (filled > length) throw wrongLength("more");
      inflated.set(value, before);
      if (before < HEAD_BYTES && filled >= HEAD_BYTES) check(inflated.subarray(0, filled), length);
    }
  } finally {
    // Stops the inflating; after the end it does nothing. What brought us here is the error to report.
    reader.cancel().catch(() => {});
  }
  if (filled < length) throw wrongLength(filled);
  return inflated;
}

/** Copies of slices, one at a time as they are asked for: streams refuse shared memory. */
function inChunks(file: Uint8Array): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(file.slice(at, at + CHUNK_BYTES));
      at += CHUNK_BYTES;
      if (at >= file.length) controller.close();
    },
  });
}
