// Implicit GEMM: the patch matrix of im2col is never written. A row of A is a pixel's patch read where it lies in the
// channels-last image; its R (or R*S, when dilated) contiguous pieces are the segments of lib/gemm.ts.
//
//   row (n, p, q) starts at x + ((n * H + p*U) * W + q*U) * C;   segment r at + r * dilation * W * C
//
// Nothing is padded: a window that hangs over the border is clipped to what lies inside, a rectangle of taps. Pixels of a row
// whose windows are inside from left to right are clipped alike, and so are those of a column at the border:
//
//   | l | q q q q q q q | v | r |     a run a row of q, one a column of l, r and v, which are too few
//   | l | q q q q q q q | v | r |     to make whole tiles of every row; shorter ones where the rows
//                                     of taps at the top and bottom of the image are fewer
//
// Only where x is copied anyway, or a row of taps is more than one segment, it is a padded copy. A 1x1 kernel is a plain matrix
// product. Source: Chetlur et al., cuDNN (2014); Dukhan, The Indirect Convolution Algorithm (2019).
import { ROW_BLOCK } from "../abi/constants";
import { ImplicitGemmDesc } from "../abi/conv";
import { GemmRun } from "../abi/matrix";
import { gemmRuns } from "../lib/gemm";

/** First tap at start + k * step >= 0. */
@inline function firstTap(start: i32, step: i32): i32 {
  return start >= 0 ? 0 : (step - 1 - start) / step;
}

/** How many of `count` taps at start + k * step lie before `size`. */
@inline function tapsBefore(start: i32, step: i32, size: i32, count: i32): i32 {
  return start >= size ? 0 : min((size - start + step - 1) / step, count);
}

/** Adds rows to the run before `runsEnd`, or behind it where they do not go on as it does. Answers where the runs end then. */
function add(
  runs: usize, runsEnd: usize, rows: i32, a: i32, aStep: i32, c: i32, cStep: i32, top: i32, bottom: i32, left: i32, right: i32,
): usize {
  if (runsEnd > runs) {
    const last = changetype<GemmRun>(runsEnd - offsetof<GemmRun>());
    if (
      last.aStepBytes == aStep && last.cStepBytes == cStep && last.top == top && last.bottom == bottom && last.left == left &&
      last.right == right && last.aBytes + last.rows * aStep == a && last.cBytes + last.rows * cStep == c
    ) {
      last.rows += rows;
      return runsEnd;
    }
  }
  const run = changetype<GemmRun>(runsEnd);
  run.rows = rows;
  run.aBytes = a;
  run.aStepBytes = aStep;
  run.cBytes = c;
  run.cStepBytes = cStep;
  run.top = top;
  run.bottom = bottom;
  run.left = left;
  run.right = right;
  return runsEnd + offsetof<GemmRun>();
}

/** Columns [from, to) of the output rows that pixels [begin, end) lie in: a run a row, or a run a column. */
function addRows(d: ImplicitGemmDesc, runs: usize, runsEnd: usize, begin: i32, end: i32, from: i32, to: i32, isColumn: bool): usize {
  const wide = d.outW;
  const tap = d.channels << 2;
  const lastRow = (end - 1) / wide;
  for (let row = begin / wide; row <= lastRow; row++) {
    const pixel = row * wide;
    const q = max(from, begin - pixel);
    const count = min(to, end - pixel) - q;
    if (count <= 0) continue;
    const n = row / d.outH;
    const h = (row - n * d.outH) * d.strideH - d.padTop;
    const w = q * d.strideW - d.padLeft;
    runsEnd = add(
      runs, runsEnd, count, n * d.xImageBytes + h * d.xRowBytes + w * d.xPixelBytes,
      isColumn ? d.strideH * d.xRowBytes : d.strideW * d.xPixelBytes, (pixel + q) * d.yPixelBytes, isColumn ? wide * d.yPixelBytes : d.yPixelBytes,
      firstTap(h, d.dilationH), tapsBefore(h, d.dilationH, d.height, d.kernelH),
      isColumn ? firstTap(w, 1) * tap : 0, isColumn ? tapsBefore(w, 1, d.width, d.kernelW) * tap : d.kernelW * tap,
    );
  }
  return runsEnd;
}

/** The runs of output pixels [begin, end). Answers where they end. */
function pixelRuns(d: ImplicitGemmDesc, runs: usize, begin: i32, end: i32): usize {
  const wide = d.outW;
  // Columns whose windows are inside along w.
  const inside = min(firstTap(-d.padLeft, d.strideW), wide);
  const room = d.width + d.padLeft - (d.kernelW - 1) * d.dilationW;
  const outside = max(min((room + d.strideW - 1) / d.strideW, wide), inside);
  // What is left of whole tiles goes down the rows where that makes fewer tiles.
  const rows = (end - 1) / wide - begin / wide + 1;
  const count = outside - inside;
  const tile = d.tileRows;
  const rest = count % tile;
  const whole = rest * ((rows + tile - 1) / tile) < rows ? outside - rest : outside;
  let runsEnd = addRows(d, runs, runs, begin, end, inside, whole, false);
  for (let q = 0; q < wide; q++) {
    if (q == inside) q = whole;
    if (q < wide) runsEnd = addRows(d, runs, runsEnd, begin, end, q, q + 1, true);
  }
  return runsEnd;
}

/** Work items: output pixels, numbered (n * P + p) * Q + q. Scratch: `runs` of src/ops/conv/algorithms.ts. */
export function conv2d_implicit_gemm_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ImplicitGemmDesc>(desc);
  if (!ASC_NO_ASSERT) assert(begin >= 0 && end <= d.batch * d.outH * d.outW);
  if (!ASC_NO_ASSERT) assert(d.dilationW == 1 || d.kernelW == 1 || (d.padLeft == 0 && (d.outW - 1) * d.strideW + (d.kernelW - 1) * d.dilationW < d.width));
  const isClipped = (d.padTop | d.padLeft) != 0 || (d.outH - 1) * d.strideH + (d.kernelH - 1) * d.dilationH >= d.height || (d.outW - 1) * d.strideW + (d.kernelW - 1) * d.dilationW >= d.width;
  const segmentBytes = isClipped ? d.kernelW * d.channels << 2 : 0;
  // Pixels are spread evenly over the fewest row blocks.
  const blocks = (end - begin + ROW_BLOCK - 1) / ROW_BLOCK;
  for (let i = blocks; i > 0; i--) {
    const count = (end - begin) / i;
    const runsEnd = pixelRuns(d, scratch, begin, begin + count);
    for (let g = 0; g < d.groups; g++) {
      const group = <usize>(g * d.filters) << 2;
      gemmRuns(
        scratch, runsEnd, segmentBytes, d.xPtr + <usize>g * <usize>d.xGroupBytes, d.blocksPtr, d.blockCount,
        d.wPtr + <usize>g * <usize>d.wGroupBytes, d.filters, d.yPtr + group, d.biasPtr + <usize>g * <usize>d.biasGroupBytes,
        d.residualPtr ? d.residualPtr + group : 0, desc + offsetof<ImplicitGemmDesc>("lo"), d.tileRows,
      );
    }
    begin += count;
  }
}
