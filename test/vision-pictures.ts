// Pictures that Python and these tests make alike: test/pillow/digests.py.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A picture of bytes. */
export interface Picture {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

export function hash32(i: number): number {
  let h = (Math.imul(i, 0x9e3779b1) + 0x7f4a7c15) >>> 0;
  h = (h ^ (h >>> 15)) >>> 0;
  return Math.imul(h, 0x85ebca6b) >>> 0;
}

/** Noise; every third picture has only black and white. */
export function noise(width: number, height: number, channels: number, seed: number): Picture {
  const pick = seed % 3 === 2 ? (h: number) => 255 * (h >>> 31) : (h: number) => h >>> 24;
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => pick(hash32(i + seed)));
  return { data, width, height, channels };
}

/** What digests.py writes of bytes. */
export const digest = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex").slice(0, 12);

/** Colours of RGBA bytes: three, or grey. */
export function channelsOf(rgba: Uint8Array, channels: number): Uint8Array {
  if (channels === 4) return rgba;
  const out = new Uint8Array((rgba.length / 4) * channels);
  for (let i = 0; i < out.length; i++) out[i] = rgba[4 * Math.floor(i / channels) + (i % channels)] as number;
  return out;
}

export const visionBinary = (name: "vision" | "vision-debug"): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url)));
