// What `inspect` says, as text for a terminal of some width. Pure.
import type { OnnxValue } from "../../onnx/index.js";
import type { Colour, Paint } from "../text/paint.js";
import {
  bar,
  bytesText,
  type Column,
  counted,
  countText,
  filled,
  megaText,
  msText,
  percentText,
  shortened,
  tableLines,
  wrapped,
} from "../text/table.js";
import type { InspectedLayer, InspectedPlan, Inspection } from "./report.js";

/** At most so many lines of inputs, and of outputs. */
const MOST_VALUES = 12;
/** And names of nodes whose operator is missing. */
const MOST_NODES = 4;
const BAR = 6;

export interface TextOptions {
  readonly columns: number;
  readonly paint: Paint;
  /** The layers to show, in their order. */
  readonly layers: readonly InspectedLayer[];
}

const shapeText = ({ shape }: OnnxValue) => (shape ? `[${shape.map((size) => size ?? "?").join(", ")}]` : "[?]");

/** One line a value: in name type shape. */
function valueLines(what: string, values: readonly OnnxValue[], columns: number): string[] {
  const most = Math.max(0, ...values.map(({ name }) => name.length));
  const width = Math.min(most, Number.isFinite(columns) ? Math.max(8, Math.floor(columns / 3)) : most);
  const lines = values
    .slice(0, MOST_VALUES)
    .map(
      (value) => `${what.padEnd(4)} ${shortened(value.name, width).padEnd(width)}  ${value.type} ${shapeText(value)}`,
    );
  const more = values.length - lines.length;
  return more > 0 ? [...lines, `${what.padEnd(4)} and ${more} more`] : lines;
}

/** The standard's, and those of other domains that have a node here: exporters list all that they know. */
const opsetsText = ({ opsets, operators }: Inspection) =>
  Object.entries(opsets)
    .filter(([domain]) => domain === "ai.onnx" || operators.some(({ name }) => name.startsWith(`${domain}.`)))
    .map(([domain, version]) => (domain === "ai.onnx" ? `opset ${version}` : `${domain} ${version}`))
    .join(", ");

function metadataText(metadata: Inspection["metadata"]): string {
  const entries = Object.entries(metadata);
  if (entries.length === 0) return "none";
  return entries.map(([key, value]) => `${key}=${shortened(value.replace(/\s+/g, " "), 40)}`).join("  ");
}

function planLines(
  { layers, javascript, macs, parameters, weightBytes, arenaBytes, totalBytes, milliseconds }: InspectedPlan,
  columns: number,
) {
  const all = layers.length;
  return [
    ...filled(
      [
        macs < 1e8 ? `${megaText(macs)} MMAC` : `${(macs / 1e9).toFixed(3)} GMAC`,
        `${countText(parameters)} parameters`,
        `${bytesText(weightBytes)} weights`,
        `${bytesText(arenaBytes)} arena`,
        `${bytesText(totalBytes)} in all`,
        ...(milliseconds === undefined ? [] : [`${msText(milliseconds)} ms a run`]),
      ],
      columns,
    ),
    javascript === 0
      ? `runs on kernels: all ${all} steps`
      : `runs on kernels: ${all - javascript} of ${all} steps, ${javascript} in JavaScript`,
  ];
}

function layerColumns(hasTime: boolean): Column[] {
  return [
    { head: "layer", least: 8 },
    { head: "op", drop: 1, least: 6 },
    { head: "algorithm", drop: 4 },
    { head: "output", drop: 2 },
    { head: "MMAC", align: "right" },
    { head: "share", drop: 6 },
    { head: "", align: "right" },
    { head: "params", align: "right", drop: 3 },
    { head: "KB", align: "right", drop: 5 },
    ...(hasTime ? ([{ head: "ms", align: "right" }] as const) : []),
  ];
}

