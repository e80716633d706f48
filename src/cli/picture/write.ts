// Pixels to PNG files.
import png from "pngjs/lib/png-sync.js";

/** The bytes of a PNG. data: RGBA. */
export function pngOf({
  data,
  width,
  height,
}: {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
}): Uint8Array {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return png.write({ data: bytes, width, height, gamma: 0 }, { deflateLevel: 6 });
}
