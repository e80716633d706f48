// The dot product of bytes. In the relaxed binary one instruction, of which engines make what their processor has:
//
//   acc[i] += a[4i] * b[4i] + … + a[4i+3] * b[4i+3]      a int8; b of 7 bits, beyond which the standard leaves it open
//
//   x86, VNNI (vpdpbusd)              b is uint8, exact
//   ARM (sdot), AVX-VNNI-INT8         b is int8, exact
//   other x86 (vpmaddubsw)            b is uint8, pairs of products saturate at 16 bits: wrong sums
//
// So an engine is asked before it is trusted (src/engine/engine.ts); where b is int8, images are copied 128 lower.
import { dot4, RELAXED } from "./simd";

@inline function four(a: i32, b: i32): i32 {
  return i32x4.extract_lane(dot4(i32x4.splat(a), i32x4.splat(b), i32x4.splat(0)), 0);
}

/**
 * No kernel: what the engine's is. 1: exact, of uint8; 2: exact, of int8; 0: neither, or the fixed-width binary. zero: 0, which no
 * compiler knows, since it would compute by its own semantics.
 */
export function dot(zero: i32): i32 {
  if (RELAXED) {
    const sum = four(0x7f7f7f7f ^ zero, ~zero);
    const least = four(0x80808080 ^ zero, 0x80808080 ^ zero);
    if (sum == 4 * 127 * 255 && least == -4 * 128 * 128) return 1;
    if (sum == -4 * 127 && least == 4 * 128 * 128) return 2;
  }
  return 0;
}
