// Protobuf messages taken apart field by field and put together again, so that what nothing here knows of stays as it stands in
// the file. Only for what parseModel() has read: lengths are trusted.

import { PbfReader, PbfWriter } from "pbf";

/** One field of a message: its number, the whole of it, and what it holds where it is bytes, a text or a message. */
export interface Field {
  readonly tag: number;
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
}

const BYTES = 2;

export function fieldsOf(message: Uint8Array): Field[] {
  const r = new PbfReader(message);
  const fields: Field[] = [];
  for (let start = 0; start < message.length; start = r.pos) {
    const tag = r.nextField();
    let from = r.pos;
    if (r.type === BYTES) {
      const length = r.readVarint();
      from = r.pos;
      r.pos += length;
    } else r.skip(r.type);
    fields.push({ tag, whole: message.subarray(start, r.pos), content: message.subarray(from, r.pos) });
  }
  return fields;
}

/** The number that a field holds. */
export const numberOf = ({ content }: Field): number => new PbfReader(content).readVarint();

/** Bytes of fields that are written here. */
export function written(write: (w: PbfWriter) => void): Uint8Array {
  const w = new PbfWriter();
  write(w);
  return w.finish() as Uint8Array;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A message as a field of another; its bytes are copied once, where it is joined. */
export function nested(tag: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = written((w) => {
    w.writeTag(tag, BYTES);
    w.writeVarint(length);
  });
  return [head, ...parts];
}
