// Kernel bytes inside JavaScript, as text that gzip shrinks like the bytes themselves: 20 KB where base64, which cuts the
// repetitions of code apart, takes 27 KB. Byte 86 k + r is digit r, behind one escape where k > 0; wasm's common bytes are below 86.

/** Digits "#" … "[" and "]" … "y" (no backslash, no quotes); "z" and "{" stand for k = 1 and k = 2. */
const FIRST = 35;
const BACKSLASH = 92;
const DIGITS = 86;

/** The text of bytes: what the build writes into the entry. */
export function inlineText(bytes: Uint8Array): string {
  const symbol = (digit: number): string =>
    String.fromCharCode(digit + FIRST < BACKSLASH ? digit + FIRST : digit + FIRST + 1);
  let text = "";
  for (const byte of bytes) {
    const k = Math.floor(byte / DIGITS);
    if (k > 0) text += symbol(DIGITS + k - 1);
    text += symbol(byte % DIGITS);
  }
  return text;
}

/** The bytes of a text that inlineText wrote. */
export function inlinedBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  let base = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const digit = code < BACKSLASH ? code - FIRST : code - FIRST - 1;
    if (digit >= DIGITS) {
      base = (digit - DIGITS + 1) * DIGITS;
    } else {
      bytes[length++] = base + digit;
      base = 0;
    }
  }
  return bytes.slice(0, length);
}
