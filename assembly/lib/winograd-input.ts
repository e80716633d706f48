// The 1-D transform of the inputs of F(m, 3), B^T d: see winograd.ts. A point is a row of channels: points are far apart,
// channels next to each other, and `bytes` of them are done in one loop, so that constants and addresses are worked out once.
//
// Each function does `lines` transforms, the next one `xLine` and `outLine` bytes further; n vectors `outStep` bytes apart are
// what a line becomes.
import { madd, nmadd, splat } from "./simd";

/** `p`, where point `i` of a line is in the image, of which [first, last) are; else zeros. */
@inline function inImage(i: i32, p: usize, first: i32, last: i32, zeros: usize): usize {
  return select<usize>(p, zeros, i32(i >= first) & i32(i < last));
}

// Points of a line lie `step` bytes apart from x; those outside of [first, last) read as zeros.

/** B^T d of F(2,3): 4 points a line become 4 vectors `outStep` apart. */
function input2(
  lines: i32, x: usize, step: usize, xLine: usize, first: i32, last: i32, zeros: usize, out: usize, outStep: usize, outLine: usize, bytes: usize,
): void {
  do {
    let p0 = x, p1 = p0 + step, p2 = p1 + step, p3 = p2 + step;
    if (first > 0 || last < 4) {
      p0 = inImage(0, p0, first, last, zeros);
      p1 = inImage(1, p1, first, last, zeros);
      p2 = inImage(2, p2, first, last, zeros);
      p3 = inImage(3, p3, first, last, zeros);
    }
    for (let c: usize = 0; c < bytes; c += 16) {
      const d0 = v128.load(p0 + c), d1 = v128.load(p1 + c), d2 = v128.load(p2 + c), d3 = v128.load(p3 + c);
      let to = out + c;
      v128.store(to, f32x4.sub(d0, d2));
      to += outStep;
      v128.store(to, f32x4.add(d1, d2));
      to += outStep;
      v128.store(to, f32x4.sub(d2, d1));
      to += outStep;
      v128.store(to, f32x4.sub(d1, d3));
    }
    x += xLine;
    out += outLine;
  } while (--lines);
}

/** B^T d of F(4,3). */
function input4(
  lines: i32, x: usize, step: usize, xLine: usize, first: i32, last: i32, zeros: usize, out: usize, outStep: usize, outLine: usize, bytes: usize,
  constants: usize,
): void {
  const a2b2 = v128.load(constants, 0);
  const a2_b2 = v128.load(constants, 16);
  const a = v128.load(constants, 32);
  const a2 = v128.load(constants, 48);
  const b = v128.load(constants, 80);
  const b2 = v128.load(constants, 96);
  do {
    let p0 = x, p1 = p0 + step, p2 = p1 + step, p3 = p2 + step, p4 = p3 + step, p5 = p4 + step;
    if (first > 0 || last < 6) {
      p0 = inImage(0, p0, first, last, zeros);
      p1 = inImage(1, p1, first, last, zeros);
      p2 = inImage(2, p2, first, last, zeros);
      p3 = inImage(3, p3, first, last, zeros);
      p4 = inImage(4, p4, first, last, zeros);
      p5 = inImage(5, p5, first, last, zeros);
    }
    for (let c: usize = 0; c < bytes; c += 16) {
      const d0 = v128.load(p0 + c), d1 = v128.load(p1 + c), d2 = v128.load(p2 + c);
      const d3 = v128.load(p3 + c), d4 = v128.load(p4 + c), d5 = v128.load(p5 + c);
      const evenA = nmadd(b2, d2, d4), oddA = nmadd(b2, d1, d3);
      const evenB = nmadd(a2, d2, d4), oddB = nmadd(a2, d1, d3);
      let to = out + c;
      v128.store(to, madd(a2b2, d0, nmadd(a2_b2, d2, d4)));
      to += outStep;
      v128.store(to, madd(a, oddA, evenA));
      to += outStep;
      v128.store(to, nmadd(a, oddA, evenA));
      to += outStep;
      v128.store(to, madd(b, oddB, evenB));
      to += outStep;
      v128.store(to, nmadd(b, oddB, evenB));
      to += outStep;
      v128.store(to, madd(a2b2, d1, nmadd(a2_b2, d3, d5)));
    }
    x += xLine;
    out += outLine;
  } while (--lines);
}

