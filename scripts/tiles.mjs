// The text of assembly/gen/tiles.ts: fully unrolled GEMM micro-tiles, and depthwise runs.

/**
 * rows x 8 outputs a tile, as many tiles as a run has under a panel; UNROLL steps of k a loop turn. Measured, share of the machine's
 * limit (Zen 4), 1x1 of 512 channels: simd, Node 20: 5 rows 79 %, 4 rows 75 %; relaxed, Node 24: 6 rows 94 %.
 */
const TILE_ROWS = [1, 2, 3, 4, 5, 6];
const UNROLL = 4;

const range = (n) => [...Array(n).keys()];

function panel(rows) {
  const R = range(rows);
  const lines = (items) => items.join("\n");
  const each = (text) => lines(R.flatMap((r) => [0, 1].map((v) => `      acc${r}${v} = ${text(`acc${r}${v}`, v)};`)));
  // Never taken. Keeps Binaryen from nesting the unrolled updates, and V8, which loads all that a block of code reads first, from
  // having more at hand than 16 registers hold. Each has a condition of its own: equal ones are joined.
  let count = 0;
  const never = (indent) => `${indent}if (w == ${++count}) break;`;
  const step = (u) =>
    lines([
      `          b0 = v128.load(w, ${32 * u});`,
      `          b1 = v128.load(w, ${32 * u + 16});`,
      ...R.flatMap((r) => [
        `          s = v128.load32_splat(p${r}, ${4 * u});`,
        `          acc${r}0 = madd(s, b0, acc${r}0);`,
        `          acc${r}1 = madd(s, b1, acc${r}1);`,
        // Without FMA a product needs a register, too.
        ...(r % 2 === 1 && r < rows - 1 ? [`          if (!RELAXED) {\n${never("            ")}\n          }`] : []),
      ]),
    ]);
  const loop = (steps, end) => `        do {
${lines(range(steps).map((u) => step(u) + (u < steps - 1 ? `\n${never("          ")}` : "")))}
          w += ${32 * steps};
${lines(R.map((r) => `          p${r} += ${4 * steps};`))}
        } while (p0 < ${end});`;
  return `/** ${rows} rows x 8 columns, k unrolled ${UNROLL}: ${2 * rows} accumulators. Arguments as in lib/gemm.ts, "panel". */
export function panel${rows}x8(
  tiles: i32, run: GemmRun, a: usize, b: usize, init: usize, initStep: usize, c: usize, residual: usize,
  store: i32, end: Epilogue, slopes: usize, cols: i32,
): void {
  const aStep = run.aStepBytes;
  const cStep = run.cStepBytes;
  const bytes = run.bytes;
  const whole = bytes & ~${4 * UNROLL - 1};
  let s: v128, b0: v128, b1: v128;
  do {
${lines(R.flatMap((r) => [`    let acc${r}0 = v128.load(init);`, `    let acc${r}1 = v128.load(init, 16);`, "    init += initStep;"]))}
    let w = b;
    for (let list = run.listPtr; list < run.listEndPtr; list += 4) {
      let p0 = a + <usize>load<u32>(list);
${lines(R.slice(1).map((r) => `      let p${r} = p${r - 1} + aStep;`))}
      const main = p0 + whole;
      const stop = p0 + bytes;
      if (p0 < main) {
${loop(UNROLL, "main")}
      }
      if (p0 < stop) {
${loop(1, "stop")}
      }
      w += run.skipBytes;
    }
    a += ${rows} * aStep;
    if (residual) {
${lines(R.flatMap((r) => [...[0, 1].map((v) => `      acc${r}${v} = f32x4.add(acc${r}${v}, v128.load(residual, ${16 * v}));`), "      residual += cStep;"]))}
    }
    if (store == Store.relu) {
      const zero = f32x4.splat(0);
${each((x) => `maxOf(${x}, zero)`)}
    } else if (store == Store.clamp) {
      const low = f32x4.splat(end.lo);
      const high = f32x4.splat(end.hi);
${each((x) => `minOf(maxOf(${x}, low), high)`)}
    } else if (store == Store.slope) {
      let slope0 = f32x4.splat(end.alpha);
      let slope1 = slope0;
      if (slopes) {
        slope0 = v128.load(slopes);
        slope1 = v128.load(slopes, 16);
      }
${each((x, v) => `leaky(${x}, slope${v})`)}
    } else if (store == Store.hardSwish) {
${each((x) => `hardSwish(${x})`)}
    }
    if (cols >= 8) {
${lines(R.flatMap((r) => [...[0, 1].map((v) => `      v128.store(c, acc${r}${v}, ${16 * v});`), "      c += cStep;"]))}
    } else {
${lines(R.flatMap((r) => [`      storeTail(c, acc${r}0, acc${r}1, cols);`, "      c += cStep;"]))}
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
import { Epilogue, GemmRun } from "../abi/matrix";
import { hardSwish, leaky, Store } from "../lib/activate";
import { madd, maddFirst, maddLast, maxOf, minOf, RELAXED, storeLanes } from "../lib/simd";

function storeTail(c: usize, v0: v128, v1: v128, cols: i32): void {
  storeLanes(c, v0, cols);
  if (cols > 4) storeLanes(c + 16, v1, cols - 4);
}

${TILE_ROWS.map(panel).join("\n")}
/** The first \`channels\` < 4 lanes of \`count\` vectors to pixels of y. */
function storeColumn(y: usize, yPixel: usize, from: usize, count: i32, channels: i32): void {
  do {
    storeLanes(y, v128.load(from), channels);
    from += 16;
    y += yPixel;
  } while (--count);
}

${[depthwiseRun(), ...DEPTHWISE_TILES.map(([taps, stride]) => depthwiseTile(taps, stride))].join("\n")}`;
