// The choice of a convolution algorithm: pure, from a shape and a binary's fixed rates, so the same everywhere.

import { UnsupportedError } from "./errors.js";
import { CONV_ROWS, type ConvAlgorithm, type ConvRow, RATES } from "./kernels.js";
import type { ConvShape } from "./shape.js";

export interface Selection {
  readonly row: ConvRow;
  readonly reason: string;
}

/** Answers a row of the table and why. Throws UnsupportedError when the named algorithm does not do the shape. */
export function select(
  shape: ConvShape,
  variant: "simd" | "relaxed",
  algorithm: ConvAlgorithm | "auto" = "auto",
): Selection {
  if (algorithm !== "auto") {
    const row = CONV_ROWS.find((candidate) => candidate.algorithm === algorithm) as ConvRow;
    const accepted = row.accepts(shape);
    if (accepted !== true) throw new UnsupportedError(`"algorithm" expected for ${algorithm} ${accepted}`);
    return { row, reason: "asked for" };
  }
  const costs = CONV_ROWS.filter((row) => row.accepts(shape) === true)
    .map((row) => ({ row, ms: row.cost(shape, RATES[variant]) }))
    .filter((entry): entry is { row: ConvRow; ms: number } => entry.ms !== undefined)
    .sort((a, b) => a.ms - b.ms);
  const [best, second] = costs;
  if (best === undefined) throw new Error("internal: no algorithm accepts the shape");
  const reason =
    second === undefined
      ? "the only one for this shape"
      : `least estimated cost: ${best.ms.toPrecision(3)} ms against ${second.ms.toPrecision(3)} ms for ${second.row.algorithm}`;
  return { row: best.row, reason };
}
