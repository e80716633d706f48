// What a picture file is, by its head: kind, size, orientation, whether all of it is there. Nothing is decoded.
import { FileError, FormatError } from "../errors.js";

export interface PictureHead {
  readonly kind: "jpeg" | "png";
  readonly width: number;
  readonly height: number;
  /** EXIF's, 1 to 8. */
  readonly orientation: number;
  /** Of a JPEG: 1 grey, 3 colours, 4 CMYK. */
  readonly components: number;
}

/** By first bytes, one character each: what a file is that is no picture that is read, and what to do. */
// biome-ignore-start lint/suspicious/noControlCharactersInRegex: files begin with them.
const OTHERS: readonly (readonly [RegExp, string, string, isPicture?: boolean])[] = [
  [/^$/, "an empty file", ""],
  [/^RIFF[\s\S]{4}WEBP/, "a WebP", ": convert it (dwebp in.webp -o out.png, or magick in.webp out.png)", true],
  [/^[\s\S]{4}ftyp(avif|avis)/, "an AVIF", ": convert it (avifdec in.avif out.png)", true],
  [
    /^[\s\S]{4}ftyp(hei|hev|mif1|msf1)/,
    "a HEIC",
    ": convert it (heif-convert in.heic out.jpg, or sips -s format jpeg on a Mac)",
    true,
  ],
  [/^GIF8/, "a GIF", ": convert it (magick in.gif[0] out.png)", true],
  [/^BM/, "a BMP", ": convert it (magick in.bmp out.png)", true],
  [/^(II\*\0|MM\0\*)/, "a TIFF", ": convert it (magick in.tif out.png)", true],
  [/^(\xff\x0a|\0\0\0\x0cJXL )/, "a JPEG XL", ": convert it (djxl in.jxl out.png)", true],
  [/^%PDF/, "a PDF", ": export its pages as pictures (pdftoppm -png)", true],
  [/^\x93NUMPY/, "a NumPy array", ": --input takes it"],
  [/^version https:\/\/git-lfs/, "a git-lfs pointer", ': "git lfs pull" fetches the file'],
  [/^\s*<(!doctype html|html)/i, "a web page (HTML)", ""],
  [/^\s*(<\?xml|<svg)/i, "an SVG or XML", ": export it as PNG"],
  [/^[\t\n\r -~\x80-\xff]{8,}$/, "text", ""],
];
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: see above.

/** Of the flags of a WebP with more than pixels. */
const WEBP_ANIMATION = 2;

const latin = (bytes: Uint8Array, from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));

/** Throws FileError and FormatError. name: the file's, for sentences. */
export function pictureHead(bytes: Uint8Array, name: string): PictureHead {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpegHead(bytes, name);
  if (latin(bytes, 0, 8) === "\x89PNG\r\n\x1a\n") return pngHead(bytes, name);
  const head = latin(bytes, 0, 64);
  if (/^RIFF[\s\S]{4}WEBPVP8X/.test(head) && (bytes[20] as number) & WEBP_ANIMATION)
    throw new FormatError(
      `"${name}" expected a JPEG or PNG, got an animated WebP: take one frame of it (webpmux -get frame 1, then dwebp)`,
    );
  const [, what = "other bytes", todo = "", isPicture = false] = OTHERS.find(([pattern]) => pattern.test(head)) ?? [];
  const message = `"${name}" expected a JPEG or PNG, got ${what}${todo}`;
  throw isPicture ? new FormatError(message) : new FileError(message);
}

const truncated = (name: string, what: string) =>
  new FileError(`"${name}" expected a whole ${what}, got a truncated one: the rest would be grey`);

/** Markers without a length. */
const isBare = (marker: number) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);

/** Walks the markers to the end of the picture: thumbnails inside of segments are passed over. */
function jpegHead(bytes: Uint8Array, name: string): PictureHead {
  const at16 = (at: number) => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  let head: { width: number; height: number; components: number } | undefined;
  let orientation = 1;
  let isScanned = false;
  let at = 2;
  for (;;) {
    // Between segments: bytes of a scan, and fill bytes.
    while (at < bytes.length && !(bytes[at] === 0xff && bytes[at + 1] !== 0 && bytes[at + 1] !== 0xff)) at++;
    if (at + 1 >= bytes.length) throw truncated(name, "JPEG");
    const marker = bytes[at + 1] as number;
    at += 2;
    if (marker === 0xd9) {
      if (!isScanned) throw truncated(name, "JPEG");
      break;
    }
    if (isBare(marker)) continue;
    const length = at16(at);
    if (at + 2 > bytes.length || at + length > bytes.length || length < 2) throw truncated(name, "JPEG");
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      head ??= frameOf(bytes, at, marker, name);
    if (marker === 0xe1 && latin(bytes, at + 2, at + 8) === "Exif\0\0")
      orientation = orientationOf(bytes.subarray(at + 8, at + length)) ?? orientation;
    if (marker === 0xda) isScanned = true;
    at += length;
  }
  if (head === undefined) throw truncated(name, "JPEG");
  return { kind: "jpeg", orientation, ...head };
}

function frameOf(bytes: Uint8Array, at: number, marker: number, name: string) {
  const [precision, h1 = 0, h0 = 0, w1 = 0, w0 = 0, components = 0] = bytes.subarray(at + 2, at + 8);
  // Baseline, extended and progressive by Huffman: all that a decoder has; not lossless, hierarchical or arithmetic.
  if (marker > 0xc2)
    throw new FormatError(`"${name}" expected a baseline or progressive JPEG, got one of kind SOF${marker - 0xc0}`);
  if (precision !== 8) throw new FormatError(`"${name}" expected a JPEG of 8 bits, got one of ${precision}`);
  const [width, height] = [(w1 << 8) | w0, (h1 << 8) | h0];
  if (width === 0 || height === 0)
    throw new FileError(`"${name}" expected a JPEG that says its size, got ${width} x ${height}`);
  return { width, height, components };
}

/** Tag 0x112 of the first directory of a TIFF header; undefined where there is none. */
function orientationOf(tiff: Uint8Array): number | undefined {
  if (tiff.length < 8) return undefined;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const order = latin(tiff, 0, 2);
  if (order !== "II" && order !== "MM") return undefined;
  const isLittle = order === "II";
  const directory = view.getUint32(4, isLittle);
  if (directory + 2 > tiff.length) return undefined;
  const count = view.getUint16(directory, isLittle);
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.length) return undefined;
    if (view.getUint16(entry, isLittle) !== 0x112) continue;
    const value = view.getUint16(entry + 8, isLittle);
    return value >= 1 && value <= 8 ? value : undefined;
  }
  return undefined;
}

function pngHead(bytes: Uint8Array, name: string): PictureHead {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 33 || latin(bytes, 12, 16) !== "IHDR") throw truncated(name, "PNG");
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  if (width === 0 || height === 0 || width > 0x7fffffff || height > 0x7fffffff)
    throw new FileError(`"${name}" expected a PNG that says its size, got ${width} x ${height}`);
  let orientation = 1;
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw truncated(name, "PNG");
    const length = view.getUint32(at);
    const type = latin(bytes, at + 4, at + 8);
    if (at + 12 + length > bytes.length) throw truncated(name, "PNG");
    if (type === "IEND") break;
    if (type === "eXIf") orientation = orientationOf(bytes.subarray(at + 8, at + 8 + length)) ?? orientation;
    at += 12 + length;
  }
  return { kind: "png", width, height, orientation, components: 4 };
}
