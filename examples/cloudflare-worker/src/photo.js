// A posted JPEG or PNG as pixels. Sizes are read from the header first: a file of a few KB may say 30,000 x 30,000.
import decodeJpeg, { init } from "@jsquash/jpeg/decode.js";
import { decode as decodePng } from "fast-png";
import mozjpeg from "../node_modules/@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";

const MOST_PIXELS = 4e6; // 16 MB of RGBA, of an isolate's 128 MB

/** What a request may be told: { message, status }. */
export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** [width, height] of a PNG, whose first chunk says it, or of a JPEG: its frame's header, behind other segments. */
function sizeOf(view) {
  if (view.byteLength > 24 && view.getUint32(0) === 0x89504e47) return [view.getUint32(16), view.getUint32(20)];
  if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 < view.byteLength && view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint8(at + 1);
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return [view.getUint16(at + 7), view.getUint16(at + 5)];
  }
  return undefined;
}

let ready; // the decoder, once an isolate

/** { data, width, height, channels? } of a file's bytes. */
export async function readPhoto(bytes) {
  const view = new DataView(bytes);
  const size = sizeOf(view);
  if (size === undefined) throw new Refusal("expected a JPEG or a PNG", 415);
  if (size[0] * size[1] > MOST_PIXELS) throw new Refusal(`expected at most ${MOST_PIXELS} pixels, got ${size}`, 413);
  try {
    if (view.getUint16(0) === 0xffd8) {
      ready ??= init(mozjpeg);
      await ready;
      return await decodeJpeg(bytes);
    }
    const photo = decodePng(bytes);
    if (photo.depth !== 8 || photo.palette)
      throw new Refusal("expected a PNG of 8 bits a channel, without palette", 415);
    return photo;
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(`expected an image that can be read: ${error.message}`, 400);
  }
}
