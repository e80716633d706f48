// A binary over shared memory, made from the one that is shipped: they differ in the limits of the memory that is imported.

const IMPORTS = 2;
const MEMORY = 2;
/** A memory's limits: it may grow up to a maximum, and is shared. A shared one has to say its maximum: 65,536 pages, 4 GiB. */
const SHARED = 3;
const MOST_PAGES = [0x80, 0x80, 0x04];

/** The same binary, importing shared memory. One that imports no memory as its first import comes back as it is. */
export function sharedTwin(binary: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  let at = 8; // behind magic and version
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = binary[at++] as number;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128 || at >= binary.length) return value;
    }
  };
  while (at < binary.length) {
    const id = binary[at++];
    const sizeAt = at;
    const bytes = number();
    const content = at;
    if (id !== IMPORTS) {
      at += bytes;
      continue;
    }
    number(); // imports
    for (let i = 0; i < 2; i++) {
      const length = number(); // of module, of name
      at += length;
    }
    if (binary[at++] !== MEMORY) return binary;
    const limits = at;
    const hasMost = binary[at++] !== 0;
    number(); // initial
    const most = at;
    if (hasMost) number();
    const body = [
      ...binary.subarray(content, limits),
      SHARED,
      ...binary.subarray(limits + 1, most),
      ...MOST_PAGES,
      ...binary.subarray(at, content + bytes),
    ];
    return joined([binary.subarray(0, sizeAt), leb(body.length), body, binary.subarray(content + bytes)]);
  }
  return binary;
}

/** Seven bits a byte, the lowest first. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

function joined(parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
