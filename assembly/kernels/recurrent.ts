// One step of a recurrent layer: products of the state h with packed weights R, gates, the new state. x are the products of the
// inputs of all steps with all biases, one matrix product before the first step.
//
//   rnn        h' = f(x + R h)
//   lstm       i, o, f = f(x + R h + p c), o by the new c; c' = f c + i g(x + R h), h' = o h(c')
//   gruLinear  z, r = f(x + R h); h' = (1 - z) g(x + r (R h + b)) + z h
//   gruGates, gruState  the same with R (r h) for r (R h + b): two calls a step, since R takes all of r h
//
// Weights are read once a step, so that a step's speed is that of the cache that holds them: panels of 8 columns, four at a time
// as in linear.ts. The four are a gate each of 8 units (lstm, gruLinear: three), two gates of 16 units, or 32 units of one gate, and
// whoever has computed the sums of a unit also ends it, while they are in L1. Source: the equations of ONNX's LSTM, GRU and RNN.
//
// Tail: partial vectors are computed whole and stored in part; panels beyond the last repeat it. Rows that have ended keep their
// state and get zeros for outputs.
import { ActivationCode } from "../abi/codes";
import { RECURRENT_SCRATCH_BYTES, RECURRENT_UNITS } from "../abi/constants";
import { RecurrentCell, RecurrentDesc } from "../abi/recurrent";
import { sigmoid, tanh } from "../lib/math";
import { madd, maxOf, minOf, splat, storePart } from "../lib/simd";

/** Not inlined: a gate's activation is known at run time, and each of these is some forty instructions. */
function activated(code: i32, v: v128, alpha: f32, beta: f32): v128 {
  if (code == ActivationCode.sigmoid) return sigmoid(v);
  if (code == ActivationCode.tanh) return tanh(v);
  if (code == ActivationCode.relu) return maxOf(v, splat(0));
  if (code == ActivationCode.leakyRelu) return v128.bitselect(f32x4.mul(v, splat(alpha)), v, f32x4.lt(v, splat(0)));
  if (code == ActivationCode.hardSigmoid) return minOf(maxOf(madd(v, splat(alpha), splat(beta)), splat(0)), splat(1));
  return v;
}

/** Sums of x[k] w[k][8] over the first two, three or all panels, two vectors each, to `sums`. */
@inline function product(
  panels: i32, sums: usize, x: usize, length: i32, w0: usize, w1: usize, w2: usize, w3: usize,
): void {
  const xEnd = x + (<usize>length << 2);
  const zero = splat(0);
  let acc00 = zero, acc01 = zero, acc10 = zero, acc11 = zero, acc20 = zero, acc21 = zero, acc30 = zero, acc31 = zero;
  while (x < xEnd) {
    const u = v128.load32_splat(x);
    acc00 = madd(u, v128.load(w0), acc00);
    acc01 = madd(u, v128.load(w0, 16), acc01);
    acc10 = madd(u, v128.load(w1), acc10);
    acc11 = madd(u, v128.load(w1, 16), acc11);
    if (panels > 2) {
      acc20 = madd(u, v128.load(w2), acc20);
      acc21 = madd(u, v128.load(w2, 16), acc21);
      w2 += 32;
    }
    if (panels > 3) {
      acc30 = madd(u, v128.load(w3), acc30);
      acc31 = madd(u, v128.load(w3, 16), acc31);
      w3 += 32;
    }
    x += 4;
    w0 += 32;
    w1 += 32;
  }
  v128.store(sums, acc00);
  v128.store(sums, acc01, 16);
  v128.store(sums, acc10, 32);
  v128.store(sums, acc11, 48);
  if (panels > 2) {
    v128.store(sums, acc20, 64);
    v128.store(sums, acc21, 80);
  }
  if (panels > 3) {
    v128.store(sums, acc30, 96);
    v128.store(sums, acc31, 112);
  }
}

// On their own, so that a loop has all registers. Four panels are 8 sums + 1 of x + 1 of w <= 16 registers, which Node 20's V8
// spills where products are apart: two at a time are a third faster there.

function threePanels(sums: usize, x: usize, length: i32, w0: usize, w1: usize, w2: usize): void {
  product(3, sums, x, length, w0, w1, w2, w2);
}

function fourPanels(sums: usize, x: usize, length: i32, w0: usize, w1: usize, w2: usize, w3: usize): void {
  product(4, sums, x, length, w0, w1, w2, w3);
}

