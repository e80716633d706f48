// What bytes are, as a short text: equal texts for equal bytes, and for others by chance once in 2^64.

/**
 * Source of the rounds: MurmurHash3, Austin Appleby, public domain; twice, with constants of their own. Its last steps, which only
 * spread bits, are left out.
 */
const LANES = [
  [0xcc9e2d51, 0x1b873593],
  [0x239b961b, 0x38b34ae5],
] as const;

const turned = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** What columns of numbers hold, as a text. */
export const columnText = (...columns: readonly ArrayLike<number>[]): string =>
  columns.map((column) => digest(ArrayBuffer.isView(column) ? column : Float64Array.from(column))).join(" ");

/** 64 bits, as two numbers. A gigabyte takes a second. */
export function digest({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  const isAligned = (byteOffset | byteLength) % 4 === 0;
  const padded = new Uint8Array(isAligned ? 0 : byteLength + (-byteLength & 3));
  if (!isAligned) padded.set(new Uint8Array(buffer, byteOffset, byteLength));
  const words = isAligned ? new Int32Array(buffer, byteOffset, byteLength / 4) : new Int32Array(padded.buffer);
  return LANES.map(([c1, c2]) => {
    let h = byteLength;
    for (let i = 0; i < words.length; i++) {
      h ^= Math.imul(turned(Math.imul(words[i] as number, c1), 15), c2);
      h = (Math.imul(turned(h, 13), 5) + 0xe6546b64) | 0;
    }
    return h;
  }).join();
}
