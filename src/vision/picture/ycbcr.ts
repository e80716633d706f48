// Pillow's YCbCr (src/libImaging/ConvertYCbCr.c): tables of products with 6 bits behind the point, rounded as C casts.
import { channelsIn, infoOf, type Picture, type RawPicture, type RgbaPicture } from "./picture.js";

const table = (factor: number, zero: number): Int32Array =>
  Int32Array.from({ length: 256 }, (_, i) => Math.trunc(factor * 64 * (i - zero) + 0.5));

/** A picture as luma and chroma, three bytes a pixel. */
export function yCbCrOf(image: Picture | RawPicture): Picture {
  const channels = channelsIn(image);
  const { width, height } = infoOf(image);
  const { data } = image;
  const out = new Uint8Array(width * height * 3);
  const rows = [
    [0.299, 0.587, 0.114],
    [-0.16874, -0.33126, 0.5],
    [0.5, -0.41869, -0.08131],
  ].map((row) => row.map((factor) => table(factor, 0)));
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
  for (let i = 0, at = 0; i < out.length; i += 3, at += channels) {
    const [r, g, b] = [data[at] as number, data[at + green] as number, data[at + blue] as number];
    for (let k = 0; k < 3; k++) {
      const [R, G, B] = rows[k] as [Int32Array, Int32Array, Int32Array];
      const sum = ((R[r] as number) + (G[g] as number) + (B[b] as number)) >> 6;
      out[i + k] = k === 0 ? sum : sum + 128;
    }
  }
  return { data: out, width, height, channels: 3 };
}

/** A luma with the chroma of a picture whose pixels are luma, Cb and Cr. Writes into the picture. */
export function lumaMerged(luma: Picture["data"], chroma: RgbaPicture): RgbaPicture {
  const { data } = chroma;
  const [redOfCr, greenOfCb, greenOfCr, blueOfCb] = [1.402, -0.34414, -0.71414, 1.772].map((f) => table(f, 128)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  for (let i = 0; i < data.length; i += 4) {
    const [y, cb, cr] = [luma[i >> 2] as number, data[i + 1] as number, data[i + 2] as number];
    data[i] = y + ((redOfCr[cr] as number) >> 6);
    data[i + 1] = y + (((greenOfCb[cb] as number) + (greenOfCr[cr] as number)) >> 6);
    data[i + 2] = y + ((blueOfCb[cb] as number) >> 6);
  }
  return chroma;
}
