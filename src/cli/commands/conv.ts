// Every algorithm on one convolution: how long, how many products, how much memory, how exact, and what `auto` takes and why.
import type { ConvAlgorithm, MemoryFormat, Padding, Plan, Precision, RuntimeOptions } from "../../index.js";
import { UsageError } from "../errors.js";
import type { Io } from "../io.js";
import type { Colour } from "../text/paint.js";
import { bar, bytesText, megaText, msText, tableLines, wrapped } from "../text/table.js";

export interface ConvFlags {
  readonly shape: readonly number[];
  readonly weight: readonly number[];
  readonly stride?: readonly number[];
  readonly padding?: string;
  readonly dilation?: readonly number[];
  readonly groups?: number;
  readonly variant?: string;
  readonly precision?: Precision;
  readonly seconds?: number;
  readonly json?: boolean;
}

type Pair = readonly [number, number];

interface Row {
  readonly algorithm: string;
  /** Why it cannot, where it cannot. */
  readonly refused?: string;
  readonly ms?: number;
  readonly gflops?: number;
  /** Multiplications of the seven loops over its own, as its method has it. */
  readonly products?: number;
  readonly workspaceBytes?: number;
  readonly weightBytes?: number;
  /** Largest difference from sums in float64, by the largest of these. */
  readonly error?: number;
}

const SECONDS = 0.3;
/** Of an input or a weight: 1 GB. */
const MOST_ELEMENTS = 2 ** 28;
/** Multiply-accumulates of the reference: more outputs are sampled. */
const REFERENCE_MACS = 3e7;

function pairOf(what: string, sizes: readonly number[] | undefined): Pair {
  const [a = 1, b = a, ...more] = sizes ?? [1];
  if (more.length > 0) throw new UsageError(`"${what}" expected one number or two, got ${sizes?.join("x")}`);
  return [a, b];
}

function paddingOf(text: string | undefined, stride: Pair): Padding {
  if (text === undefined) return stride.every((s) => s === 1) ? "same" : 0;
  if (text === "same" || text === "valid") return text;
  const sides = text.split("x").map(Number);
  if (!/^\d+(x\d+)*$/.test(text) || ![1, 2, 4].includes(sides.length))
    throw new UsageError(`"--padding" expected 1, 1x1, top x left x bottom x right, same or valid, got "${text}"`);
  return (sides.length === 1 ? sides[0] : sides) as Padding;
}

