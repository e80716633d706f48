// The crew as it is, but that a thread may stop for some microseconds before every load and store: orders of events that come once in
// a million steps otherwise.
import binaryen from "binaryen";

/** In the place of what the pass `instrument-memory` imports: a pause, in one of 32 cases, where an address is about to be used. */
const PAUSE = `
 (global $dice (mut i32) (i32.const 1))
 (func $pause (local $n i32)
  (global.set $dice (i32.add (i32.mul (global.get $dice) (i32.const 1664525)) (i32.const 1013904223)))
  (if (i32.shr_u (global.get $dice) (i32.const 27)) (then (return)))
  (local.set $n (i32.and (i32.shr_u (global.get $dice) (i32.const 12)) (i32.const 0x3fff)))
  (loop $spin
   (br_if $spin (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0)))))`;

export function withPauses(binary: Uint8Array): Uint8Array<ArrayBuffer> {
  const module = binaryen.readBinary(binary);
  module.setFeatures(binaryen.Features.All);
  module.runPasses(["instrument-memory"]);
  const text = module
    .emitText()
    // (pointer's load or store, bytes, offset, address) and (value's load or store, value)
    .replace(/\(import "env" "\w+_ptr" \(func (\S+) (.*)\)\)\n/g, "(func $1 $2 (call $pause) (local.get 3))\n")
    .replace(
      /\(import "env" "\w+_(?:val_\w+|index|pre|post)" \(func (\S+) (.*)\)\)\n/g,
      "(func $1 $2 (local.get 1))\n",
    );
  module.dispose();
  if (!text.includes("(call $pause)")) throw new Error(`expected loads and stores, got\n${text}`);
  const end = text.lastIndexOf(")");
  const paused = binaryen.parseText(`${text.slice(0, end)}${PAUSE})`);
  paused.setFeatures(binaryen.Features.All);
  try {
    return paused.emitBinary() as Uint8Array<ArrayBuffer>;
  } finally {
    paused.dispose();
  }
}
