// Answers beside expected ones, of another binary, or of the graph as it stands. Exit 1 where they differ.
import path from "node:path";
import type { OnnxInput, OnnxModel } from "../../onnx/index.js";
import { type Difference, differenceOf } from "../arrays/difference.js";
import { arraysFor, readArrays, requireTypes } from "../arrays/feeds.js";
import { outputsByNode, withOutputs } from "../arrays/tap.js";
import { EXIT, FileError, UsageError } from "../errors.js";
import { isFolder, listFolder } from "../files.js";
import type { Io } from "../io.js";
import {
  closedShapes,
  type Described,
  describeFile,
  loadFile,
  type ModelFlags,
  madeUp,
  openRuntime,
  shapesOf,
} from "../model.js";
import { inOrder } from "../paths.js";
import { counted, tableLines, wrapped } from "../text/table.js";

export interface CompareFlags extends Omit<ModelFlags, "variant"> {
  readonly variant?: readonly string[];
  readonly input?: readonly string[];
  readonly expect?: readonly string[];
  readonly folder?: string;
  readonly tolerance?: number;
  readonly perLayer?: boolean;
  readonly json?: boolean;
}

type Arrays = ReadonlyMap<string, OnnxInput & { readonly shape: readonly number[] }>;

/** One run: inputs, and outputs where some are expected. */
interface Case {
  readonly name: string;
  readonly inputs: Arrays;
  readonly expected: Arrays;
}

interface Row extends Difference {
  readonly case?: string;
  readonly name: string;
  readonly shape: readonly number[];
  readonly differs: boolean;
  /** What is wrong with the shape. */
  readonly problem?: string;
}

const TOLERANCE = 1e-4;
const YIELD_MS = 100;

export async function compare(io: Io, file: string, flags: CompareFlags): Promise<number> {
  const { variant = [], input, expect, folder, perLayer, tolerance = TOLERANCE } = flags;
  const isExpected = expect !== undefined || folder !== undefined;
  if (!isExpected && variant.length < 2 && !perLayer)
    throw new UsageError(`"compare" expected --expect, --folder, --variant simd,relaxed or --per-layer, got none`);
  if (isExpected && (variant.length > 1 || perLayer))
    throw new UsageError(`"--expect" and "--folder" expected to stand alone, got --variant of two or --per-layer, too`);
  if (folder !== undefined && (input ?? expect) !== undefined)
    throw new UsageError(`"--folder" expected to stand alone, got ${input ? "--input" : "--expect"}, too`);
  const described = await describeFile(file);
  if (expect !== undefined && input === undefined && described.description.inputs.length > 0)
    throw new UsageError(`"compare" expected --input with --expect, got none`);
  const cases = isExpected ? casesOf(flags, described) : [inputsOf(flags, described)];
  const rows = isExpected
    ? await besideExpected(io, file, described, flags, cases, tolerance)
    : await besideAnother(io, file, described, flags, cases[0] as Case, tolerance);
  const differs = rows.some((row) => row.differs);
  if (flags.json) io.out(`${JSON.stringify({ file: described.name, tolerance, differs, rows })}\n`);
  else io.out(textOf(io, rows, tolerance, perLayer === true));
  return differs ? EXIT.differs : 0;
}

function inputsOf({ input = [], expect = [] }: CompareFlags, { description }: Described): Case {
  const names = description.inputs.map(({ name }) => name);
  return {
    name: "",
    inputs: arraysFor("--input", input, names),
    expected: arraysFor(
      "--expect",
      expect,
      description.outputs.map(({ name }) => name),
    ),
  };
}

/** Of --input and --expect, or of a folder: test_data_set_0 and its like, or one of these. */
function casesOf(flags: CompareFlags, described: Described): Case[] {
  if (flags.folder === undefined) return [inputsOf(flags, described)];
  const { folder } = flags;
  if (!isFolder(folder))
    throw new FileError(`"${folder}" expected a folder with input_0 and output_0, got none by that name`);
  const sets = inOrder(listFolder(folder).filter((name) => /^test_data_set_\d+$/.test(name)));
  const folders = sets.length > 0 ? sets.map((name) => path.join(folder, name)) : [folder];
  return folders.map((name) => caseIn(name, described));
}

