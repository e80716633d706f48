// A file as a model, and what became of sizes that it leaves open.
import path from "node:path";
import type { Runtime, RuntimeOptions } from "../index.js";
import type { OnnxDescription, OnnxModel, OnnxOptions, OnnxValue } from "../onnx/index.js";
import { FileError, fileError, UsageError } from "./errors.js";
import { readBytes } from "./files.js";
import type { Io } from "./io.js";
import { besideOf, pairOf } from "./paths.js";

/** Options that commands with a model share. */
export interface ModelFlags {
  readonly shape?: readonly string[];
  readonly variant?: string;
  readonly precision?: OnnxOptions["precision"];
  readonly tune?: boolean;
  readonly maxBytes?: number;
}

export type Shapes = Record<string, number | readonly number[]>;

/** image=1x3x640x640, or batch=1: names of inputs, or of sizes that these leave open. */
export function shapesOf(given: readonly string[] = [], { inputs }: OnnxDescription): Shapes {
  const shapes: Shapes = {};
  const known = new Set(inputs.flatMap(({ name, shape }) => [name, ...(shape ?? [])]));
  for (const text of given) {
    const [name, value] = pairOf(text) ?? [];
    if (name === undefined || !/^\d{1,9}(x\d{1,9})*$/.test(value ?? ""))
      throw new UsageError(`"--shape" expected NAME=1x3x224x224 or SIZE=1, got "${text}"`);
    if (!known.has(name))
      throw new UsageError(
        `"--shape" expected one of ${[...known].filter((one) => typeof one === "string").join(", ")}, got "${name}"`,
      );
    const sizes = (value as string).split("x").map(Number);
    const isSize = sizes.length === 1 && !/x/.test(value as string);
    shapes[name] = isSize ? (sizes[0] as number) : sizes;
  }
  return shapes;
}

/** A file and what it says of itself. */
export interface Described {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly description: OnnxDescription;
}

export async function describeFile(file: string): Promise<Described> {
  const { describeOnnx } = await import("../onnx/index.js");
  const bytes = readBytes(file, "an ONNX file");
  const description = await inFile(file, describeOnnx(bytes));
  return { name: path.basename(file), bytes, description };
}

/** Puts the file's name before an error's sentence. */
export async function inFile<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && !error.message.startsWith(`"${file}"`))
      error.message = `${path.basename(file)}: ${error.message}`;
    throw error;
  }
}

const isOpen = (size: number | string | null) => typeof size !== "number" || size <= 0;

/** Inputs with open sizes, after `shapes`. */
function openInputs({ inputs }: OnnxDescription, shapes: Shapes): readonly OnnxValue[] {
  return inputs.filter(({ name, shape }) => {
    if (Object.hasOwn(shapes, name)) return false;
    return (
      shape === null || shape.some((size) => isOpen(size) && !(typeof size === "string" && Object.hasOwn(shapes, size)))
    );
  });
}

/** --shape of the first of these, as it may be: pictures of 224. */
export function shapeExample([first]: readonly OnnxValue[]): string {
  const sizes = (first?.shape ?? ["?"]).map((size, i) => (isOpen(size) ? (i === 0 ? 1 : 224) : size));
  return `--shape ${first?.name}=${sizes.join("x")}`;
}

/**
 * The shapes given, and a batch of 1 where nothing else is open, with a note of that: what exporters leave open as a rule is the
 * batch. `still` is what is left open.
 */
export function closedShapes(description: OnnxDescription, given: Shapes) {
  const shapes = { ...given };
  for (const { name } of description.inputs) if (typeof shapes[name] === "number") shapes[name] = [shapes[name]];
  const batches: string[] = [];
  for (const { name, shape } of openInputs(description, given)) {
    const [batch, ...rest] = shape ?? [];
    const others = rest.map((size) => (typeof size === "string" ? (shapes[size] ?? size) : size));
    if (shape === null || batch === undefined || !isOpen(batch) || others.some((s) => typeof s !== "number" || s <= 0))
      continue;
    shapes[name] = [1, ...(others as number[])];
    batches.push(name);
  }
  const note = batches.length > 0 ? `batch of ${batches.join(", ")} taken as 1: the file leaves it open` : undefined;
  return { shapes, note, still: openInputs(description, shapes) };
}

export interface Opened {
  readonly rt: Runtime;
  readonly model: OnnxModel;
  /** From the file's bytes to a model that runs. */
  readonly loadMs: number;
}

/** The runtime that flags ask for. */
export async function openRuntime({ variant, maxBytes }: ModelFlags): Promise<Runtime> {
  const { createRuntime } = await import("../index.js");
  return createRuntime({ ...(variant && { variant }), ...(maxBytes && { maxBytes }) } as RuntimeOptions);
}

/** A file loaded: constants in other files are read beside it. */
export async function loadFile(
  io: Io,
  rt: Runtime,
  file: string,
  bytes: Uint8Array,
  flags: ModelFlags,
  options: OnnxOptions = {},
): Promise<Opened> {
  const { loadOnnx } = await import("../onnx/index.js");
  const { precision, tune, maxBytes } = flags;
  const progress = io.progress(`loading ${path.basename(file)}`);
  const start = performance.now();
  try {
    const model = await inFile(
      file,
      loadOnnx(rt, bytes, {
        ...options,
        ...(precision && { precision }),
        ...(tune && { tune }),
        ...(maxBytes && { maxBytes }),
        onProgress: ({ loaded, total }) => progress.at(loaded / (total ?? loaded)),
        externalData: (location) => readBeside(file, location),
      }),
    );
    return { rt, model, loadMs: performance.now() - start };
  } finally {
    progress.end();
  }
}

function readBeside(file: string, location: string): Uint8Array {
  const name = besideOf(file, location);
  try {
    return readBytes(name, "a file");
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw fileError(name, `the constants of ${path.basename(file)}`, error.cause);
  }
}

/** Numbers as a model takes them for an input, all of one value or from 0 to 1 in a fixed order. */
export function madeUp(model: OnnxModel): Record<string, { data: never; shape: readonly number[] }> {
  return Object.fromEntries(
    model.inputs.map(({ name, shape, dtype }) => {
      const sizes = shape as readonly number[];
      const count = sizes.reduce((a, b) => a * b, 1);
      const isReal = /float/.test(dtype);
      let state = 1;
      const next = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
      };
      const data = isReal
        ? Float32Array.from({ length: count }, next)
        : new Array(count).fill(/64/.test(dtype) ? 0n : 0);
      return [name, { data: data as never, shape: sizes }];
    }),
  );
}
