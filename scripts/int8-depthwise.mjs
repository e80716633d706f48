// The text of assembly/gen/int8-depthwise.ts: rows of depthwise outputs of bytes, unrolled. How they are used, and how weights lie, is
// told in assembly/kernels/int8-depthwise.ts.

const range = (n) => [...Array(n).keys()];
const lines = (...items) => items.flat(9).join("\n");

/** Taps a side, stride. */
const RUNS = [
  [3, 1],
  [3, 2],
  [5, 1],
  [5, 2],
];

/** a0 and a1 from two vectors of 8 pairs' halves. */
const turned = (a, b) => [
  `    a0 = i16x8.shuffle(${a}, ${b}, 0, 8, 1, 9, 2, 10, 3, 11);`,
  `    a1 = i16x8.shuffle(${a}, ${b}, 4, 12, 5, 13, 6, 14, 7, 15);`,
];

/**
 * What dots read, and for which taps, when column j is loaded: of each, lines of code, and [tap s of an output, how many columns ago, its
 * weights, 32 bytes each].
 */
const READS = {
  // Two rows of a column; of an odd number the last one two columns.
  pairs: (taps) => [
    ...range(taps >> 1).map((g) => ({
      load: [`    v = v128.load8x8_u(x${2 * g});`, `    u = v128.load8x8_u(x${2 * g + 1});`, turned("v", "u")],
      uses: range(taps).map((s) => [s, g * taps + s]),
    })),
    {
      isKept: true,
      load: [`    v = v128.load8x8_u(x${taps - 1});`, turned("z", "v"), "    z = v;"],
      uses: [
        ...range(taps >> 1).map((e) => [2 * e + 1, (taps >> 1) * taps + e]),
        [taps - 1, (taps >> 1) * taps + (taps >> 1)],
      ],
    },
  ],
  // Four rows of a column, which may be fewer.
  quads: (taps) =>
    range(Math.ceil(taps / 4)).map((g) => ({
      load: quad(range(Math.min(4, taps - 4 * g)).map((r) => `x${4 * g + r}`)),
      uses: range(taps).map((s) => [s, g * taps + s]),
    })),
};

function quad(ptrs) {
  const mixed = (a, b) =>
    `i8x16.shuffle(v128.load64_zero(${a}), v128.load64_zero(${b}), 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)`;
  const [a, b, c, d] = ptrs;
  if (ptrs.length === 1)
    return [
      `    v = v128.load8x8_u(${a});`,
      "    a0 = i32x4.extend_low_i16x8_u(v);",
      "    a1 = i32x4.extend_high_i16x8_u(v);",
    ];
  return [`    v = ${mixed(a, b)};`, `    u = ${d ? mixed(c, d) : `v128.load8x8_u(${c})`};`, turned("v", "u")];
}

/**
 * All outputs of a row, taps x taps, 8 filters at a time, of which the last overlap: a column is loaded once for all outputs that it
 * belongs to. Their sums are passed on from register to register: to unroll until they take turns is no faster.
 */
function run(taps, stride, kind) {
  const held = Math.ceil(taps / stride);
  const reads = READS[kind](taps);
  const isHeld = kind === "quads" && taps === 3; // the weights in registers
  const weight = (at, half) => (isHeld ? `w${at}${half}` : `v128.load(w, ${32 * at + 16 * half})`);
  const add = (acc, from, at, half) =>
    kind === "quads"
      ? `    ${acc}${half} = dot4(${weight(at, half)}, a${half}, ${from}${half});`
      : `    ${acc}${half} = i32x4.add(${from}${half}, i32x4.dot_i16x8_s(a${half}, ${weight(at, half)}));`;
  // Never taken: Node 20's V8 loads all that a block of code reads first, and spills; equal conditions are joined.
  let count = 0;
  const never = () => (taps > 3 ? `    if (M == ${++count}) break;` : []);
  // What column j adds: tap s is of output (j - s) / stride; those below 0 are none. The first sum of an output starts from the bias.
  const column = (j, done, isWhole = false) => {
    const started = new Set();
    const code = reads.map(({ load, uses, isKept }, g) => {
      const wanted = uses.filter(([s]) => (j - s) % stride === 0 && j >= s).reverse();
      const sums = wanted.map(([s, at]) => {
        const acc = `acc${(j - s) / stride - done}`;
        const isFirst = s === 0 && !started.has(acc);
        if (isFirst) started.add(acc);
        return [0, 1].map((half) => add(acc, isFirst ? "start" : acc, at, half));
      });
      return wanted.length > 0 || isKept ? [load, sums, isWhole && g < reads.length - 1 ? never() : []] : [];
    });
    return [code, range(taps).map((r) => `    x${r} += step;`)];
  };
  // Turns before an output is whole, and columns before them: of these turns what is stored would be none.
  const early = Math.floor((taps - stride) / stride);
  const before = (taps - stride) % stride;
  return lines(
    `export function depthwise${taps}u${stride}${kind === "quads" ? "dot" : ""}(`,
    "  rows: usize, M: i32, w: usize, wBlock: usize, yRow: usize, count: i32, biases: usize, scales: usize, end: usize,",
    "): void {",
    "  const step = <usize>M;",
    "  for (let at = 0; at < M; at += 8) {",
    "    const c = <usize>min(at, M - 8);",
    "    const bias = biases + (c << 2), scale = scales + (c << 2);",
    range(taps).map((r) => `    let x${r} = load<usize>(rows, ${4 * r}) + c;`),
    "    let y = yRow + c;",
    "    const start0 = v128.load(bias), start1 = v128.load(bias, 16), s0 = v128.load(scale), s1 = v128.load(scale, 16);",
    isHeld
      ? range(taps).map((s) => `    const w${s}0 = v128.load(w, ${32 * s}), w${s}1 = v128.load(w, ${32 * s + 16});`)
      : [],
    range(held).map((i) => `    let acc${i}0 = start0, acc${i}1 = start1;`),
    "    let u: v128, v: v128, a0: v128, a1: v128, z = i8x16.splat(0);",
    "    const yEnd = y + <usize>count * step;",
    early > 0 ? `    const yFirst = y;\n    y -= ${early > 1 ? `${early} * ` : ""}step;` : [],
    range(before).map((j) => column(j, -early)),
    "    do {",
    // As if of output held, so that all before it are there.
    range(stride).map((i) => column((held + early) * stride + before + i, held, true)),
    `      ${early > 0 ? "if (y >= yFirst) " : ""}v128.store64_lane(y, requantised(acc00, acc01, s0, s1, end), 0);`,
    "      y += step;",
    range(held - 1).map((i) => `    acc${i}0 = acc${i + 1}0;\n    acc${i}1 = acc${i + 1}1;`),
    "    } while (y != yEnd);",
    "    w += wBlock;",
    "  }",
    "}",
    "",
  );
}

export const int8Depthwise = `// Generated by scripts/generate.mjs: do not edit.
import { requantised } from "../lib/int8-bytes";
import { dot4 } from "../lib/simd";

${RUNS.flatMap(([taps, stride]) => ["pairs", "quads"].map((kind) => run(taps, stride, kind))).join("\n")}`;
