// The choice of a convolution algorithm. By default from a shape and a binary's fixed rates alone, so the same everywhere; with
// `timings`, by what was measured on the machine at hand. Pure: nothing is measured here.

import { UnsupportedError } from "../base/errors.js";
import type { ConvShape } from "../base/shape.js";
import { CONV_ROWS, type ConvAlgorithm, type ConvRow, RATES } from "./table.js";

/** Largest error (ConvRow.error) that an algorithm may have to be chosen by itself. */
export const PRECISIONS = { default: Infinity, high: 4e-6, exact: 4e-6 } as const;
/**
 * "default": any algorithm. "high": those with a documented error of at most 4e-6, as a share of the largest output, which
 * spread a NaN or a large value no further than what "default" takes. "exact": those whose outputs depend on nothing outside
 * of their own windows.
 */
export type Precision = keyof typeof PRECISIONS;

/**
 * Milliseconds that a megabyte of weights, kept beyond those as they are, has to save in every run. Fresh memory costs 0.6 to 15 ms
 * a megabyte when it is first touched: "default" is that over 10 to 250 runs. F(4,3) keeps four times the weights of 3x3 filters,
 * which gains little where maps are deep and small: ResNet-50 holds 1.6 times its weights instead
 * of 2.0, and runs 2 % slower (npm run bench:memory).
 */
export const MEMORY = { fast: 0, default: 0.06, small: 1e3 } as const;
/** "fast": what runs fastest. "default": more weights where they save time enough. "small": the fewest bytes. */
export type Memory = keyof typeof MEMORY;

/** Milliseconds of one run by algorithm, or why there are none. What did not fit in memory is missing. */
export type Timings = ReadonlyMap<ConvAlgorithm, number> | string;

export interface Choice {
  readonly algorithm?: ConvAlgorithm | "auto";
  readonly precision?: Precision;
  readonly memory?: Memory;
  /** Times taken on the machine at hand, which then decide; without them the table does. */
  readonly timings?: Timings | undefined;
}

export interface Selection {
  readonly row: ConvRow;
  readonly reason: string;
}

interface Candidate {
  readonly row: ConvRow;
  readonly ms: number;
  /** ms, and what the memory counts for. */
  readonly cost: number;
}

/** What is estimated to take more than this many times the least is not measured. */
const WORTH_MEASURING = 4;

/** Whether a precision lets a row be chosen for a shape. */
type Allows = (row: ConvRow) => boolean;

const isEligible = (row: ConvRow, shape: ConvShape): boolean => row.tunedOnly?.(shape) !== true;

/** Megabytes that an algorithm keeps beyond the weights as they are. */
function extraMegabytes({ weightBytes }: ConvRow, shape: ConvShape): number {
  const { C, M, R, S, groups } = shape;
  return Math.max(0, weightBytes(shape) - (M * C * R * S * 4) / groups) / 1e6;
}

function candidate(row: ConvRow, ms: number, shape: ConvShape, memory: Memory = "default"): Candidate {
  return { row, ms, cost: memory === "fast" ? ms : ms + MEMORY[memory] * extraMegabytes(row, shape) };
}

const byCost = (a: Candidate, b: Candidate): number => a.cost - b.cost;

/** "high" goes by what the table takes by default, so that what rounds less never spreads further than that. */
function allowedBy({ precision = "default", memory }: Choice, shape: ConvShape, variant: "simd" | "relaxed"): Allows {
  if (precision === "default") return () => true;
  const byDefault = () => estimates(shape, variant, memory, () => true, false)[0]?.row.spread ?? Infinity;
  const most = precision === "exact" ? 1 : byDefault();
  return ({ error, spread }) => error <= PRECISIONS[precision] && spread <= most;
}

/** Rows with their estimated milliseconds, the best first: those that are allowed, and eligible unless times decide. */
function estimates(
  shape: ConvShape,
  variant: "simd" | "relaxed",
  memory: Memory | undefined,
  allows: Allows,
  byTime: boolean,
): readonly Candidate[] {
  return CONV_ROWS.filter((row) => row.accepts(shape) === true && allows(row))
    .filter((row) => byTime || isEligible(row, shape))
    .flatMap((row) => {
      const ms = row.cost(shape, RATES[variant]);
      return ms === undefined ? [] : candidate(row, ms, shape, memory);
    })
    .sort(byCost);
}

