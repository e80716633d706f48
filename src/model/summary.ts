// What a planned model says of itself: one row a layer, totals, and the same as a text table.
import type { Shape } from "../base/check.js";
import { knownOptions } from "../base/check.js";
import { ModelError, show } from "../base/errors.js";
import { countOf } from "../base/shape.js";
import { bytesOf, type DType, makeSpec } from "../base/spec.js";
import { Allocator } from "../engine/allocator.js";
import type { Pack } from "../plan/builder.js";
import { internalsOf, type Runtime, requireRuntime } from "../runtime/runtime.js";
import { checkGraph } from "./check-graph.js";
import type { GraphData } from "./graph.js";
import { inferGraph } from "./infer-graph.js";
import { lowerGraph, retimed, untimed } from "./lower-graph.js";
import { optimize } from "./optimize.js";
import { type ModelPlan, type ModelReport, type PlannedStep, planModel } from "./planner.js";
import { sourceOf, type Weights } from "./weights.js";

/** One layer. A layer between others that only changes the memory format has no name. */
export interface LayerRow {
  /** Its name; "" for a change of memory format between layers. */
  readonly layer: string;
  /** Its operator. */
  readonly op: string;
  /** What computes it, as a plan's describe() says. */
  readonly algorithm: string;
  /** Why this algorithm. */
  readonly reason: string;
  /** The documented error: of convolutions their algorithm's, of layers on weights of fewer bits theirs. */
  readonly error?: number;
  /** Of its (first) input: "uint8" where it computes on bytes. A layer without inputs has none. */
  readonly inputDtype?: DType | undefined;
  /** Of its (first) output. */
  readonly outputShape: Shape;
  /** Multiply-accumulates by the layer's definition. */
  readonly macs: number;
  /** The same layer's without groups: what textbooks count. */
  readonly ungroupedMacs: number;
  /** Of a separable block: its multiply-accumulates over a full convolution's, (HWCRS + HWCM) / (HWCMRS). */
  readonly saving?: number;
  /** Numbers learned in training; shared ones count in the first layer that has them. */
  readonly parameters: number;
  /** Memory kept for it: weights as the kernel wants them, tables, descriptors. */
  readonly bytes: number;
}

/** A layer with its time. */
export interface ProfileRow extends LayerRow {
  /** Median of the runs. */
  readonly microseconds: number;
  /** Billions of floating-point operations a second, two a multiply-accumulate. */
  readonly gflops: number;
}

/** What lies in a model's arena for a while; others may lie in the same bytes before and after. */
export interface ArenaBlock {
  /** The value's name in the graph; none for a step's scratch and workspace, and for a value in the other memory format. */
  readonly name?: string;
  /** Bytes from the arena's start. */
  readonly offset: number;
  /** How long it is, slack behind it not counted. */
  readonly bytes: number;
  /** The row of the step that makes it, from 0 on; -1 for an input. */
  readonly first: number;
  /** The row of the last step that needs it; the number of steps for an output. */
  readonly last: number;
}

/** A model, layer by layer. */
export interface Summary {
  /** In the order they run; `reason` is "JavaScript" where no kernel does it. */
  readonly rows: readonly LayerRow[];
  /** Bytes, multiply-accumulates and parameters of all; ungroupedMacs: those of convolutions without their groups. */
  readonly totals: ModelReport & { readonly ungroupedMacs: number };
  /** What lies where in totals.arenaBytes, and when, by the first row. */
  readonly arena: readonly ArenaBlock[];
  /** The table as text, and how many layers run in JavaScript. */
  toString(): string;
}

/** A summary with times. */
export interface Profile {
  /** In the order they run. */
  readonly rows: readonly ProfileRow[];
  /** The summary's; microseconds: the sum of the rows'; gflops: billions of operations a second in all. */
  readonly totals: Summary["totals"] & { readonly microseconds: number; readonly gflops: number };
  /** The table as text, and which share of the time layers in JavaScript take. */
  toString(): string;
  /** The layers one after the other, in the trace event format that chrome://tracing and Perfetto open as JSON. */
  toTrace(): Trace;
}

/** Complete events ("X"), in microseconds. Source: Trace Event Format, Google, 2016. */
export interface Trace {
  /** One a layer: name (the layer's), cat (its operator), ph, ts and dur (start and length in µs), pid, tid, args (its row). */
  readonly traceEvents: readonly {
    readonly name: string;
    readonly cat: string;
    readonly ph: "X";
    readonly ts: number;
    readonly dur: number;
    readonly pid: 1;
    readonly tid: 1;
    readonly args: ProfileRow;
  }[];
}

