// Rows of depthwise outputs of bytes that are unrolled (scripts/int8-depthwise.mjs): 3x3 and 5x5 in steps of 1 and 2; in the relaxed binary
// by dots of four rows, else of two.
import {
  depthwise3u1, depthwise3u1dot, depthwise3u2, depthwise3u2dot, depthwise5u1, depthwise5u1dot, depthwise5u2, depthwise5u2dot,
} from "../gen/int8-depthwise";
import { RELAXED } from "./simd";

/**
 * `count` outputs of M >= 8 filters. rows: addresses of R rows; wBlock: bytes of the weights of 8 filters; biases, scales: four bytes a
 * filter; end: what numbers end as (lib/int8-bytes.ts).
 */
@inline export function unrolledRow(
  R: i32, stride: i32, rows: usize, M: i32, w: usize, wBlock: usize, y: usize, count: i32, biases: usize, scales: usize, end: usize,
): void {
  if (R == 3) {
    if (RELAXED) {
      if (stride == 1) depthwise3u1dot(rows, M, w, wBlock, y, count, biases, scales, end);
      else depthwise3u2dot(rows, M, w, wBlock, y, count, biases, scales, end);
    } else if (stride == 1) depthwise3u1(rows, M, w, wBlock, y, count, biases, scales, end);
    else depthwise3u2(rows, M, w, wBlock, y, count, biases, scales, end);
  } else if (RELAXED) {
    if (stride == 1) depthwise5u1dot(rows, M, w, wBlock, y, count, biases, scales, end);
    else depthwise5u2dot(rows, M, w, wBlock, y, count, biases, scales, end);
  } else if (stride == 1) depthwise5u1(rows, M, w, wBlock, y, count, biases, scales, end);
  else depthwise5u2(rows, M, w, wBlock, y, count, biases, scales, end);
}
