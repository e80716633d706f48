// The relaxed int8 binary on engines that are not at hand: its dot product as other instructions, which every engine has.
import binaryen from "binaryen";

/** What engines make of it: vpdpbusd; sdot and vpdpbssd; vpmaddubsw, whose pairs saturate. */
export type DotKind = "uint8" | "int8" | "saturating";

/** $dot: (a int8, b, acc) → acc + sums of four products. */
const DOTS: Readonly<Record<DotKind, string>> = {
  uint8: exact("u"),
  int8: exact("s"),
  // Pairs of products are whole in i32, and narrowed to i16 before they are summed.
  saturating: `(func $dot (param $a v128) (param $b v128) (param $c v128) (result v128)
    (i32x4.add (local.get $c) (i32x4.extadd_pairwise_i16x8_s (i16x8.narrow_i32x4_s ${pairs("low", "u")} ${pairs("high", "u")}))))`,
};

/** Sums of two products of eight bytes each, i32x4. */
function pairs(half: "low" | "high", sign: "u" | "s"): string {
  return `(i32x4.dot_i16x8_s (i16x8.extend_${half}_i8x16_s (local.get $a)) (i16x8.extend_${half}_i8x16_${sign} (local.get $b)))`;
}

function exact(sign: "u" | "s"): string {
  const each = (lanes: string) => `(i8x16.shuffle ${lanes} (local.get $x) (local.get $y))`;
  return `(func $dot (param $a v128) (param $b v128) (param $c v128) (result v128) (local $x v128) (local $y v128)
    (local.set $x ${pairs("low", sign)})
    (local.set $y ${pairs("high", sign)})
    (i32x4.add (local.get $c) (i32x4.add
      ${each("0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27")}
      ${each("4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31")})))`;
}

const INSTRUCTION = "i32x4.relaxed_dot_i8x16_i7x16_add_s";

/** A binary whose dot product is of a kind, whatever the engine's is. */
export function withDot(bytes: Uint8Array, kind: DotKind): Uint8Array<ArrayBuffer> {
  const original = binaryen.readBinary(bytes);
  const text = original.emitText();
  original.dispose();
  if (!text.includes(INSTRUCTION)) throw new Error(`expected a binary that has ${INSTRUCTION}, got one without`);
  const changed = text.replaceAll(INSTRUCTION, "call $dot").replace(/\)\s*$/, `${DOTS[kind]})`);
  const module = binaryen.parseText(changed);
  module.setFeatures(binaryen.Features.All);
  const result = Uint8Array.from(module.emitBinary());
  module.dispose();
  return result;
}
