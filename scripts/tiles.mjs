// The text of assembly/gen/tiles.ts: fully unrolled GEMM micro-tiles, from the one-line descriptions in TILES, and depthwise runs.

/**
 * rows x (4 * vectors) outputs a tile, as many tiles as fit under a panel; `unroll` steps of k a loop turn. Measured, share of the machine's limit (Zen 4):
 * simd, Node 20: 4x8u4 75 %, 5x8u4 40 % (that V8 spills from 5 rows on); simd, Node 24: 5x8u4 89 %, 4x8u2 77 %;
 * relaxed, Node 24: 6x8u4 97 %, 5x8u4 95 %, 3x12u4 90 %.
 */
const TILES = [...[1, 2, 3, 4, 5, 6].map((rows) => ({ rows, vectors: 2, unroll: 4 }))];

const range = (n) => [...Array(n).keys()];

function tile({ rows, vectors, unroll }) {
  const R = range(rows);
  const V = range(vectors);
  const lines = (items) => items.join("\n");
  const step = (u) =>
    lines([
      ...V.map((v) => `          b${v} = v128.load(w, ${16 * (vectors * u + v)});`),
      ...R.flatMap((r) => [
        `          s = v128.load32_splat(p${r}, ${4 * u});`,
        ...V.map((v) => `          acc${r}${v} = madd(s, b${v}, acc${r}${v});`),
      ]),
    ]);
  const advance = (u) =>
    lines([`          w += ${16 * vectors * u};`, ...R.map((r) => `          p${r} += ${4 * u};`)]);
  // Never taken: keeps Binaryen from nesting the unrolled updates, and V8 from loading everything first. Up to 4 rows each has
  // a condition of its own, as Node 20's V8 joins equal ones and spills then; 5 rows of simd lose a tenth by that on Node 24.
  const steps = (u) =>
    range(u).reduce(
      (text, i) => `${text}${i ? `\n          if (${rows < 5 ? `w == ${i}` : "!w"}) break;\n` : ""}${step(i)}`,
      "",
    );
  const loop = (u, end) => `        do {
${steps(u)}
${advance(u)}
        } while (p0 < ${end});`;
  return `/** ${rows} rows x ${4 * vectors} columns, k unrolled ${unroll}: ${rows * vectors} accumulators. Arguments as in lib/gemm.ts, "panel". */
export function panel${rows}x${4 * vectors}u${unroll}(
  tiles: i32, rowTable: usize, a: usize, seg: usize, segEnd: usize, segBytes: usize, b: usize, init: usize, initStride: usize,
  c: usize, cStride: usize, residual: usize, lo: f32, hi: f32, cols: i32,
): void {
  let s: v128;
${lines(V.map((v) => `  let b${v}: v128;`))}
  do {
${lines(R.flatMap((r) => [...V.map((v) => `    let acc${r}${v} = v128.load(init, ${16 * v});`), "    init += initStride;"]))}
${lines(R.map((r) => `    const a${r} = a + <usize>load<u32>(rowTable, ${4 * r});`))}
    rowTable += ${4 * rows};
    let w = b;
    let list = seg;
    do {
      const off = <usize>load<u32>(list);
${lines(R.map((r) => `      let p${r} = a${r} + off;`))}
      const end = p0 + segBytes;
      const main = p0 + (segBytes & ~${4 * unroll - 1});
      if (p0 < main) {
${loop(unroll, "main")}
      }
      if (p0 < end) {
${loop(1, "end")}
      }
      list += 4;
    } while (list < segEnd);
    if (residual) {
${lines(R.flatMap((r) => [...V.map((v) => `      acc${r}${v} = f32x4.add(acc${r}${v}, v128.load(residual, ${16 * v}));`), "      residual += cStride;"]))}
    }
    if (lo != -Infinity || hi != Infinity) {
      const low = f32x4.splat(lo);
      const high = f32x4.splat(hi);
${lines(R.flatMap((r) => V.map((v) => `      acc${r}${v} = minOf(maxOf(acc${r}${v}, low), high);`)))}
    }
    if (cols >= ${4 * vectors}) {
${lines(R.flatMap((r) => [...V.map((v) => `      v128.store(c, acc${r}${v}, ${16 * v});`), "      c += cStride;"]))}
    } else {
${lines(R.flatMap((r) => [`      storeTail(c, acc${r}0, acc${r}1, cols);`, "      c += cStride;"]))}
    }
  } while (--tiles);
}
`;
}

// Depthwise kernels: some outputs of one row, all channels, 4 channels at a time. How they are used, and what lies where, is
// told in assembly/lib/depthwise.ts. The last 1 to 3 channels go to scratch first, so that the stores inside ask nothing.
const DEPTHWISE_OUT = `    let out = y;
    let outPixel = yPixel;
    if (channels < 4) {
      out = scratch;
      outPixel = 16;
    }`;
const DEPTHWISE_PARTIAL = "    if (channels < 4) storeColumn(y, yPixel, scratch, count, channels);";
const clampStore = (acc) => `    v128.store(out, minOf(maxOf(${acc}, lo), hi));
    out += outPixel;`;

/**
 * 3x3 of stride 1 along any number of outputs: 9 weights and 3 accumulators, which take turns, stay in registers. A column
 * is loaded once for the three outputs that it belongs to: 3 loads for 9 multiply-adds.
 */
