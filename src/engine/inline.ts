// Kernel bytes inside JavaScript, as text that gzip shrinks like the bytes themselves: 19 KB where base64, which cuts the
// repetitions of code apart, takes 27 KB. Byte 86 k + r - 3 modulo 256 is digit r, behind one escape where k > 0: wasm's common
// bytes are below 83, but for 0xfd before every vector instruction.

/** Digits "#" … "x", no quotes among them; escapes "y" and "z" stand for k = 1 and k = 2. */
const FIRST = 35;
const DIGITS = 86;
const SHIFT = 3;
const PAGE_BYTES = 65536;

/**
 * The decoder is wasm too: under a millisecond where a loop in cold JavaScript takes 5. It works in place, since the bytes are never ahead
 * of the text.
 *
 *   (module (memory (export "m") 1) (func (export "d") (param $end i32) (result i32)
 *     (local $from i32) (local $to i32) (local $base i32) (local $digit i32)
 *     loop
 *       (i32.store8 $to (i32.add (local.tee $digit (i32.sub (i32.load8_u $from) 38)) $base))
 *       (local.set $base (select (i32.mul (i32.sub $digit 82) 86) 0 (i32.ge_s $digit 83)))
 *       (local.set $to (i32.add $to (i32.lt_s $digit 83)))
 *       (br_if 0 (i32.lt_u (local.tee $from (i32.add $from 1)) $end))
 *     end
 *     $to))
 */
const DECODER = [
  ...[0, 97, 115, 109, 1, 0, 0, 0], // magic, version
  ...[1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f], // type: (i32) → i32
  ...[3, 2, 1, 0], // one function
  ...[5, 3, 1, 0, 1], // memory of 1 page
  ...[7, 9, 2, 1, 109, 2, 0, 1, 100, 0, 0], // exports "m" and "d"
  ...[10, 73, 1, 71, 1, 4, 0x7f, 3, 0x40], // code: 4 locals, loop
  ...[0x20, 2, 0x20, 1, 0x2d, 0, 0, 0x41, FIRST + SHIFT, 0x6b, 0x22, 4, 0x20, 3, 0x6a, 0x3a, 0, 0],
  ...[0x20, 4, 0x41, 0xd2, 0, 0x6b, 0x41, 0xd6, 0, 0x6c, 0x41, 0, 0x20, 4, 0x41, 0xd3, 0, 0x4e, 0x1b, 0x21, 3],
  ...[0x20, 2, 0x20, 4, 0x41, 0xd3, 0, 0x48, 0x6a, 0x21, 2],
  ...[0x20, 1, 0x41, 1, 0x6a, 0x22, 1, 0x20, 0, 0x49, 0x0d, 0, 0x0b, 0x20, 2, 0x0b],
];

/** The text of bytes: what the build writes into the entry. */
export function inlineText(bytes: Uint8Array): string {
  const symbol = (digit: number): string => String.fromCharCode(digit + FIRST);
  let text = "";
  for (const byte of bytes) {
    const shifted = (byte + SHIFT) % 256;
    const k = Math.floor(shifted / DIGITS);
    if (k > 0) text += symbol(DIGITS + k - 1);
    text += symbol(shifted % DIGITS);
  }
  return text;
}

/** The bytes of a text that inlineText wrote of any bytes but none, as a view of a memory of their own. */
export function inlinedBytes(text: string): Uint8Array<ArrayBuffer> {
  const { m, d } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(DECODER))).exports as {
    m: WebAssembly.Memory;
    d: (end: number) => number;
  };
  m.grow(Math.ceil(text.length / PAGE_BYTES));
  const bytes = new Uint8Array(m.buffer);
  if (typeof TextEncoder === "function") new TextEncoder().encodeInto(text, bytes);
  else for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i); // jsdom
  return new Uint8Array(m.buffer, 0, d(text.length));
}
