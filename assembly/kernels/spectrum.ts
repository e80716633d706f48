// The discrete Fourier transform of frames of a real signal, each times a window: short-time spectra.
//
//   X[f] = sum over k < n of x[frame * hop + k] * window[k] * w^(fk)          w = e^(-2πi / n), n a power of two
//
// Real samples are taken as complex ones of half as many points, z[k] = x[2k] + i x[2k + 1], whose transform Z has both:
//
//   X[f] = E + w^f O      E = (Z[f] + conj Z[-f]) / 2, O = (Z[f] - conj Z[-f]) / 2i
//
// Where a bin's number is its power, |X[f]|². Lanes are four frames, so that no number of one frame meets one of another: what is
// not finite stays in its frames. 2n log2 n operations a frame instead of 4n for each frequency, and an error that grows with log n
// instead of the root of n.
//
//   bins:    | place of f in Z | of -f | offset of w^f in the twiddles | of Re in y, or -1 | of Im in y, or -1 | ±1 for Im |
//   scratch: points of Z, | 4 real | 4 imaginary | as lib/fft.ts has them
import { FFT_POINT_BYTES, SPECTRUM_BIN_BYTES } from "../abi/constants";
import { SpectrumDesc } from "../abi/audio";
import { fftForward, timesIm, timesRe } from "../lib/fft";
import { splat } from "../lib/simd";

/** The samples of four frames, from a to d on, times the window, as points of 4 real and 4 imaginary parts: n of each. */
function takeFrames(a: usize, b: usize, c: usize, d: usize, window: usize, n: usize, to: usize): void {
  for (let k: usize = 0; k < n << 2; k += 16) {
    const w = v128.load(window + k);
    const a0 = f32x4.mul(v128.load(a + k), w), b0 = f32x4.mul(v128.load(b + k), w);
    const c0 = f32x4.mul(v128.load(c + k), w), d0 = f32x4.mul(v128.load(d + k), w);
    const ab = i32x4.shuffle(a0, b0, 0, 4, 1, 5), cd = i32x4.shuffle(c0, d0, 0, 4, 1, 5);
    const ef = i32x4.shuffle(a0, b0, 2, 6, 3, 7), gh = i32x4.shuffle(c0, d0, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<i64>(ab, cd, 0, 2));
    v128.store(to, v128.shuffle<i64>(ab, cd, 1, 3), 16);
    v128.store(to, v128.shuffle<i64>(ef, gh, 0, 2), FFT_POINT_BYTES);
    v128.store(to, v128.shuffle<i64>(ef, gh, 1, 3), FFT_POINT_BYTES + 16);
    to += 2 * FFT_POINT_BYTES;
  }
}

/** A number of each of `count` frames. */
@inline function storeFrames(to: usize, v: v128, count: i32, step: usize): void {
  if (count == 4 && step == 4) {
    v128.store(to, v);
    return;
  }
  f32.store(to, f32x4.extract_lane(v, 0));
  if (count > 1) f32.store(to + step, f32x4.extract_lane(v, 1));
  if (count > 2) f32.store(to + 2 * step, f32x4.extract_lane(v, 2));
  if (count > 3) f32.store(to + 3 * step, f32x4.extract_lane(v, 3));
}

/** Work items: groups of four frames, signal after signal. Scratch: n / 2 points. */
export function spectrum_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<SpectrumDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.log >= 2 && d.frames > 0 && d.bins > 0);
  const groups = (d.frames + 3) >> 2;
  const hop = <usize>d.hopBytes, step = <usize>d.yFrameBytes;
  const half = splat(0.5);
  for (let item = begin; item < end; item++) {
    const signal = item / groups;
    const frame = (item - signal * groups) << 2;
    const count = d.frames - frame < 4 ? d.frames - frame : 4;
    // frames behind the last are the last again
    const x = d.xPtr + <usize>signal * <usize>d.xBatchBytes + <usize>frame * hop;
    const x1 = count > 1 ? x + hop : x, x2 = count > 2 ? x1 + hop : x1, x3 = count > 3 ? x2 + hop : x2;
    takeFrames(x, x1, x2, x3, d.windowPtr, <usize>1 << d.log, scratch);
    fftForward(scratch, d.log - 1, FFT_POINT_BYTES, 1, 0, d.twiddlesPtr, d.log);
    const y = d.yPtr + <usize>signal * <usize>d.yBatchBytes + <usize>frame * step;
    let bin = d.binsPtr;
    for (let i = 0; i < d.bins; i++) {
      const p = scratch + load<u32>(bin), q = scratch + load<u32>(bin, 4), w = d.twiddlesPtr + load<u32>(bin, 8);
      const pRe = v128.load(p), pIm = v128.load(p, 16), qRe = v128.load(q), qIm = v128.load(q, 16);
      const oRe = f32x4.mul(f32x4.add(pIm, qIm), half), oIm = f32x4.mul(f32x4.sub(qRe, pRe), half);
      const c = v128.load32_splat(w), s = f32x4.neg(v128.load32_splat(w, 4));
      const re = f32x4.add(f32x4.mul(f32x4.add(pRe, qRe), half), timesRe(oRe, oIm, c, s));
      const im = f32x4.add(f32x4.mul(f32x4.sub(pIm, qIm), half), timesIm(oRe, oIm, c, s));
      const toRe = load<i32>(bin, 12), toIm = load<i32>(bin, 16);
      if (toRe >= 0) storeFrames(y + <usize>toRe, d.isPower ? f32x4.add(f32x4.mul(re, re), f32x4.mul(im, im)) : re, count, step);
      if (toIm >= 0) storeFrames(y + <usize>toIm, f32x4.mul(im, v128.load32_splat(bin, 20)), count, step);
      bin += SPECTRUM_BIN_BYTES;
    }
  }
}
