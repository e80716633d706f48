// mozjpeg in WebAssembly: the bytes that libjpeg-turbo, and so Pillow, gives.

import binary from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
import decode, { init } from "@jsquash/jpeg/decode.js";

let ready: Promise<void> | undefined;

/** What it says goes nowhere: our own errors say it. */
const SILENT = { print: () => {}, printErr: () => {} };

export async function decodeJpeg(
  bytes: Uint8Array,
): Promise<{ data: Uint8ClampedArray; width: number; height: number }> {
  ready ??= Promise.resolve(binary()).then((module) => init(module, SILENT));
  await ready;
  return decode(bytes, { preserveOrientation: false });
}