/** Numbers between -1 and 1, the same every time. */
function noise(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

export async function conv(io: Io, flags: ConvFlags): Promise<number> {
  const { shape, weight, groups = 1, precision } = flags;
  if (shape.length !== 4) throw new UsageError(`"--shape" expected NxCxHxW, got ${shape.join("x")}`);
  if (weight.length !== 4) throw new UsageError(`"--weight" expected MxCxRxS, got ${weight.join("x")}`);
  for (const [what, sizes] of [
    ["--shape", shape],
    ["--weight", weight],
  ] as const)
    if (product(sizes) > MOST_ELEMENTS)
      throw new UsageError(`"${what}" expected at most ${MOST_ELEMENTS} elements, got ${sizes.join("x")}`);
  const { CONV_ALGORITHMS, createRuntime } = await import("../../index.js");
  const [stride, dilation] = [pairOf("--stride", flags.stride), pairOf("--dilation", flags.dilation)];
  const padding = paddingOf(flags.padding, stride);
  const rt = await createRuntime({ ...(flags.variant && { variant: flags.variant }) } as RuntimeOptions);
  try {
    const memoryFormat: MemoryFormat = "channelsLast";
    const x = rt.tensor(noise(product(shape), 1), shape, { memoryFormat });
    const w = rt.tensor(noise(product(weight), 2), weight);
    const options = { stride, padding, dilation, groups, ...(precision && { precision }) };
    const planned = (algorithm: ConvAlgorithm | "auto") =>
      rt.plan.conv2d({ input: shape, memoryFormat, weight: w, ...options, algorithm });
    const auto = planned("auto");
    const { algorithm: chosen, reason, macs, output } = auto.describe();
    const expected = referenceOf(x.toArray(), w.toArray(), {
      shape,
      sizes: weight,
      stride,
      dilation,
      groups,
      output,
      padding: edgesOf(padding, shape, weight, stride, dilation),
    });
    const y = rt.empty(auto.outputs[0] as (typeof auto.outputs)[number]);
    const rows: Row[] = [];
    const progress = io.progress("measuring");
    for (const [i, algorithm] of CONV_ALGORITHMS.entries()) {
      rows.push(
        await rowOf(
          algorithm,
          () => planned(algorithm),
          (plan) => plan.run(x, y),
          () => expected(y.toArray()),
          { macs, seconds: flags.seconds ?? SECONDS, sizes: weight, dilation },
        ),
      );
      progress.at((i + 1) / CONV_ALGORITHMS.length);
    }
    progress.end();
    const layer = { shape, weight, stride, padding, dilation, groups, output, macs, variant: rt.variant };
    if (flags.json) io.out(`${JSON.stringify({ ...layer, auto: { algorithm: chosen, reason }, algorithms: rows })}\n`);
    else io.out(textOf(io, layer, rows, chosen, reason));
    return 0;
  } finally {
    rt.dispose();
  }
}

interface Measuring {
  readonly macs: number;
  readonly seconds: number;
  readonly sizes: readonly number[];
  readonly dilation: Pair;
}

async function rowOf(
  algorithm: ConvAlgorithm,
  make: () => Plan,
  run: (plan: Plan) => void,
  errorOf: () => number,
  { macs, seconds, sizes }: Measuring,
): Promise<Row> {
  let plan: Plan;
  try {
    plan = make();
  } catch (error) {
    return { algorithm, refused: (error as Error).message };
  }
  try {
    run(plan);
    const error = errorOf();
    let ms = Infinity;
    const end = performance.now() + seconds * 1e3;
    let rested = performance.now();
    do {
      const start = performance.now();
      run(plan);
      const now = performance.now();
      ms = Math.min(ms, now - start);
      if (now - rested > 100) {
        await new Promise((resolve) => setImmediate(resolve)); // for Ctrl-C
        rested = performance.now();
      }
    } while (performance.now() < end);
    const { workspaceBytes, constantBytes: weightBytes } = plan.describe();
    const products = savingOf(algorithm, sizes);
    return {
      algorithm,
      ms,
      gflops: (2 * macs) / ms / 1e6,
      ...(products && { products }),
      workspaceBytes,
      weightBytes,
      error,
    };
  } finally {
    plan.dispose();
  }
}

/** Winograd's F(m, r): (m + r - 1)² products for m² outputs in the place of m² r². Others do all; FFT depends on its tiles. */
function savingOf(algorithm: ConvAlgorithm, [, , r = 3]: readonly number[]): number | undefined {
  const tile = /^winograd(\d)3$/.exec(algorithm)?.[1];
  if (tile) return (Number(tile) + r - 1) ** 2 / (Number(tile) ** 2 * r * r);
  return algorithm === "fft" ? undefined : 1;
}

/** Rows before and columns before the image. */
function edgesOf(
  padding: unknown,
  shape: readonly number[],
  sizes: readonly number[],
  stride: Pair,
  dilation: Pair,
): Pair {
  if (padding === "valid") return [0, 0];
  if (padding !== "same") {
    const [top = 0, left = top] = Array.isArray(padding) ? padding : [padding as number];
    return [top, left];
  }
  return [0, 1].map((k) => {
    const [size = 1, kernel = 1] = [shape[2 + k], sizes[2 + k]];
    const [s = 1, d = 1] = [stride[k], dilation[k]];
    return Math.floor(Math.max((Math.ceil(size / s) - 1) * s + d * (kernel - 1) + 1 - size, 0) / 2);
  }) as unknown as Pair;
}

interface Layer {
  readonly shape: readonly number[];
  readonly sizes: readonly number[];
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly padding: Pair;
  readonly groups: number;
  readonly output: readonly number[];
}

/** The seven loops in float64, for as many outputs as they have time for. Answers what measures the largest error of others. */
function referenceOf(x: Float32Array, w: Float32Array, layer: Layer): (y: Float32Array) => number {
  const { shape, sizes, stride, dilation, padding, groups, output } = layer;
  const [, C = 1, H = 1, W = 1] = shape;
  const [M = 1, channels = 1, R = 1, S = 1] = sizes;
  const [, , P = 1, Q = 1] = output;
  const count = product(output);
  const step = Math.max(1, Math.ceil((count * channels * R * S) / REFERENCE_MACS));
  const valueAt = (at: number): number => {
    const q = at % Q;
    const p = Math.floor(at / Q) % P;
    const m = Math.floor(at / (P * Q)) % M;
    const n = Math.floor(at / (P * Q * M));
    const from = Math.floor((m * groups) / M) * channels;
    let sum = 0;
    for (let c = 0; c < channels; c++)
      for (let r = 0; r < R; r++) {
        const h = p * stride[0] - padding[0] + r * dilation[0];
        if (h < 0 || h >= H) continue;
        for (let s = 0; s < S; s++) {
          const v = q * stride[1] - padding[1] + s * dilation[1];
          if (v >= 0 && v < W)
            sum +=
              (x[((n * C + from + c) * H + h) * W + v] as number) * (w[((m * channels + c) * R + r) * S + s] as number);
        }
      }
    return sum;
  };
  const expected: number[] = [];
  for (let at = 0; at < count; at += step) expected.push(valueAt(at));
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return (y) =>
    expected.reduce((most, value, i) => Math.max(most, Math.abs((y[i * step] as number) - value)), 0) / largest;
}

function textOf(
  io: Io,
  layer: {
    shape: readonly number[];
    weight: readonly number[];
    output: readonly number[];
    macs: number;
    variant: string;
  },
  rows: readonly Row[],
  chosen: string,
  reason: string,
): string {
  const best = Math.max(...rows.map(({ gflops = 0 }) => gflops));
  const columns = [
    { head: "algorithm" },
    { head: "ms", align: "right" as const },
    { head: "GFLOP/s", align: "right" as const },
    { head: "", drop: 4 },
    { head: "products", align: "right" as const, drop: 3 },
    { head: "workspace", align: "right" as const, drop: 2 },
    { head: "weights", align: "right" as const, drop: 2.5 },
    { head: "error", align: "right" as const, drop: 1 },
  ];
  const measured = rows.filter(({ refused }) => refused === undefined);
  const lines = tableLines(
    columns,
    measured.map(({ algorithm, ms = 0, gflops = 0, products, workspaceBytes = 0, weightBytes = 0, error = 0 }) => [
      `${algorithm}${algorithm === chosen ? " *" : ""}`,
      msText(ms),
      gflops.toFixed(1),
      bar(gflops / best, 16),
      products === undefined ? "" : products.toFixed(3),
      bytesText(workspaceBytes),
      bytesText(weightBytes),
      error.toExponential(1),
    ]),
    io.columns,
  );
  const { shape, weight, output, macs, variant } = layer;
  const say = (colour: Colour | undefined, text: string) =>
    wrapped(text, io.columns).map((line) => (colour ? io.paint(colour, line) : line));
  const refused = rows.flatMap(({ algorithm, refused }) =>
    refused === undefined ? [] : say("dim", `${algorithm}: ${refused}`),
  );
  return `${[
    ...say(
      undefined,
      `${shape.join("x")} * ${weight.join("x")} -> ${output.join("x")}   ${megaText(macs)} MMAC   ${variant}`,
    ),
    ...lines.map((line, i) => (measured[i - 1]?.algorithm === chosen ? io.paint("bold", line) : line)),
    ...say(undefined, `* auto takes ${chosen}: ${reason}`),
    ...refused,
  ].join("\n")}\n`;
}
