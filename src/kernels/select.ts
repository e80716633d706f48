// The choice of a convolution algorithm. By default from a shape and a binary's fixed rates alone, so the same everywhere; with
// `measure`, by times taken on the machine at hand.

import { UnsupportedError } from "../base/errors.js";
import type { ConvShape } from "../base/shape.js";
import { CONV_ROWS, type ConvAlgorithm, type ConvRow, RATES } from "./table.js";

/** Largest error (ConvRow.error) that an algorithm may have to be chosen by itself. */
export const PRECISIONS = { default: Infinity, high: 4e-6 } as const;
/** "default": any algorithm. "high": those with a documented error of at most 4e-6, as a share of the largest output. */
export type Precision = keyof typeof PRECISIONS;

/** Milliseconds of one run by algorithm, or why there are none. What did not fit in memory is missing. */
export type Timings = ReadonlyMap<ConvAlgorithm, number> | string;

export interface Choice {
  readonly algorithm?: ConvAlgorithm | "auto";
  readonly precision?: Precision;
  readonly measure?: ((candidates: readonly ConvAlgorithm[]) => Timings) | undefined;
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

/** Answers a row of the table and why. Throws UnsupportedError when the named algorithm does not do the shape. */
export function select(
  shape: ConvShape,
  variant: "simd" | "relaxed",
  { algorithm = "auto", precision = "default", measure }: Choice = {},
): Selection {
  if (algorithm !== "auto") {
    const row = CONV_ROWS.find((candidate) => candidate.algorithm === algorithm) as ConvRow;
    const accepted = row.accepts(shape);
    if (accepted !== true) throw new UnsupportedError(`"algorithm" expected for ${algorithm} ${accepted}`);
    return { row, reason: "asked for" };
  }
  const accepting = CONV_ROWS.filter((row) => row.accepts(shape) === true);
  const isExact = (row: ConvRow) => row.error <= PRECISIONS[precision];
  const isEligible = (row: ConvRow) => row.tunedOnly?.(shape) !== true;
  const costs = accepting
    .filter((row) => isExact(row) && (measure !== undefined || isEligible(row)))
    .map((row) => ({ row, ms: row.cost(shape, RATES[variant]) }))
    .filter((entry): entry is Candidate => entry.ms !== undefined)
    .sort((a, b) => a.ms - b.ms);
  const table = () => byTable(costs.filter(({ row }) => isEligible(row)));
  const { row, reason } = measure === undefined ? table() : byTime(costs, measure, table);
  const excluded = accepting.filter((row) => !isExact(row)).map((row) => row.algorithm);
  const note = excluded.length > 0 ? `; precision ${precision} leaves out ${excluded.join(", ")}` : "";
  return { row, reason: reason + note };
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

function byTime(
  costs: readonly Candidate[],
  measure: NonNullable<Choice["measure"]>,
  table: () => Selection,
): Selection {
  const near = costs.filter(({ ms }) => ms <= WORTH_MEASURING * (costs[0] as Candidate).ms);
  if (near.length < 2) return table();
  const times = measure(near.map(({ row }) => row.algorithm));
  const [best, ...others] = near
    .map(({ row }) => ({ row, ms: typeof times === "string" ? undefined : times.get(row.algorithm) }))
    .filter((entry): entry is Candidate => entry.ms !== undefined)
    .sort((a, b) => a.ms - b.ms);
  if (best === undefined) {
    const { row, reason } = table();
    return { row, reason: `${typeof times === "string" ? times : "no memory to measure in"}: ${reason}` };
  }
  const against = others.map((other) => `${showMs(other)} for ${other.row.algorithm}`).join(", ");
  return { row: best.row, reason: `fastest measured: ${showMs(best)}${against && ` against ${against}`}` };
}

function showMs({ ms }: Candidate): string {
  return `${ms.toPrecision(3)} ms`;
}