function layerRow(layer: InspectedLayer, most: number): string[] {
  const { op, algorithm, reason, output, macs, share, parameters, bytes, milliseconds } = layer;
  return [
    layer.layer || "(memory format)",
    op,
    reason === "JavaScript" ? `${algorithm} (JavaScript)` : algorithm,
    output.join("x"),
    macs > 0 ? megaText(macs) : "0",
    bar(most > 0 ? share / most : 0, BAR),
    macs > 0 ? percentText(share) : "0 %",
    countText(parameters),
    (bytes / 1e3).toFixed(1),
    ...(milliseconds === undefined ? [] : [milliseconds.toFixed(3)]),
  ];
}

function byOperatorText({ byOperator }: InspectedPlan): string[] {
  const shown = byOperator.filter(({ share }) => share >= 0.001);
  const rest = byOperator.slice(shown.length).reduce((sum, { count }) => sum + count, 0);
  const parts = shown.map(({ op, count, share }) => `${op} ${(100 * share).toFixed(1)} % (${count})`);
  if (rest > 0)
    parts.push(
      shown.length > 0
        ? `the other ${rest === 1 ? "step" : `${rest} steps`} < 0.1 %`
        : `${counted(rest, "step")} without products`,
    );
  return parts;
}

/** All of it. */
export function inspectionText(inspection: Inspection, { columns, paint, layers }: TextOptions): string {
  const { file, bytes, producer, producerVersion, nodes, inputs, outputs, metadata, plan, problem } = inspection;
  const head = [
    paint("bold", file),
    bytesText(bytes),
    opsetsText(inspection),
    ...(producer ? [`${producer}${producerVersion ? ` ${producerVersion}` : ""}`] : []),
    `${nodes} nodes in the file${plan ? `, ${plan.layers.length} steps planned` : ""}`,
  ];
  const lines = [
    ...filled(head, columns),
    ...valueLines("in", inputs, columns),
    ...valueLines("out", outputs, columns),
  ];
  if (plan) {
    lines.push(
      ...planLines(plan, columns),
      `metadata: ${shortened(metadataText(metadata), Math.min(columns, 200) - 10)}`,
      "",
    );
    const most = Math.max(0, ...layers.map(({ share }) => share));
    const rows = layers.map((layer) => layerRow(layer, most));
    const [first = "", ...rest] = tableLines(
      layerColumns(plan.milliseconds !== undefined),
      rows,
      Math.max(columns - 2, 20),
    );
    lines.push(paint("dim", `  ${first}`), ...rest.map((line) => `  ${line}`));
    const left = plan.layers.length - layers.length;
    if (left > 0) lines.push(`  … and ${left} more (--top)`);
    const [start = "", ...others] = filled(byOperatorText(plan), Math.max(columns - 15, 20), "  ");
    lines.push(`  by operator: ${start}`, ...others.map((line) => `    ${line}`));
  } else {
    const [start = "", ...others] = filled(
      inspection.operators.map(({ name, count }) => `${name} ${count}`),
      Math.max(columns - 11, 20),
      "  ",
    );
    lines.push(
      `metadata: ${shortened(metadataText(metadata), Math.min(columns, 200) - 10)}`,
      `operators: ${start}`,
      ...others.map((line) => `  ${line}`),
    );
    const missing = inspection.operators.filter(({ supported }) => !supported);
    const shown = ({ name, count, nodes }: (typeof missing)[number]) =>
      `${name} x${count} (${nodes.slice(0, MOST_NODES).join(", ")}${nodes.length > MOST_NODES ? ", …" : ""})`;
    const say = (colour: Colour, text: string) => wrapped(text, columns).map((line) => paint(colour, line));
    if (missing.length > 0) lines.push(...say("red", `not supported: ${missing.map(shown).join(", ")}`));
    else if (problem) lines.push(...say("yellow", `not planned: ${problem}`));
  }
  for (const note of inspection.notes)
    lines.push(...wrapped(`note: ${note}`, columns).map((line) => paint("dim", line)));
  return `${lines.join("\n")}\n`;
}