function near(candidates: readonly Candidate[]): readonly Candidate[] {
  const least = Math.min(...candidates.map(({ ms }) => ms));
  return candidates.filter(({ ms }) => ms <= WORTH_MEASURING * least);
}

/** The algorithms that may be the fastest for a shape; fewer than two where there is nothing to measure. */
export function worthMeasuring(
  shape: ConvShape,
  variant: "simd" | "relaxed",
  choice: Choice,
): readonly ConvAlgorithm[] {
  const allows = allowedBy(choice, shape, variant);
  return near(estimates(shape, variant, choice.memory, allows, true)).map(({ row }) => row.algorithm);
}

/** Answers a row of the table and why. Throws UnsupportedError when the named algorithm does not do the shape. */
export function select(shape: ConvShape, variant: "simd" | "relaxed", choice: Choice = {}): Selection {
  const { algorithm = "auto", precision = "default", timings } = choice;
  if (algorithm !== "auto") {
    const row = CONV_ROWS.find((candidate) => candidate.algorithm === algorithm) as ConvRow;
    const accepted = row.accepts(shape);
    if (accepted !== true) throw new UnsupportedError(`"algorithm" expected for ${algorithm} ${accepted}`);
    return { row, reason: "asked for" };
  }
  const allows = allowedBy(choice, shape, variant);
  const candidates = estimates(shape, variant, choice.memory, allows, timings !== undefined);
  const table = byTable(
    candidates.filter(({ row }) => isEligible(row, shape)),
    shape,
  );
  const { row, reason } = timings === undefined ? table : byTime(candidates, timings, table, shape, choice.memory);
  if (precision === "default") return { row, reason };
  const excluded = CONV_ROWS.filter((other) => other.accepts(shape) === true && !allows(other));
  const names = excluded.map((other) => other.algorithm).join(", ");
  return { row, reason: names === "" ? reason : `${reason}; precision ${precision} leaves out ${names}` };
}

function byTable(candidates: readonly Candidate[], shape: ConvShape): Selection {
  const [best, second] = candidates;
  if (best === undefined) throw new Error("internal: no algorithm accepts the shape");
  if (second === undefined) return { row: best.row, reason: "the only one for this shape" };
  const reason = `least estimated cost: ${showMs(best)} against ${showMs(second)} for ${second.row.algorithm}`;
  return { row: best.row, reason: reason + memoryNote(best, candidates, shape) };
}

function byTime(
  candidates: readonly Candidate[],
  timings: Timings,
  table: Selection,
  shape: ConvShape,
  memory: Memory | undefined,
): Selection {
  const likely = near(candidates);
  if (likely.length < 2) return table;
  const timed = likely
    .flatMap(({ row }) => {
      const ms = typeof timings === "string" ? undefined : timings.get(row.algorithm);
      return ms === undefined ? [] : candidate(row, ms, shape, memory);
    })
    .sort(byCost);
  const [best, ...others] = timed;
  if (best === undefined) {
    const why = typeof timings === "string" ? timings : "no memory to measure in";
    return { row: table.row, reason: `${why}: ${table.reason}` };
  }
  const against = others.map((other) => `${showMs(other)} for ${other.row.algorithm}`).join(", ");
  const reason = `fastest measured: ${showMs(best)}${against && ` against ${against}`}`;
  return { row: best.row, reason: reason + memoryNote(best, timed, shape) };
}

/** Says so where a faster one was left for its memory. */
function memoryNote(best: Candidate, all: readonly Candidate[], shape: ConvShape): string {
  const fastest = all.reduce((least, other) => (other.ms < least.ms ? other : least));
  if (fastest === best) return "";
  const more = extraMegabytes(fastest.row, shape) - extraMegabytes(best.row, shape);
  return `; ${fastest.row.algorithm} takes ${showMs(fastest)} and ${more.toFixed(1)} MB more`;
}

function showMs({ ms }: Candidate): string {
  return `${ms.toPrecision(3)} ms`;
}