function depthwiseRun() {
  const column = (...uses) =>
    range(3)
      .flatMap((r) => [
        `    v = v128.load(p${r});`,
        `    p${r} += xPixel${r};`,
        ...uses.map(
          ([acc, s, init = acc], i) =>
            [
              `    sum${i} = maddFirst(v, w0${s}, ${init});`,
              `    sum${i} = madd(v, w1${s}, sum${i});`,
              `    ${acc} = maddLast(v, w2${s}, sum${i}, ${init});`,
            ][r],
        ),
      ])
      .join("\n");
  const step = (turn) => {
    const [done, next, newest] = range(3).map((i) => `acc${(turn + i) % 3}`);
    return `${column([done, 2], [next, 1], [newest, 0, "start"])}
${clampStore(done)}
    if (out == end) {
      last = ${next};
      break;
    }`;
  };
  return `/**
 * Depthwise 3x3, stride 1: \`count\` outputs. x0, x1 and x2: the first column inside of the first window, in three rows;
 * xPixel0 and xPixel2 are 0 for a row of padding, which is one vector of zeros. atLeft: the first window starts one column
 * outside; atRight: the last one ends there.
 */
export function depthwiseRun(
  x0: usize, xPixel0: usize, x1: usize, xPixel1: usize, x2: usize, xPixel2: usize, w: usize, wBlock: usize, bias: usize,
  y: usize, yPixel: usize, count: i32, atLeft: bool, atRight: bool, channels: i32, lo: v128, hi: v128, scratch: usize,
): void {
  do {
    const start = v128.load(bias);
${range(9)
  .map((t) => `    const w${Math.floor(t / 3)}${t % 3} = v128.load(w, ${16 * t});`)
  .join("\n")}
    let acc0 = start;
    let acc1 = start;
    let acc2 = start;
    let last = start;
    let v: v128;
${range(3)
  .map((i) => `    let sum${i}: v128;\n    let p${i} = x${i};`)
  .join("\n")}
${DEPTHWISE_OUT}
    const end = out + <usize>(atRight ? count - 1 : count) * outPixel;
    if (!atLeft) {
${column(["acc0", 0])}
    }
${column(["acc0", 1], ["acc1", 0])}
    do {
${range(3).map(step).join("\n")}
    } while (true);
    if (atRight) {
${clampStore("last")}
    }
${DEPTHWISE_PARTIAL}
    if (xPixel0) x0 += 16;
    x1 += 16;
    if (xPixel2) x2 += 16;
    w += wBlock;
    bias += 16;
    y += 16;
    channels -= 4;
  } while (channels > 0);
}
`;
}

/** `taps` a row, 4 to 7 outputs in as many accumulators, row by row; an input is loaded once a row. */
function depthwiseTile(taps, stride) {
  const half = (taps - 1) / 2;
  const P = range(7);
  const inputs = range(6 * stride + taps).map((i) => {
    const load = [
      "      v = v128.load(p);",
      ...P.filter((p) => i >= p * stride && i - p * stride < taps).map(
        (p) => `      acc${p} = madd(v, w${i - p * stride}, acc${p});`,
      ),
    ].join("\n");
    const body = i < half ? `      if (skip <= ${i}) {\n${load}\n      }` : load;
    const check = i >= 3 * stride + taps - half ? `      if (stop == ${i}) break;\n` : "";
    return `${check}${body}\n      p += xPixel;`;
  });
  return `/**
 * Depthwise, ${taps} taps a row, stride ${stride}: \`count\` = 4 to 7 outputs from \`rows\` >= 1 rows. Of the columns from x on, those
 * from \`skip\` <= ${half} to \`stop\` >= ${3 * stride + taps - half} are inside.
 */
export function depthwise${taps}u${stride}(
  x: usize, xRow: usize, xPixel: usize, rows: i32, w: usize, wBlock: usize, bias: usize,
  y: usize, yPixel: usize, count: i32, skip: i32, stop: i32, channels: i32, lo: v128, hi: v128, scratch: usize,
): void {
  do {
${P.map((p) => `    let acc${p} = v128.load(bias);`).join("\n")}
    let row = x;
    let weight = w;
    let r = rows;
    do {
      let p = row;
      let v: v128;
${range(taps)
  .map((t) => `      const w${t} = v128.load(weight, ${16 * t});`)
  .join("\n")}
      do {
${inputs.join("\n")}
      } while (false);
      row += xRow;
      weight += ${16 * taps};
    } while (--r);
${DEPTHWISE_OUT}
    do {
${P.map((p) => `${p > 3 ? `    if (count == ${p}) break;\n` : ""}${clampStore(`acc${p}`)}`).join("\n")}
    } while (false);
${DEPTHWISE_PARTIAL}
    x += 16;
    w += wBlock;
    bias += 16;
    y += 16;
    channels -= 4;
  } while (channels > 0);
}
`;
}

const DEPTHWISE_TILES = [
  [3, 1],
  [3, 2],
  [5, 1],
  [5, 2],
  [7, 1],
];

export const tiles = `// Generated by scripts/generate.mjs: do not edit.
import { madd, maddFirst, maddLast, maxOf, minOf, storeLanes } from "../lib/simd";

function storeTail(c: usize, v0: v128, v1: v128, cols: i32): void {
  storeLanes(c, v0, cols);
  if (cols > 4) storeLanes(c + 16, v1, cols - 4);
}

${TILES.map(tile).join("\n")}
/** The first \`channels\` < 4 lanes of \`count\` vectors to pixels of y. */
function storeColumn(y: usize, yPixel: usize, from: usize, count: i32, channels: i32): void {
  do {
    storeLanes(y, v128.load(from), channels);
    from += 16;
    y += yPixel;
  } while (--count);
}

${[depthwiseRun(), ...DEPTHWISE_TILES.map(([taps, stride]) => depthwiseTile(taps, stride))].join("\n")}`;