/** B^T d of the short tile, times what its weights lack: -b² for point 0, a² - b² for ±a. Points 3 and 4 are left out. */
function inputShort(
  lines: i32, x: usize, step: usize, xLine: usize, first: i32, last: i32, zeros: usize, out: usize, outStep: usize, outLine: usize, bytes: usize,
  constants: usize,
): void {
  const a2b2 = v128.load(constants, 0);
  const a2 = v128.load(constants, 48);
  const b2 = v128.load(constants, 96);
  const scale = v128.load(constants, 128);
  const scaleA = v128.load(constants, 144);
  do {
    let p0 = x, p1 = p0 + step, p2 = p1 + step, p3 = p2 + step;
    if (first > 0 || last < 4) {
      p0 = inImage(0, p0, first, last, zeros);
      p1 = inImage(1, p1, first, last, zeros);
      p2 = inImage(2, p2, first, last, zeros);
      p3 = inImage(3, p3, first, last, zeros);
    }
    for (let c: usize = 0; c < bytes; c += 16) {
      const d0 = v128.load(p0 + c), d1 = v128.load(p1 + c), d2 = v128.load(p2 + c), d3 = v128.load(p3 + c);
      const even = f32x4.mul(scale, d2);
      let to = out + c;
      v128.store(to, nmadd(b2, d2, f32x4.mul(a2b2, d0)));
      to += outStep;
      v128.store(to, madd(scaleA, d1, even));
      to += outStep;
      v128.store(to, nmadd(scaleA, d1, even));
      to += 3 * outStep;
      v128.store(to, nmadd(a2, d1, d3));
    }
    x += xLine;
    out += outLine;
  } while (--lines);
}

@inline function put(p: usize, step: usize, i: usize, v: v128): void {
  v128.store(p + i * step, v);
}

/** B^T d of F(6,3). */
function input6(
  lines: i32, x: usize, step: usize, xLine: usize, first: i32, last: i32, zeros: usize, out: usize, outStep: usize, outLine: usize, bytes: usize,
): void {
  do {
    let p0 = x, p1 = p0 + step, p2 = p1 + step, p3 = p2 + step, p4 = p3 + step, p5 = p4 + step, p6 = p5 + step, p7 = p6 + step;
    if (first > 0 || last < 8) {
      p0 = inImage(0, p0, first, last, zeros);
      p1 = inImage(1, p1, first, last, zeros);
      p2 = inImage(2, p2, first, last, zeros);
      p3 = inImage(3, p3, first, last, zeros);
      p4 = inImage(4, p4, first, last, zeros);
      p5 = inImage(5, p5, first, last, zeros);
      p6 = inImage(6, p6, first, last, zeros);
      p7 = inImage(7, p7, first, last, zeros);
    }
    for (let c: usize = 0; c < bytes; c += 16) {
      const d0 = v128.load(p0 + c), d1 = v128.load(p1 + c), d2 = v128.load(p2 + c), d3 = v128.load(p3 + c);
      const d4 = v128.load(p4 + c), d5 = v128.load(p5 + c), d6 = v128.load(p6 + c), d7 = v128.load(p7 + c);
      const big = splat(5.25), mid = splat(4.25), quarter = splat(0.25), half = splat(0.5), two = splat(2), low = splat(2.5), five = splat(1.25);
      const to = out + c;
      put(to, outStep, 0, madd(big, f32x4.sub(d4, d2), f32x4.sub(d0, d6)));
      put(to, outStep, 7, madd(big, f32x4.sub(d3, d5), f32x4.sub(d7, d1)));
      let even = nmadd(mid, d4, f32x4.add(d2, d6));
      let odd = nmadd(mid, d3, f32x4.add(d1, d5));
      put(to, outStep, 1, f32x4.add(even, odd));
      put(to, outStep, 2, f32x4.sub(even, odd));
      even = madd(quarter, d2, nmadd(five, d4, d6));
      odd = madd(half, d1, nmadd(low, d3, f32x4.mul(two, d5)));
      put(to, outStep, 3, f32x4.add(even, odd));
      put(to, outStep, 4, f32x4.sub(even, odd));
      even = madd(splat(4), nmadd(five, d4, d2), d6);
      odd = madd(two, d1, nmadd(low, d3, f32x4.mul(half, d5)));
      put(to, outStep, 5, f32x4.add(even, odd));
      put(to, outStep, 6, f32x4.sub(even, odd));
    }
    x += xLine;
    out += outLine;
  } while (--lines);
}

export function inputLines(
  m: i32, lines: i32, x: usize, step: usize, xLine: usize, first: i32, last: i32, zeros: usize, out: usize, outStep: usize, outLine: usize,
  bytes: usize, constants: usize,
): void {
  if (m == 4) input4(lines, x, step, xLine, first, last, zeros, out, outStep, outLine, bytes, constants);
  else if (m == 2) input2(lines, x, step, xLine, first, last, zeros, out, outStep, outLine, bytes);
  else if (m == 6) input6(lines, x, step, xLine, first, last, zeros, out, outStep, outLine, bytes);
  else inputShort(lines, x, step, xLine, first, last, zeros, out, outStep, outLine, bytes, constants);
}
