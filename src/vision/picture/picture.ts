// Pictures as decoders give them: bytes, 1, 3 or 4 a pixel.
import { integer, tagOf } from "../../base/check.js";
import { show } from "../../base/errors.js";

/**
 * A picture of bytes, row by row from the top: grey, red green blue, or red green blue alpha. ImageData and what jpeg-js, pngjs,
 * fast-png, sharp (raw, with its info) and Jimp (its bitmap) give are such pictures.
 */
export interface Picture {
  /** width x height x channels bytes. */
  readonly data: Uint8Array | Uint8ClampedArray;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Bytes a pixel: 1, 3 or 4. Default: what the length of the data says. */
  readonly channels?: number;
}

/** A picture as sharp answers it, { resolveWithObject: true }. */
export interface RawPicture {
  /** Bytes. */
  readonly data: Uint8Array | Uint8ClampedArray;
  /** What they are. */
  readonly info: Omit<Picture, "data">;
}

/** RGBA bytes, as ImageData takes them. */
export interface RgbaPicture {
  /** 4 bytes a pixel. */
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** Longest side, and most pixels: descriptors count bytes with 31 bits. */
export const MOST_SIDE = 2 ** 20;
const MOST_PIXELS = 2 ** 29;

/** Sizes of a picture; of sharp's, beside its data. */
export const infoOf = (image: Picture | RawPicture): Omit<Picture, "data"> =>
  (image as RawPicture).info ?? (image as Picture);

/** instanceof first: of another realm a name is made. */
const isByteArray = (data: unknown): data is Picture["data"] =>
  data instanceof Uint8Array ||
  data instanceof Uint8ClampedArray ||
  (ArrayBuffer.isView(data) && /^Uint8(Clamped)?Array$/.test(tagOf(data)));

/** Checks a picture and answers its bytes a pixel. Makes nothing. */
export function channelsIn(image: Picture | RawPicture): 1 | 3 | 4 {
  if (typeof image !== "object" || image === null)
    throw new TypeError(`"image" expected { data, width, height }, got ${show(image)}`);
  const { width, height, channels } = infoOf(image);
  requireSize(width, height);
  const { data } = image;
  if (!isByteArray(data))
    throw new TypeError(`"image.data" expected a Uint8Array or a Uint8ClampedArray, got ${show(data)}`);
  // fast-png's is a list; pngjs says true or false, of a picture that it has made colours of.
  if (typeof (image as { readonly palette?: unknown }).palette === "object")
    throw new TypeError(`"image" expected colours, got indices into a palette`);
  const found = channels ?? data.length / (width * height);
  if ((found === 1 || found === 3 || found === 4) && data.length === width * height * found) return found;
  const what = data.length === 0 && data.buffer.byteLength === 0 ? "a detached buffer" : `${data.length} bytes`;
  const each = channels === undefined ? "1, 3 or 4" : show(channels);
  if (channels !== undefined && ![1, 3, 4].includes(channels))
    throw new RangeError(`"image.channels" expected 1, 3 or 4, got ${show(channels)}`);
  throw new RangeError(`"image.data" expected ${width} x ${height} pixels of ${each} bytes, got ${what}`);
}

export function requireSize(width: number, height: number): void {
  integer("image.width", width, 1, MOST_SIDE);
  integer("image.height", height, 1, MOST_SIDE);
  if (width * height > MOST_PIXELS)
    throw new RangeError(`"image" expected at most ${MOST_PIXELS} pixels, got ${width} x ${height}`);
}