function twoPanels(sums: usize, x: usize, length: i32, w0: usize, w1: usize): void {
  product(2, sums, x, length, w0, w1, w0, w1);
}

/** A gate's sum of four units, activated. */
@inline function gate(d: RecurrentDesc, code: i32, alpha: f32, beta: f32, v: v128): v128 {
  return activated(code, minOf(maxOf(v, splat(d.lo)), splat(d.hi)), alpha, beta);
}

/** (1 - z) n + z h. */
@inline function between(z: v128, n: v128, h: v128): v128 {
  return madd(z, f32x4.sub(h, n), n);
}

/** x, sums, state, y, and what the cell keeps, at the units of an item. bytes: of its units that there are. */
@inline function lstm(
  d: RecurrentDesc, bytes: usize, sums: usize, x: usize, peep: usize, cIn: usize, cOut: usize, hOut: usize, y: usize,
): void {
  const H = <usize>d.hidden << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const count = <i32>((bytes - i) >> 2);
    const before = v128.load(cIn + i);
    let toI = f32x4.add(v128.load(sums + i), v128.load(x + i));
    let toO = f32x4.add(v128.load(sums + i, 32), v128.load(x + H + i));
    let toF = f32x4.add(v128.load(sums + i, 64), v128.load(x + 2 * H + i));
    const toC = f32x4.add(v128.load(sums + i, 96), v128.load(x + 3 * H + i));
    if (peep) {
      toI = madd(v128.load(peep + i), before, toI);
      toF = madd(v128.load(peep + 2 * H + i), before, toF);
    }
    const input = gate(d, d.f, d.fAlpha, d.fBeta, toI);
    let forget = f32x4.sub(splat(1), input);
    if (!d.coupled) forget = gate(d, d.f, d.fAlpha, d.fBeta, toF);
    const c = madd(forget, before, f32x4.mul(input, gate(d, d.g, d.gAlpha, d.gBeta, toC)));
    if (peep) toO = madd(v128.load(peep + H + i), c, toO);
    const h = f32x4.mul(gate(d, d.f, d.fAlpha, d.fBeta, toO), activated(d.h, c, d.hAlpha, d.hBeta));
    storePart(cOut + i, c, count);
    storePart(hOut + i, h, count);
    storePart(y + i, h, count);
  }
}

@inline function gruLinear(
  d: RecurrentDesc, bytes: usize, sums: usize, x: usize, bias: usize, h: usize, hOut: usize, y: usize,
): void {
  const H = <usize>d.hidden << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const z = gate(d, d.f, d.fAlpha, d.fBeta, f32x4.add(v128.load(sums + i), v128.load(x + i)));
    const r = gate(d, d.f, d.fAlpha, d.fBeta, f32x4.add(v128.load(sums + i, 32), v128.load(x + H + i)));
    let s = v128.load(sums + i, 64);
    if (bias) s = f32x4.add(s, v128.load(bias + i));
    const n = gate(d, d.g, d.gAlpha, d.gBeta, madd(r, s, v128.load(x + 2 * H + i)));
    const next = between(z, n, v128.load(h + i));
    const count = <i32>((bytes - i) >> 2);
    storePart(hOut + i, next, count);
    storePart(y + i, next, count);
  }
}

/** z and r h: sums are z, z, r, r. */
@inline function gruGates(
  d: RecurrentDesc, bytes: usize, sums: usize, x: usize, h: usize, zOut: usize, reset: usize,
): void {
  const H = <usize>d.hidden << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const z = gate(d, d.f, d.fAlpha, d.fBeta, f32x4.add(v128.load(sums + i), v128.load(x + i)));
    const r = gate(d, d.f, d.fAlpha, d.fBeta, f32x4.add(v128.load(sums + i, 64), v128.load(x + H + i)));
    const count = <i32>((bytes - i) >> 2);
    storePart(zOut + i, z, count);
    storePart(reset + i, f32x4.mul(r, v128.load(h + i)), count);
  }
}

/** Of rnn, z = 0: the new state alone. */
@inline function single(
  d: RecurrentDesc, bytes: usize, sums: usize, x: usize, z: usize, h: usize, hOut: usize, y: usize,
): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    const sum = f32x4.add(v128.load(sums + i), v128.load(x + i));
    let next = gate(d, d.g, d.gAlpha, d.gBeta, sum);
    if (z) next = between(v128.load(z + i), next, v128.load(h + i));
    const count = <i32>((bytes - i) >> 2);
    storePart(hOut + i, next, count);
    storePart(y + i, next, count);
  }
}

