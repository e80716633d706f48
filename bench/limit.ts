// What this machine can do in 128-bit WebAssembly at all: multiply-adds that wait for nothing, and bytes read in order.
// bench/limit.mjs compiles it twice, with and without relaxed SIMD.

@inline function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  else return f32x4.add(f32x4.mul(a, b), c);
}

@inline function hsum(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3);
}

/**
 * `chains` chains of x = x * b + c: 8 floating-point operations each a turn. A multiply and an add take 6 to 8 cycles and
 * at most two of each start in one: 12 chains just fill Zen 4, 8 Intel. 13 with b and c are 15 registers, all that V8
 * gives to vectors; which of both gets there depends on its version. Every x tends to c / (1 - b): no denormals.
 */
@inline function multiplyAdd(turns: i32, start: f32, chains: i32): f32 {
  const b = f32x4.splat(start * 0.5);
  const c = f32x4.splat(start);
  let x0 = c, x1 = c, x2 = c, x3 = c, x4 = c, x5 = c, x6 = c, x7 = c, x8 = c, x9 = c, x10 = c, x11 = c, x12 = c;
  do {
    x0 = madd(x0, b, c);
    x1 = madd(x1, b, c);
    x2 = madd(x2, b, c);
    x3 = madd(x3, b, c);
    x4 = madd(x4, b, c);
    x5 = madd(x5, b, c);
    x6 = madd(x6, b, c);
    x7 = madd(x7, b, c);
    x8 = madd(x8, b, c);
    x9 = madd(x9, b, c);
    x10 = madd(x10, b, c);
    x11 = madd(x11, b, c);
    if (chains == 13) x12 = madd(x12, b, c);
  } while (--turns);
  x0 = f32x4.add(f32x4.add(f32x4.add(x0, x1), f32x4.add(x2, x3)), f32x4.add(f32x4.add(x4, x5), f32x4.add(x6, x7)));
  x8 = f32x4.add(f32x4.add(f32x4.add(x8, x9), f32x4.add(x10, x11)), x12);
  return hsum(f32x4.add(x0, x8));
}

export function multiply_add_12(turns: i32, start: f32): f32 {
  return multiplyAdd(turns, start, 12);
}

export function multiply_add_13(turns: i32, start: f32): f32 {
  return multiplyAdd(turns, start, 13);
}

/** The sum of `bytes` (a multiple of 512) at ptr, read as two streams, each a half of them. */
export function read_sum(ptr: usize, bytes: usize): f32 {
  const end = ptr + (bytes >> 1);
  let other = end;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  do {
    s0 = f32x4.add(s0, v128.load(ptr));
    s1 = f32x4.add(s1, v128.load(ptr, 16));
    s2 = f32x4.add(s2, v128.load(ptr, 32));
    s3 = f32x4.add(s3, v128.load(ptr, 48));
    if (!ptr) break; // never: Node 20's V8 loads all eight first, and spills (39 GB/s from L2 in place of 100)
    t0 = f32x4.add(t0, v128.load(other));
    t1 = f32x4.add(t1, v128.load(other, 16));
    t2 = f32x4.add(t2, v128.load(other, 32));
    t3 = f32x4.add(t3, v128.load(other, 48));
    ptr += 64;
    other += 64;
  } while (ptr < end);
  s0 = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
  t0 = f32x4.add(f32x4.add(t0, t1), f32x4.add(t2, t3));
  return hsum(f32x4.add(s0, t0));
}

/** Copies `bytes` (a multiple of 64) from src to dst: what moving anything takes at least. */
export function copy_bytes(src: usize, dst: usize, bytes: usize): void {
  const end = src + bytes;
  do {
    const v0 = v128.load(src), v1 = v128.load(src, 16), v2 = v128.load(src, 32), v3 = v128.load(src, 48);
    v128.store(dst, v0);
    v128.store(dst, v1, 16);
    v128.store(dst, v2, 32);
    v128.store(dst, v3, 48);
    src += 64;
    dst += 64;
  } while (src < end);
}

/** Writes every float of `bytes` at ptr: memory never written is one page of zeros, however long, and reads like L1. */
export function touch(ptr: usize, bytes: usize): void {
  const end = ptr + bytes;
  do {
    f32.store(ptr, <f32>(<i32>(ptr & 1023)));
    ptr += 4;
  } while (ptr < end);
}
