// CIFAR-10's binary version: records of one label byte and a picture of 3 colour planes of 32 x 32 bytes.
import { DataError } from "../base/errors.js";
import { contents, type DatasetOptions } from "./contents.js";

const IMAGE_BYTES = 3 * 32 * 32;
const RECORD_BYTES = 1 + IMAGE_BYTES;

/** Names of the labels 0 to 9. */
const CLASSES = Object.freeze([
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
] as const);

/** Pictures and labels of one file. */
export interface Cifar10 {
  /** N pictures in [N, 3, 32, 32] order, channels red, green, blue. */
  readonly images: Uint8Array;
  /** N labels, 0 to 9. */
  readonly labels: Uint8Array;
  /** Of `images`. */
  readonly shape: readonly [N: number, C: 3, H: 32, W: 32];
  /** classes[label] is its name. */
  readonly classes: typeof CLASSES;
}

/**
 * Reads one file of CIFAR-10 (data_batch_1.bin to data_batch_5.bin, test_batch.bin), plain or gzipped.
 *
 * @throws (rejects with) DataError for a file that is cut, damaged or larger than maxBytes, TypeError for what is no bytes,
 *   UnsupportedError for gzip where the engine has no DecompressionStream.
 */
export async function readCifar10(bytes: Uint8Array | ArrayBuffer, options: DatasetOptions = {}): Promise<Cifar10> {
  const file = await contents(bytes, options, checkLength);
  const count = file.length / RECORD_BYTES;
  const images = new Uint8Array(count * IMAGE_BYTES);
  const labels = new Uint8Array(count);
  for (let n = 0; n < count; n++) {
    const at = n * RECORD_BYTES;
    const label = file[at] as number;
    if (label >= CLASSES.length) {
      throw new DataError(`"bytes" expected labels from 0 to 9, got ${label} in record ${n}`);
    }
    labels[n] = label;
    images.set(file.subarray(at + 1, at + RECORD_BYTES), n * IMAGE_BYTES);
  }
  return { images, labels, shape: [count, 3, 32, 32], classes: CLASSES };
}

function checkLength(_head: Uint8Array, length: number): void {
  if (length > 0 && length % RECORD_BYTES === 0) return;
  throw new DataError(`"bytes" expected one or more records of ${RECORD_BYTES} bytes, got ${length} bytes`);
}