/** A row that has ended: its state stays, its output is 0. c may be 0 for none. */
@inline function ended(bytes: usize, h: usize, hOut: usize, c: usize, cOut: usize, y: usize): void {
  for (let i: usize = 0; i < bytes; i += 4) {
    f32.store(hOut + i, f32.load(h + i));
    if (c) f32.store(cOut + i, f32.load(c + i));
    f32.store(y + i, 0);
  }
}

/** Units of a work item: so many that their gates are four panels. */
@inline function unitsOf(cell: i32): i32 {
  if (cell == RecurrentCell.lstm || cell == RecurrentCell.gruLinear) return RECURRENT_UNITS;
  return cell == RecurrentCell.gruGates ? 2 * RECURRENT_UNITS : 4 * RECURRENT_UNITS;
}

/** Work items: blocks of units, each for all rows. scratch: the sums. */
export function recurrent_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<RecurrentDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.hidden > 0 && d.step < d.steps && RECURRENT_SCRATCH_BYTES == 128);
  const cell = d.cell;
  const units = unitsOf(cell);
  const panelBytes = <usize>d.hidden << 5;
  const lastPanel = d.wPtr + <usize>((d.hidden - 1) >> 3) * panelBytes;
  const gateBytes = lastPanel + panelBytes - d.wPtr;
  for (let item = begin; item < end; item++) {
    const unit = item * units;
    const at = <usize>unit << 2;
    const bytes = <usize>min(d.hidden - unit, units) << 2;
    const w0 = d.wPtr + <usize>(unit >> 3) * panelBytes;
    let w1 = w0 + gateBytes;
    let w2 = w1 + gateBytes;
    let w3 = w2 + gateBytes;
    if (units > RECURRENT_UNITS) {
      w1 = min(w0 + panelBytes, lastPanel);
      w2 = units > 2 * RECURRENT_UNITS ? min(w1 + panelBytes, lastPanel) : w0 + gateBytes;
      w3 = units > 2 * RECURRENT_UNITS ? min(w2 + panelBytes, lastPanel) : w1 + gateBytes;
    }
    for (let n = 0; n < d.rows; n++) {
      const row = <usize>n;
      const kept = row * (<usize>d.hidden << 2); // of z and reset
      const h = d.hInPtr + row * <usize>d.inRowBytes;
      const c = d.cInPtr ? d.cInPtr + row * <usize>d.inRowBytes + at : 0;
      const hOut = d.hOutPtr + row * <usize>d.outRowBytes + at;
      const cOut = d.cOutPtr + row * <usize>d.outRowBytes + at;
      let y = d.yPtr + row * <usize>d.yRowBytes + at;
      const length = d.lengthsPtr ? min(max(load<i32>(d.lengthsPtr + (row << 2)), 0), d.steps) : d.steps;
      if (d.step >= length) {
        y += <usize>d.step * <usize>d.yStepBytes;
        if (cell != RecurrentCell.gruGates) ended(bytes, h + at, hOut, c, cOut, y);
        continue;
      }
      const t = <usize>(d.backwards ? length - 1 - d.step : d.step);
      y += t * <usize>d.yStepBytes;
      const x = d.xPtr + t * <usize>d.xStepBytes + row * <usize>d.xRowBytes + at;
      if (cell == RecurrentCell.gruLinear) {
        threePanels(scratch, h, d.hidden, w0, w1, w2);
        gruLinear(d, bytes, scratch, x, d.biasPtr ? d.biasPtr + at : 0, h + at, hOut, y);
        continue;
      }
      const state = cell == RecurrentCell.gruState ? d.resetPtr + kept : h;
      if (d.panels < 4) {
        twoPanels(scratch, state, d.hidden, w0, w1);
        twoPanels(scratch + 4 * 16, state, d.hidden, w2, w3);
      } else {
        fourPanels(scratch, state, d.hidden, w0, w1, w2, w3);
      }
      if (cell == RecurrentCell.lstm) {
        lstm(d, bytes, scratch, x, d.peepPtr ? d.peepPtr + at : 0, c, cOut, hOut, y);
      } else if (cell == RecurrentCell.gruGates) {
        gruGates(d, bytes, scratch, x, h + at, d.zPtr + kept + at, d.resetPtr + kept + at);
      } else {
        single(d, bytes, scratch, x, d.zPtr ? d.zPtr + kept + at : 0, h + at, hOut, y);
      }
    }
  }
}
