// Picture files for tests: made here byte by byte, or by Pillow 9.4 where no encoder of ours can.
import { crc32, deflateSync } from "node:zlib";
import jpeg from "jpeg-js";

/** Pillow: 16 x 16 of four inks, 8 x 8 each: cyan, magenta, yellow, half black. quality=95. */
export const CMYK = Buffer.from(
  "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwACAQEBAQECAQEBAgICAgIEAwICAgIFBAQDBAYFBgYGBQYGBgcJCAYHCQcGBggLCAkKCgoKCgYICwwLCgwJCgoK/8AAFAgAEAAQBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD+f+v38r9/K/fyv7/K/gDooor+/wAr+AOiiiv7/K/n/r//2Q==",
  "base64",
);
/** Pillow: progressive, 4:2:0, 24 x 16: red 10 x, green 15 y, blue x y mod 256. quality=90. */
export const PROGRESSIVE = Buffer.from(
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/wgARCAAQABgDASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAABgcA/8QAFgEBAQEAAAAAAAAAAAAAAAAABQMH/9oADAMBAAIQAxAAAAGGpHy4Iyb62aurf//EABgQAAMBAQAAAAAAAAAAAAAAAAADBQQB/9oACAEBAAEFAkShEgRGM0ozSBc7iz//xAAcEQABAwUAAAAAAAAAAAAAAAABAAURAgMEEiH/2gAIAQMBAT8Ba3/WOrFf6zbEFf/EAB0RAAIBBAMAAAAAAAAAAAAAAAEDAAIEBRQiYbH/2gAIAQIBAT8Btm7Ua7GIrK3M5DonwGf/xAAYEAEBAQEBAAAAAAAAAAAAAAAAMREBEv/aAAgBAQAGPwKIiIzzvX//xAAXEAEBAQEAAAAAAAAAAAAAAAARAAFx/9oACAEBAAE/IWKxWKxWLp5w8v/aAAwDAQACAAMAAAAQcw//xAAXEQADAQAAAAAAAAAAAAAAAAAAASFx/9oACAEDAQE/EBLyhqP/xAAaEQEBAAMBAQAAAAAAAAAAAAABEQAhQTFR/9oACAECAQE/ENfduABPQIn4oKdLTuf/xAAaEAADAQADAAAAAAAAAAAAAAAAAeERMUFx/9oACAEBAAE/EJAkCRJImjaXFPiS9fR//9k=",
  "base64",
);
/** Of its pixels, as Pillow reads them. */
export const PROGRESSIVE_SHA256 = "d7d3770a5a130105d0e34f7b8ff433f9f9bb64b7ce8f5f38fc74cfdf27f6513b";
/** Pillow: the same as WebP, and two frames of it. */
export const WEBP = Buffer.from(
  "UklGRnwAAABXRUJQVlA4IHAAAABQBACdASoYABAAPtFYpEuoJSOhsAgBABoJbACdLwJ6SBLiXhhhlmB0ZO8AAP7+d0OrN2xNTpayPMLYdyxAfZ7+D+O2uQ3HV+WWQtWp/HNyUsRuugnvRVJRPylHjumvr2rQw60qn8lfj9qgLJgPAAAA",
  "base64",
);
export const ANIMATED_WEBP = Buffer.from(
  "UklGRjgBAABXRUJQVlA4WAoAAAACAAAAFwAADwAAQU5JTQYAAAAAAAAAAABBTk1GggAAAAAAAAAAABcAAA8AAGQAAAJWUDggagAAAJADAJ0BKhgAEAA/OZC+Va8qpqMwCAHgJwlsJwAP5QBwAA3EbgAA/ufP/O//7TIX+cJ//zBe91NnwhgFTwh8G1I3xVTA+objaLmb5H6tBfs8cBrbemPBwI9MABY2Vu80fdyc1JtX2+swAABBTk1GggAAAAAAAAAAABcAAA8AAGQAAABWUDggagAAAPQCAJ0BKhgAEAA/OZi+VgMAgAACcJbC2ACAKAAETsYAAP7STz58Xx3Ua/1W0hDrRPPN1ILqwZvS+2XcjXur9c0cZxPimJWrbxgJ0aTDln+bpfAbwr5638pziG4LYzb+TkxT+LTXgYAeuAA=",
  "base64",
);
/** The first bytes of an iPhone's photo. */
export const HEIC = Buffer.from("\0\0\0\x24ftypheic\0\0\0\0mif1MiHEmiafMiHBheic", "latin1");

type Rgba = readonly [red: number, green: number, blue: number, alpha?: number];

/** A JPEG of pixels by place. */
export function jpegOf(width: number, height: number, pixel: (x: number, y: number) => Rgba, quality = 95): Buffer {
  const data = Buffer.alloc(4 * width * height, 255);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) data.set(pixel(x, y) as readonly number[], 4 * (y * width + x));
  return jpeg.encode({ data, width, height }, quality).data;
}

/** The same file with an EXIF orientation. */
export function turned(file: Buffer, orientation: number): Buffer {
  const tiff = Buffer.from([
    0x4d,
    0x4d,
    0,
    42,
    0,
    0,
    0,
    8,
    0,
    1,
    0x01,
    0x12,
    0,
    3,
    0,
    0,
    0,
    1,
    0,
    orientation,
    0,
    0,
    0,
    0,
    0,
    0,
  ]);
  const body = Buffer.concat([Buffer.from("Exif\0\0", "latin1"), tiff]);
  const head = Buffer.from([0xff, 0xe1, 0, body.length + 2]);
  return Buffer.concat([file.subarray(0, 2), head, body, file.subarray(2)]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

export interface PngForm {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA. */
  readonly colour: number;
  /** Bytes of all rows, unfiltered. */
  readonly rows: readonly (readonly number[])[];
  readonly palette?: readonly number[];
  readonly transparency?: readonly number[];
}

/** A PNG as the standard (ISO/IEC 15948) has it, nothing filtered. */
export function pngFile({ width, height, depth, colour, rows, palette, transparency }: PngForm): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([depth, colour, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", head),
    ...(palette ? [chunk("PLTE", Uint8Array.from(palette))] : []),
    ...(transparency ? [chunk("tRNS", Uint8Array.from(transparency))] : []),
    chunk("IDAT", deflateSync(Uint8Array.from(rows.flatMap((row) => [0, ...row])))),
    chunk("IEND", new Uint8Array()),
  ]);
}

/** An opaque PNG of one colour. */
export const plainPng = (width: number, height: number, [red, green, blue]: Rgba): Buffer =>
  pngFile({
    ...{ width, height, depth: 8, colour: 2 },
    rows: Array.from({ length: height }, () => Array.from({ length: width }, () => [red, green, blue]).flat()),
  });
