// Pictures: files to pixels. A picture is as large as its head says, and that is bounded before anything is decoded.
import { FileError, UsageError } from "../errors.js";
import { type PictureHead, pictureHead } from "./header.js";

/** Default of --max-pixels. */
export const MAX_PIXELS = 100e6;

/** Where the head of a PNG says how many bits a sample has. */
const DEPTH_AT = 24;

/** Pixels as they lie in the file, in RGBA, and how they are to be turned. */
export interface DecodedPicture {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels: 4;
  readonly orientation: number;
}

export async function readPicture(bytes: Uint8Array, name: string, maxPixels = MAX_PIXELS): Promise<DecodedPicture> {
  const head = pictureHead(bytes, name);
  const { width, height, orientation } = head;
  if (width * height > maxPixels)
    throw new UsageError(
      `"${name}" expected at most ${maxPixels} pixels (--max-pixels), got ${width} x ${height} = ${width * height}`,
    );
  const data = await decoded(bytes, head, name);
  if (data.length !== 4 * width * height)
    throw new FileError(`"${name}" expected ${width} x ${height} pixels, as its head says, got ${data.length / 4}`);
  return { data, width, height, channels: 4, orientation };
}

async function decoded(bytes: Uint8Array, head: PictureHead, name: string): Promise<Uint8Array | Uint8ClampedArray> {
  try {
    if (head.kind === "png") return await ofPng(bytes);
    if (head.components === 4) return await ofInk(bytes, head);
    return (await (await import("./mozjpeg.js")).decodeJpeg(bytes)).data;
  } catch (cause) {
    if (cause instanceof FileError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FileError(
      `"${name}" expected a ${head.kind.toUpperCase()} that can be decoded, got one that cannot: ${reason}`,
      { cause },
    );
  }
}

/** Of 16 bits the upper 8, as Pillow has it. */
async function ofPng(bytes: Uint8Array): Promise<Uint8Array> {
  const { default: png } = await import("pngjs/lib/png-sync.js");
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes[DEPTH_AT] !== 16) return png.read(file).data;
  const wide = png.read(file, { skipRescale: true }).data;
  return Uint8Array.from(wide, (value) => value >> 8);
}

/** CMYK, which mozjpeg's module refuses: the other decoder, a fourth as fast. */
async function ofInk(bytes: Uint8Array, { width, height }: PictureHead): Promise<Uint8Array> {
  const { default: jpeg } = await import("jpeg-js");
  const megabytes = Math.ceil((width * height * 40) / 2 ** 20) + 64;
  const options = { useTArray: true, maxMemoryUsageInMB: megabytes, maxResolutionInMP: Infinity } as const;
  return jpeg.decode(bytes, options).data;
}

/**
 * Gives a picture's pixels back, which nobody may read any more. Otherwise they would wait, as objects that have seen a collection, for
 * a large one, which 200 MB of them may precede; what takes them over here is young, and goes with the next small one.
 */
export function forget({ data }: Pick<DecodedPicture, "data">): void {
  const { buffer, byteLength } = data;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength)
    structuredClone(buffer, { transfer: [buffer] });
}
