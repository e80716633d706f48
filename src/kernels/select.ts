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

/** Milliseconds of one run by algorithm, or why there are none. What did not fit in memory is missing. */
export type Timings = ReadonlyMap<ConvAlgorithm, number> | string;

export interface Choice {
  readonly algorithm?: ConvAlgorithm | "auto";
  readonly precision?: Precision;
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
}

/** What is estimated to take more than this many times the least is not measured. */
const WORTH_MEASURING = 4;

/** Whether a precision lets a row be chosen for a shape. */
type Allows = (row: ConvRow) => boolean;

const isEligible = (row: ConvRow, shape: ConvShape): boolean => row.tunedOnly?.(shape) !== true;

/** "high" goes by what the table takes by default, so that what rounds less never spreads further than that. */
function allowedBy(precision: Precision, shape: ConvShape, variant: "simd" | "relaxed"): Allows {
  if (precision === "default") return () => true;
  const most = precision === "exact" ? 1 : (estimates(shape, variant, () => true, false)[0]?.row.spread ?? Infinity);
  return ({ error, spread }) => error <= PRECISIONS[precision] && spread <= most;
}

/** Rows with their estimated milliseconds, the least first: those that are allowed, and eligible unless times decide. */
function estimates(
  shape: ConvShape,
  variant: "simd" | "relaxed",
  allows: Allows,
  byTime: boolean,
): readonly Candidate[] {
  return CONV_ROWS.filter((row) => row.accepts(shape) === true && allows(row))
    .filter((row) => byTime || isEligible(row, shape))
    .map((row) => ({ row, ms: row.cost(shape, RATES[variant]) }))
    .filter((entry): entry is Candidate => entry.ms !== undefined)
    .sort((a, b) => a.ms - b.ms);
}

function near(costs: readonly Candidate[]): readonly Candidate[] {
  return costs.filter(({ ms }) => ms <= WORTH_MEASURING * (costs[0] as Candidate).ms);
}

/** The algorithms that may be the fastest for a shape; fewer than two where there is nothing to measure. */
export function worthMeasuring(
  shape: ConvShape,
  variant: "simd" | "relaxed",
  precision: Precision,
): readonly ConvAlgorithm[] {
  return near(estimates(shape, variant, allowedBy(precision, shape, variant), true)).map(({ row }) => row.algorithm);
}

/** Answers a row of the table and why. Throws UnsupportedError when the named algorithm does not do the shape. */
export function select(
  shape: ConvShape,
  variant: "simd" | "relaxed",
  { algorithm = "auto", precision = "default", timings }: Choice = {},
): Selection {
  if (algorithm !== "auto") {
    const row = CONV_ROWS.find((candidate) => candidate.algorithm === algorithm) as ConvRow;
    const accepted = row.accepts(shape);
    if (accepted !== true) throw new UnsupportedError(`"algorithm" expected for ${algorithm} ${accepted}`);
    return { row, reason: "asked for" };
  }
  const allows = allowedBy(precision, shape, variant);
  const costs = estimates(shape, variant, allows, timings !== undefined);
  const byCost = byTable(costs.filter(({ row }) => isEligible(row, shape)));
  const { row, reason } = timings === undefined ? byCost : byTime(costs, timings, byCost);
  const excluded = CONV_ROWS.filter((other) => other.accepts(shape) === true && !allows(other));
  const names = excluded.map((other) => other.algorithm).join(", ");
  return { row, reason: names === "" ? reason : `${reason}; precision ${precision} leaves out ${names}` };
}

function byTable(costs: readonly Candidate[]): Selection {
  const [best, second] = costs;
  if (best === undefined) throw new Error("internal: no algorithm accepts the shape");
  const reason =
    second === undefined
      ? "the only one for this shape"
      : `least estimated cost: ${showMs(best)} against ${showMs(second)} for ${second.row.algorithm}`;
  return { row: best.row, reason };
}

function byTime(costs: readonly Candidate[], timings: Timings, byCost: Selection): Selection {
  const candidates = near(costs);
  if (candidates.length < 2) return byCost;
  const [best, ...others] = candidates
    .map(({ row }) => ({ row, ms: typeof timings === "string" ? undefined : timings.get(row.algorithm) }))
    .filter((entry): entry is Candidate => entry.ms !== undefined)
    .sort((a, b) => a.ms - b.ms);
  if (best === undefined) {
    const why = typeof timings === "string" ? timings : "no memory to measure in";
    return { row: byCost.row, reason: `${why}: ${byCost.reason}` };
  }
  const against = others.map((other) => `${showMs(other)} for ${other.row.algorithm}`).join(", ");
  return { row: best.row, reason: `fastest measured: ${showMs(best)}${against && ` against ${against}`}` };
}

function showMs({ ms }: Candidate): string {
  return `${ms.toPrecision(3)} ms`;
}
