// The 1-D transform of the products of F(m, 3), A^T z, by lines of channels as winograd-input.ts: see winograd.ts.
//
// The points of a line lie `step` bytes apart from z, its outputs `yStep` from y. Of these only the first `columns` are inside
// of the image: the others are stored where the first one goes, before it. bias 0: sums as they are, for the other direction;
// else y = min(max(sum + bias + residual, lo), hi), where the residual lies `residual` bytes behind y, if there is one.
import { madd, maxOf, minOf, splat } from "./simd";

/** `p`, where output `i` of a line goes, if that is inside; else y. */
@inline function outputAt(i: i32, p: usize, y: usize, columns: i32): usize {
  return select<usize>(p, y, i < columns);
}

@inline function clip(v: v128, lo: f32, hi: f32): v128 {
  return minOf(maxOf(v, splat(lo)), splat(hi));
}

/** The two outputs of F(2,3), and of the short tile of F(4,3) if `a` is its point. */
@inline function outputs2(
  isShort: bool, lines: i32, z: usize, step: usize, zLine: usize, y: usize, yStep: usize, yLine: usize, columns: i32, bytes: usize,
  bias: usize, isResidual: bool, residual: usize, lo: f32, hi: f32, constants: usize,
): void {
  const a = isShort ? v128.load(constants, 32) : splat(0);
  do {
    const y1 = outputAt(1, y + yStep, y, columns);
    for (let c: usize = 0; c < bytes; c += 16) {
      let from = z + c;
      const z0 = v128.load(from);
      from += step;
      const z1 = v128.load(from);
      from += step;
      const z2 = v128.load(from);
      from += isShort ? 3 * step : step;
      const z3 = v128.load(from);
      let v0 = f32x4.add(f32x4.add(z0, z1), z2);
      const dif = f32x4.sub(z1, z2);
      let v1 = isShort ? madd(a, dif, z3) : f32x4.sub(dif, z3);
      if (bias) {
        const b = v128.load(bias + c);
        v0 = f32x4.add(v0, b);
        v1 = f32x4.add(v1, b);
        if (isResidual) {
          v0 = f32x4.add(v0, v128.load(y + residual + c));
          v1 = f32x4.add(v1, v128.load(y1 + residual + c));
        }
        v0 = clip(v0, lo, hi);
        v1 = clip(v1, lo, hi);
      }
      v128.store(y1 + c, v1);
      v128.store(y + c, v0);
    }
    z += zLine;
    y += yLine;
  } while (--lines);
}

function output2(
  lines: i32, z: usize, step: usize, zLine: usize, y: usize, yStep: usize, yLine: usize, columns: i32, bytes: usize,
  bias: usize, isResidual: bool, residual: usize, lo: f32, hi: f32,
): void {
  outputs2(false, lines, z, step, zLine, y, yStep, yLine, columns, bytes, bias, isResidual, residual, lo, hi, 0);
}

function outputShort(
  lines: i32, z: usize, step: usize, zLine: usize, y: usize, yStep: usize, yLine: usize, columns: i32, bytes: usize,
  bias: usize, isResidual: bool, residual: usize, lo: f32, hi: f32, constants: usize,
): void {
  outputs2(true, lines, z, step, zLine, y, yStep, yLine, columns, bytes, bias, isResidual, residual, lo, hi, constants);
}

/** Of F(4,3). */
function output4(
  lines: i32, z: usize, step: usize, zLine: usize, y: usize, yStep: usize, yLine: usize, columns: i32, bytes: usize,
  bias: usize, isResidual: bool, residual: usize, lo: f32, hi: f32, constants: usize,
): void {
  const a = v128.load(constants, 32);
  const a2 = v128.load(constants, 48);
  const a3 = v128.load(constants, 64);
  const b = v128.load(constants, 80);
  const b2 = v128.load(constants, 96);
  const b3 = v128.load(constants, 112);
  do {
    let y1 = y + yStep, y2 = y1 + yStep, y3 = y2 + yStep;
    if (columns < 4) {
      y1 = outputAt(1, y1, y, columns);
      y2 = outputAt(2, y2, y, columns);
      y3 = outputAt(3, y3, y, columns);
    }
    for (let c: usize = 0; c < bytes; c += 16) {
      let from = z + c;
      const z0 = v128.load(from);
      from += step;
      const z1 = v128.load(from);
      from += step;
      const z2 = v128.load(from);
      from += step;
      const z3 = v128.load(from);
      from += step;
      const z4 = v128.load(from);
      from += step;
      const z5 = v128.load(from);
      const sum1 = f32x4.add(z1, z2), dif1 = f32x4.sub(z1, z2);
      const sum2 = f32x4.add(z3, z4), dif2 = f32x4.sub(z3, z4);
      let v0 = f32x4.add(f32x4.add(z0, sum1), sum2);
      let v1 = madd(b, dif2, f32x4.mul(a, dif1));
      let v2 = madd(b2, sum2, f32x4.mul(a2, sum1));
      let v3 = madd(b3, dif2, madd(a3, dif1, z5));
      if (bias) {
        const add = v128.load(bias + c);
        v0 = f32x4.add(v0, add);
        v1 = f32x4.add(v1, add);
        v2 = f32x4.add(v2, add);
        v3 = f32x4.add(v3, add);
        if (isResidual) {
          const r = residual + c;
          v0 = f32x4.add(v0, v128.load(y + r));
          v1 = f32x4.add(v1, v128.load(y1 + r));
          v2 = f32x4.add(v2, v128.load(y2 + r));
          v3 = f32x4.add(v3, v128.load(y3 + r));
        }
        v0 = clip(v0, lo, hi);
        v1 = clip(v1, lo, hi);
        v2 = clip(v2, lo, hi);
        v3 = clip(v3, lo, hi);
      }
      v128.store(y3 + c, v3);
      v128.store(y2 + c, v2);
      v128.store(y1 + c, v1);
      v128.store(y + c, v0);
    }
    z += zLine;
    y += yLine;
  } while (--lines);
}