function caseIn(folder: string, { description }: Described): Case {
  const files = inOrder(listFolder(folder));
  const arrays = (kind: string, names: readonly string[]) => {
    const found = new Map<string, OnnxInput & { readonly shape: readonly number[] }>();
    for (const file of files) {
      const [, index] = new RegExp(`^${kind}_(\\d+)\\.(pb|npy)$`).exec(file) ?? [];
      const name = index === undefined ? undefined : names[Number(index)];
      const [array] = name === undefined ? [] : readArrays(path.join(folder, file)).values();
      if (name !== undefined && array) found.set(name, array);
    }
    return found;
  };
  const expected = arrays(
    "output",
    description.outputs.map(({ name }) => name),
  );
  if (expected.size === 0) throw new FileError(`"${folder}" expected output_0.pb or output_0.npy, got none`);
  const inputs = arrays(
    "input",
    description.inputs.map(({ name }) => name),
  );
  if (inputs.size === 0 && description.inputs.length > 0)
    throw new FileError(`"${folder}" expected input_0.pb or input_0.npy, got none`);
  return { name: path.basename(folder), inputs, expected };
}

/** Runs a case, or made-up numbers where it has no inputs. Outputs are copies. */
async function answersOf(model: OnnxModel, { inputs }: Case) {
  requireTypes(inputs, model);
  const feeds = inputs.size > 0 || model.inputs.length === 0 ? Object.fromEntries(inputs) : madeUp(model);
  const found = await model.runAsync(feeds as Record<string, OnnxInput>, { yieldEvery: YIELD_MS });
  return new Map(
    Object.entries(found).map(([name, tensor]) => [name, { shape: tensor.shape, data: tensor.toArray() }]),
  );
}

async function besideExpected(
  io: Io,
  file: string,
  { bytes, description }: Described,
  flags: CompareFlags,
  cases: readonly Case[],
  tolerance: number,
): Promise<Row[]> {
  const [variant] = flags.variant ?? [];
  const own = { ...flags, variant } as ModelFlags;
  const rt = await openRuntime(own);
  try {
    const { model } = await loadFile(io, rt, file, bytes, own, { shapes: shapesOf(flags.shape, description) });
    const rows: Row[] = [];
    for (const one of cases) {
      const found = await answersOf(model, one);
      for (const [name, { shape, data }] of one.expected) {
        const got = found.get(name) as { shape: readonly number[]; data: ArrayLike<number | bigint> };
        const row = rowOf(name, got, { shape, data: data as ArrayLike<number> }, tolerance);
        rows.push(cases.length > 1 ? { case: one.name, ...row } : row);
      }
    }
    return rows;
  } finally {
    rt.dispose();
  }
}

interface Numbers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

function rowOf(name: string, got: Numbers, expected: Numbers, tolerance: number): Row {
  if (got.shape.join("x") !== expected.shape.join("x")) {
    const problem = `shape [${got.shape.join(", ")}], expected [${expected.shape.join(", ")}]`;
    const nothing = {
      most: Infinity,
      mean: Infinity,
      largest: 0,
      cosine: 0,
      first: null,
      beyond: expected.data.length,
    };
    return { name, shape: got.shape, ...nothing, differs: true, problem };
  }
  const difference = differenceOf(got.data, expected.data, expected.shape, tolerance);
  return { name, shape: expected.shape, ...difference, differs: difference.beyond > 0 };
}

