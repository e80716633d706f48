// What `inspect` says of a network, as plain data: pure, so that a page may show the same.
import type { ArenaBlock, LayerRow, Summary } from "../../index.js";
import type { OnnxDescription } from "../../onnx/index.js";

/** A layer of the plan. */
export interface InspectedLayer {
  /** Its name in the file; "" for a change of memory format between layers. */
  readonly layer: string;
  readonly op: string;
  readonly algorithm: string;
  readonly reason: string;
  readonly output: readonly number[];
  readonly macs: number;
  /** Of all multiply-accumulates, from 0 to 1. */
  readonly share: number;
  readonly parameters: number;
  readonly bytes: number;
  /** Where it was timed. */
  readonly milliseconds?: number;
}

/** What a plan of the file is and costs. */
export interface InspectedPlan {
  readonly macs: number;
  readonly parameters: number;
  readonly weightBytes: number;
  readonly arenaBytes: number;
  readonly totalBytes: number;
  /** Layers that run in JavaScript, without a kernel. */
  readonly javascript: number;
  readonly layers: readonly InspectedLayer[];
  /** By operator, the most expensive first. Depthwise convolutions stand apart. */
  readonly byOperator: readonly {
    readonly op: string;
    readonly count: number;
    readonly macs: number;
    readonly share: number;
  }[];
  readonly arena: readonly ArenaBlock[];
  readonly milliseconds?: number;
}

/** `inspect --json`. */
export interface Inspection extends OnnxDescription {
  readonly file: string;
  readonly bytes: number;
  /** null where the file cannot be planned; `problem` says why. */
  readonly plan: InspectedPlan | null;
  readonly problem: string | null;
  /** What was taken for granted, such as a batch of 1. */
  readonly notes: readonly string[];
}

const isDepthwise = ({ op, algorithm }: LayerRow) => op === "conv2d" && algorithm === "depthwise";

/** microseconds: of every row, where they were timed. */
export function planOf({ rows, totals, arena }: Summary, microseconds?: readonly number[]): InspectedPlan {
  const { macs, parameters, weightBytes, arenaBytes, totalBytes } = totals;
  const share = (part: number) => (macs > 0 ? part / macs : 0);
  const groups = new Map<string, { op: string; count: number; macs: number; share: number }>();
  for (const row of rows) {
    const op = isDepthwise(row) ? "depthwise" : row.op;
    const group = groups.get(op) ?? { op, count: 0, macs: 0, share: 0 };
    group.count++;
    group.macs += row.macs;
    group.share = share(group.macs);
    groups.set(op, group);
  }
  const timed = microseconds && { milliseconds: microseconds.reduce((a, b) => a + b, 0) / 1e3 };
  return {
    macs,
    parameters,
    weightBytes,
    arenaBytes,
    totalBytes,
    javascript: rows.filter(({ reason }) => reason === "JavaScript").length,
    layers: rows.map(({ layer, op, algorithm, reason, outputShape, macs, parameters, bytes }, i) => ({
      layer,
      op,
      algorithm,
      reason,
      output: outputShape,
      macs,
      share: share(macs),
      parameters,
      bytes,
      ...(microseconds && { milliseconds: (microseconds[i] ?? 0) / 1e3 }),
    })),
    byOperator: [...groups.values()].sort((a, b) => b.macs - a.macs || b.count - a.count),
    arena,
    ...timed,
  };
}

export type SortKey = "file" | "macs" | "params" | "bytes" | "time";

const KEYS: Readonly<Record<Exclude<SortKey, "file">, (layer: InspectedLayer) => number>> = {
  macs: ({ macs }) => macs,
  params: ({ parameters }) => parameters,
  bytes: ({ bytes }) => bytes,
  time: ({ milliseconds = 0 }) => milliseconds,
};

/** The first `top` layers, the largest first, or as they run. */
export function layersBy(layers: readonly InspectedLayer[], sort: SortKey, top = layers.length): InspectedLayer[] {
  if (sort === "file") return layers.slice(0, top);
  const key = KEYS[sort];
  return [...layers].sort((a, b) => key(b) - key(a)).slice(0, top);
}

/** Rows for a spreadsheet: every column of a layer. */
export function csvOf(layers: readonly InspectedLayer[]): string {
  const hasTime = layers.some(({ milliseconds }) => milliseconds !== undefined);
  const head = [
    "layer",
    "op",
    "algorithm",
    "output",
    "macs",
    "share",
    "parameters",
    "bytes",
    ...(hasTime ? ["ms"] : []),
  ];
  const lines = layers.map(({ layer, op, algorithm, output, macs, share, parameters, bytes, milliseconds }) =>
    [
      layer,
      op,
      algorithm,
      output.join("x"),
      macs,
      share.toFixed(6),
      parameters,
      bytes,
      ...(hasTime ? [milliseconds] : []),
    ]
      .map((cell) => quoted(String(cell)))
      .join(","),
  );
  return `${[head.join(","), ...lines].join("\n")}\n`;
}

/** By RFC 4180; what a spreadsheet would take for a formula is text. */
const quoted = (cell: string) => {
  const text = /^[=+@-]\D/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** A table for a document. */
export function markdownOf(layers: readonly InspectedLayer[]): string {
  const hasTime = layers.some(({ milliseconds }) => milliseconds !== undefined);
  const head = "| layer | op | algorithm | output | MMAC | share | params | KB |";
  const rule = "| --- | --- | --- | --- | ---: | ---: | ---: | ---: |";
  const lines = layers.map(
    ({ layer, op, algorithm, output, macs, share, parameters, bytes, milliseconds = 0 }) =>
      `| ${[
        layer.replace(/[|\\]/g, "\\$&"),
        op,
        algorithm,
        output.join("x"),
        (macs / 1e6).toFixed(2),
        `${(100 * share).toFixed(1)} %`,
        parameters,
        (bytes / 1e3).toFixed(1),
        ...(hasTime ? [milliseconds.toFixed(3)] : []),
      ].join(" | ")} |`,
  );
  return `${[hasTime ? `${head} ms |` : head, hasTime ? `${rule} ---: |` : rule, ...lines].join("\n")}\n`;
}