/**
 * The summary of a graph without making a model: nothing is allocated. Without weights, every parameter must have been
 * declared with its shape. optimize: as a model's, default true.
 *
 * @throws ModelError for a graph or weights that do not hold together or a shape that is not declared, and the operators' own
 *   errors with the layer's name in front.
 */
export function summarize(
  runtime: Runtime,
  graph: GraphData,
  weights?: Weights,
  options: { readonly optimize?: boolean } = {},
): Summary {
  requireRuntime(runtime);
  checkGraph(graph);
  knownOptions("summary options", options, ["optimize"]);
  const declared = (name: string) => {
    const shape = graph.parameters.find((parameter) => parameter.name === name)?.shape;
    if (shape === undefined)
      throw new ModelError(`"weights" expected a tensor ${show(name)}, whose shape is not declared, got none`);
    return makeSpec(shape, "float32", "contiguous", name);
  };
  const source = weights === undefined ? { ...sourceOf({}), specOf: declared } : sourceOf(weights);
  const { planning: plannedBy, time } = internalsOf(runtime);
  const planning = plannedBy({}, "default");
  const { graph: compiled, source: of } = optimize({ graph, source }, options.optimize);
  const lowered = lowerGraph(inferGraph(compiled, of.specOf), planning, of.tensorOf);
  const requests = untimed(lowered);
  const timed = () => retimed(lowered, { ...planning, timings: time(requests) }, of.tensorOf);
  return summaryOf(planModel(requests.length > 0 ? timed() : lowered, of.identityOf));
}

export function summaryOf(plan: ModelPlan): Summary {
  const counted = new Set<string>();
  const rows = plan.steps.map((step) => rowOf(plan, step, counted));
  const totals = { ...plan.report, ungroupedMacs: rows.reduce((sum, row) => sum + row.ungroupedMacs, 0) };
  const arena = plan.values.flatMap(({ block, name, ...value }): ArenaBlock[] =>
    value.bytes > 0
      ? [{ ...(name !== undefined && { name }), offset: plan.arena.offsets[block] as number, ...value }]
      : [],
  );
  return summaryFrom(rows, totals, arena);
}

export function summaryFrom(
  rows: readonly LayerRow[],
  totals: Summary["totals"],
  arena: readonly ArenaBlock[],
): Summary {
  return { rows, totals, arena, toString: () => table(rows, totals) };
}

/** A share of time in JavaScript from which on a network is worth a note. */
const WORTH_A_NOTE = 0.05;