/** Of F(6,3). */
function output6(
  lines: i32, z: usize, step: usize, zLine: usize, y: usize, yStep: usize, yLine: usize, columns: i32, bytes: usize,
  bias: usize, isResidual: bool, residual: usize, lo: f32, hi: f32,
): void {
  do {
    let y1 = y + yStep, y2 = y1 + yStep, y3 = y2 + yStep, y4 = y3 + yStep, y5 = y4 + yStep;
    if (columns < 6) {
      y1 = outputAt(1, y1, y, columns);
      y2 = outputAt(2, y2, y, columns);
      y3 = outputAt(3, y3, y, columns);
      y4 = outputAt(4, y4, y, columns);
      y5 = outputAt(5, y5, y, columns);
    }
    for (let c: usize = 0; c < bytes; c += 16) {
      const from = z + c;
      const z0 = at(from, step, 0), z1 = at(from, step, 1), z2 = at(from, step, 2), z3 = at(from, step, 3);
      const z4 = at(from, step, 4), z5 = at(from, step, 5), z6 = at(from, step, 6), z7 = at(from, step, 7);
      const sum1 = f32x4.add(z1, z2), dif1 = f32x4.sub(z1, z2);
      const sum2 = f32x4.add(z3, z4), dif2 = f32x4.sub(z3, z4);
      const sum3 = f32x4.add(z5, z6), dif3 = f32x4.sub(z5, z6);
      let v0 = f32x4.add(f32x4.add(z0, sum1), f32x4.add(sum2, sum3));
      let v1 = madd(splat(2), dif2, madd(splat(0.5), dif3, dif1));
      let v2 = madd(splat(4), sum2, madd(splat(0.25), sum3, sum1));
      let v3 = madd(splat(8), dif2, madd(splat(0.125), dif3, dif1));
      let v4 = madd(splat(16), sum2, madd(splat(0.0625), sum3, sum1));
      let v5 = f32x4.add(madd(splat(32), dif2, madd(splat(0.03125), dif3, dif1)), z7);
      if (bias) {
        const b = v128.load(bias + c);
        v0 = f32x4.add(v0, b);
        v1 = f32x4.add(v1, b);
        v2 = f32x4.add(v2, b);
        v3 = f32x4.add(v3, b);
        v4 = f32x4.add(v4, b);
        v5 = f32x4.add(v5, b);
        if (isResidual) {
          const r = residual + c;
          v0 = f32x4.add(v0, v128.load(y + r));
          v1 = f32x4.add(v1, v128.load(y1 + r));
          v2 = f32x4.add(v2, v128.load(y2 + r));
          v3 = f32x4.add(v3, v128.load(y3 + r));
          v4 = f32x4.add(v4, v128.load(y4 + r));
          v5 = f32x4.add(v5, v128.load(y5 + r));
        }
        v0 = clip(v0, lo, hi);
        v1 = clip(v1, lo, hi);
        v2 = clip(v2, lo, hi);
        v3 = clip(v3, lo, hi);
        v4 = clip(v4, lo, hi);
        v5 = clip(v5, lo, hi);
      }
      v128.store(y5 + c, v5);
      v128.store(y4 + c, v4);
      v128.store(y3 + c, v3);
      v128.store(y2 + c, v2);
      v128.store(y1 + c, v1);
      v128.store(y + c, v0);
    }
    z += zLine;
    y += yLine;
  } while (--lines);
}

@inline function at(p: usize, step: usize, i: usize): v128 {
  return v128.load(p + i * step);
}

export function outputLines(
  m: i32, lines: i32, z: usize, step: usize, zLine: usize, y: usize, yStep: usize, yLine: usize, columns: i32, bytes: usize,
  bias: usize, isResidual: bool, residual: usize, lo: f32, hi: f32, constants: usize,
): void {
  if (m == 4) output4(lines, z, step, zLine, y, yStep, yLine, columns, bytes, bias, isResidual, residual, lo, hi, constants);
  else if (m == 2) output2(lines, z, step, zLine, y, yStep, yLine, columns, bytes, bias, isResidual, residual, lo, hi);
  else if (m == 6) output6(lines, z, step, zLine, y, yStep, yLine, columns, bytes, bias, isResidual, residual, lo, hi);
  else outputShort(lines, z, step, zLine, y, yStep, yLine, columns, bytes, bias, isResidual, residual, lo, hi, constants);
}