/** Two runs of the same: by binary, or merged and as the graph stands; all outputs, or every layer's value. */
async function besideAnother(
  io: Io,
  file: string,
  described: Described,
  flags: CompareFlags,
  one: Case,
  tolerance: number,
): Promise<Row[]> {
  const { variant = [], perLayer } = flags;
  const { shapes } = closedShapes(described.description, shapesOf(flags.shape, described.description));
  const [first, second] = [variant[0], variant[1] ?? variant[0]];
  const values = perLayer
    ? await innerValues(io, file, described, { ...flags, variant: first } as ModelFlags, shapes)
    : undefined;
  const bytes = values ? withOutputs(described.bytes, [...values.values()]) : described.bytes;
  const answers: Map<string, Numbers>[] = [];
  for (const [i, name] of [first, second].entries()) {
    const own = { ...flags, variant: name } as ModelFlags;
    const rt = await openRuntime(own);
    try {
      const asItStands = perLayer && variant.length < 2 && i === 1;
      const { model } = await loadFile(io, rt, file, bytes, own, { shapes, ...(asItStands && { optimize: false }) });
      answers.push(await answersOf(model, one));
    } finally {
      rt.dispose();
    }
  }
  const [got, expected] = answers as [Map<string, Numbers>, Map<string, Numbers>];
  const layers = values ? [...values] : [];
  const outputs = described.description.outputs.map(({ name }) => [name, name] as const);
  const seen = new Set(layers.map(([, value]) => value));
  return [...layers, ...outputs.filter(([name]) => !seen.has(name))].map(([layer, value]) =>
    rowOf(layer, got.get(value) as Numbers, expected.get(value) as Numbers, tolerance),
  );
}

/** Values that the merged network still computes, by the layer that makes them, in the order in which it does. */
async function innerValues(
  io: Io,
  file: string,
  { bytes, description }: Described,
  flags: ModelFlags,
  shapes: Record<string, number | readonly number[]>,
) {
  const rt = await openRuntime(flags);
  try {
    const { model } = await loadFile(io, rt, file, bytes, flags, { shapes });
    const names = outputsByNode(bytes);
    const outputs = new Set(description.outputs.map(({ name }) => name));
    const made = model
      .summary()
      .arena.filter(({ first }) => first >= 0)
      .sort((a, b) => a.first - b.first);
    const found = new Map<string, string>();
    for (const { name = "" } of made) {
      const value = names.get(name);
      if (value !== undefined && !outputs.has(value)) found.set(name, value);
    }
    return found;
  } finally {
    rt.dispose();
  }
}

const small = (value: number) => (value === 0 ? "0" : Number.isFinite(value) ? value.toExponential(2) : "infinite");

function textOf(io: Io, rows: readonly Row[], tolerance: number, isLayers: boolean): string {
  const hasCases = rows.some((row) => row.case !== undefined);
  const columns = [
    ...(hasCases ? [{ head: "case" }] : []),
    { head: isLayers ? "layer" : "output", least: 10 },
    { head: "shape", drop: 1 },
    { head: "largest", align: "right" as const },
    { head: "of most", align: "right" as const },
    { head: "mean", align: "right" as const, drop: 2 },
    { head: "cosine", align: "right" as const, drop: 3 },
    { head: "", least: 6 },
  ];
  const cells = rows.map((row) => [
    ...(hasCases ? [row.case ?? ""] : []),
    row.name,
    row.shape.join("x"),
    small(row.most),
    row.largest > 0 ? small(row.most / row.largest) : "",
    small(row.mean),
    row.cosine.toFixed(6),
    row.differs ? (row.problem ?? `differs: ${counted(row.beyond, "element")}`) : "same",
  ]);
  const [head = "", ...lines] = tableLines(columns, cells, io.columns);
  const text = [io.paint("dim", head), ...lines.map((line, i) => (rows[i]?.differs ? io.paint("red", line) : line))];
  const first = rows.find((row) => row.differs);
  const what = counted(rows.length, isLayers ? "layer" : "output");
  if (first === undefined)
    text.push(
      ...wrapped(`${rows.length > 1 ? "all " : ""}${what} within ${tolerance} of the largest value`, io.columns),
    );
  else {
    const place = first.first;
    const at = place ? `: first at [${place.index.join(", ")}], got ${place.got}, expected ${place.expected}` : "";
    text.push(...wrapped(`${first.name} is the first that differs${at}`, io.columns));
  }
  return `${text.join("\n")}\n`;
}