/** microseconds: of every row, in order. */
export function profileFrom(summary: Pick<Summary, "rows" | "totals">, microseconds: readonly number[]): Profile {
  const gflops = (macs: number, us: number) => (us > 0 ? (2 * macs) / us / 1e3 : 0);
  const rows = summary.rows.map((row, i): ProfileRow => {
    const us = microseconds[i] as number;
    return { ...row, microseconds: us, gflops: gflops(row.macs, us) };
  });
  const total = microseconds.reduce((a, b) => a + b, 0);
  const totals = { ...summary.totals, microseconds: total, gflops: gflops(summary.totals.macs, total) };
  return { rows, totals, toString: () => table(rows, totals), toTrace: () => traceOf(rows) };
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** Rows in JavaScript, and which share of the time they take, where there are times. */
function inJavaScript(rows: readonly (LayerRow & Timed)[], total = 0) {
  const slow = rows.filter(({ reason }) => reason === "JavaScript");
  return { slow, share: slow.reduce((sum, { microseconds = 0 }) => sum + microseconds, 0) / total };
}

/** The same profile; what RuntimeReport.notes says of the model is as it finds. */
export function noted(runtime: Runtime, model: object, profile: Profile): Profile {
  const { notes } = internalsOf(runtime);
  const { slow, share } = inJavaScript(profile.rows, profile.totals.microseconds);
  const names = new Set(slow.map(({ algorithm }) => algorithm));
  if (share > WORTH_A_NOTE)
    notes.set(model, `${percent(share)} of a model's time is JavaScript: ${[...names].join(", ")}`);
  else notes.delete(model);
  return profile;
}

function traceOf(rows: readonly ProfileRow[]): Trace {
  let end = 0;
  const traceEvents = rows.map((args) => {
    const { layer, op, microseconds: dur } = args;
    end += dur;
    return { name: layer || op, cat: op, ph: "X" as const, ts: end - dur, dur, pid: 1 as const, tid: 1 as const, args };
  });
  return { traceEvents };
}

function rowOf(plan: ModelPlan, { node, builder, packKeys }: PlannedStep, counted: Set<string>): LayerRow {
  const { algorithm, reason, error, output, macs } = builder.describe();
  let parameters = 0;
  let bytes = Allocator.sizeOf(builder.keptBytes);
  const keep = (key: string | undefined, size: number) => {
    if (key !== undefined && !counted.has(key)) bytes += Allocator.sizeOf(size);
    counted.add(key as string);
  };
  packKeys.forEach((key, i) => {
    keep(key, (builder.packs[i] as Pack).bytes);
  });
  for (const name of [...(node?.params ?? []), ...(node?.inputs ?? [])]) {
    const spec = name === null ? undefined : plan.parameters.get(name);
    if (name === null || spec === undefined || counted.has(name)) continue;
    counted.add(name);
    parameters += countOf(spec.shape);
    keep(plan.resident.get(name), bytesOf(spec));
  }
  const groups = (node?.options as { groups?: number } | undefined)?.groups ?? 1;
  const row = {
    layer: node?.name ?? "",
    op: builder.op,
    algorithm,
    reason: node?.note ? `${node.note}; ${reason}` : reason,
    ...(error !== undefined && { error }),
    inputDtype: builder.inputs[0]?.spec.dtype,
    outputShape: output,
    macs,
    ungroupedMacs: macs * groups,
    parameters,
    bytes,
  };
  return node?.op === "separableConv2d" ? { ...row, saving: savingOf(builder) } : row;
}

/** (HWCRS + HWCM) / (HWCMRS): what a separable block takes of a full convolution from its input to its output. */
function savingOf({ inputs, params, outputs, macs }: PlannedStep["builder"]): number {
  const channels = inputs[0]?.spec.shape[1] as number;
  const [, , R, S] = (params[0] as (typeof inputs)[number]).spec.shape as [number, number, number, number];
  return macs / (countOf(outputs[0]?.spec.shape as Shape) * channels * R * S);
}

interface Timed {
  readonly microseconds?: number;
  readonly gflops?: number;
}

function table(rows: readonly (LayerRow | ProfileRow)[], totals: Summary["totals"] & Timed): string {
  const integers = new Intl.NumberFormat("en-US"); // 10 ms in a fresh process
  const isProfile = totals.microseconds !== undefined;
  const hasGroups = totals.ungroupedMacs !== totals.macs;
  const head = [
    "layer",
    "op",
    "algorithm",
    "output",
    "MACs",
    ...(hasGroups ? ["ungrouped"] : []),
    "parameters",
    "bytes",
  ];
  const times = (row: Timed) => (isProfile ? [(row.microseconds ?? 0).toFixed(1), (row.gflops ?? 0).toFixed(2)] : []);
  const numbers = (row: (LayerRow | Summary["totals"]) & Timed, bytes: number) => [
    integers.format(row.macs),
    ...(hasGroups ? [integers.format(row.ungroupedMacs)] : []),
    integers.format(row.parameters),
    integers.format(bytes),
    ...times(row),
  ];
  const lines = [
    [...head, ...(isProfile ? ["µs", "GFLOP/s"] : [])],
    ...rows.map((row) => [row.layer, row.op, row.algorithm, row.outputShape.join("x"), ...numbers(row, row.bytes)]),
    ["total", "", "", "", ...numbers(totals, totals.weightBytes)],
  ];
  const widths = lines[0]?.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] as string).length)),
  ) as number[];
  const isText = (column: number) => column < 4;
  const text = lines.map((line, i) => {
    const cells = line.map((cell, c) =>
      isText(c) ? cell.padEnd(widths[c] as number) : cell.padStart(widths[c] as number),
    );
    const { saving, reason } = rows[i - 1] ?? {};
    const where = reason === "JavaScript" ? "  in JavaScript" : "";
    const detail = saving === undefined ? where : `  ${percent(saving)} of a full convolution's MACs`;
    return `${cells.join("  ")}${detail}`.trimEnd();
  });
  const { arenaBytes, totalBytes, microseconds } = totals;
  const { slow, share } = inJavaScript(rows, microseconds);
  const cost = isProfile ? `, ${percent(share)} of the time` : "";
  const end = `${slow.length} of ${rows.length} layers in JavaScript${cost}\n`; // 0, too: that is what one looks for
  return `${text.join("\n")}\narena ${integers.format(arenaBytes)} bytes, ${integers.format(totalBytes)} bytes in all\n${end}`;
}
