// Where a photo goes: an input of a model, or a tensor of one's own.
import { oneOf } from "../base/check.js";
import { ModelError, ShapeError, show, UnsupportedError } from "../base/errors.js";
import { type DType, MEMORY_FORMATS, type MemoryFormat, showSpec, type TensorSpec } from "../base/spec.js";
import type { Store } from "./resample/resampler.js";
import { roundEven } from "./rounding.js";
import { type Checked, checkedSpec, ORDERS, type PreprocessSpec } from "./spec.js";

/** What is asked of a model: the inputs that it takes, and where one lies. Models of createModel() and loadOnnx() are such. */
export interface ImageModel {
  /** What a run takes. */
  readonly inputs: readonly {
    /** Its name. */
    readonly name: string;
    /** Logical dimensions; a size that is open is no number. */
    readonly shape: readonly (number | string | null)[];
    /** Kind of its elements. */
    readonly dtype: DType;
    /** The order of input(), where that is known. */
    readonly memoryFormat?: MemoryFormat;
  }[];
  /** A view of where an input lies. @throws for an unknown name. */
  input(name: string): ArrayBufferView;
}

/** Kinds of elements that photos are written as. */
export type ImageDType = "float32" | "uint8" | "int8";

/** How a tensor of a photo lies. */
export interface TensorOptions<D extends ImageDType = ImageDType> {
  /** Default: the model's, else "float32". uint8 and int8 are rounded, halves to even, and saturated. */
  readonly dtype?: D;
  /** Default: the model's, else "contiguous". */
  readonly memoryFormat?: MemoryFormat;
}

const ELEMENTS = ["float32", "uint8", "int8"] as const;

export interface Target {
  readonly spec: TensorSpec;
  readonly checked: Checked;
  readonly width: number;
  readonly height: number;
  readonly isPlanar: boolean;
}

/** An input of a model by name, or its only one. */
export function inputOf(model: ImageModel, name: string | undefined): ImageModel["inputs"][number] {
  if (typeof model !== "object" || model === null || !Array.isArray(model.inputs))
    throw new TypeError(`"model" expected a model, got ${show(model)}`);
  const names = model.inputs.map((input) => input.name);
  if (name === undefined && names.length !== 1)
    throw new ModelError(`"input" expected one of ${names.join(", ")}, got none`);
  const found = model.inputs.find((input) => name === undefined || input.name === name);
  if (found === undefined) throw new ModelError(`"input" expected one of ${names.join(", ")}, got ${show(name)}`);
  return found;
}

const isCount = (size: unknown): boolean => size === 1 || size === 3 || size === 4;

/** Of a model's input: where its channels, rows and columns are. */
function axesOf({ name, shape, memoryFormat }: ImageModel["inputs"][number]) {
  const expected = `${show(name)} expected an image, [1, C, H, W] or [1, H, W, C] with 1, 3 or 4 channels`;
  if (shape.length !== 4) throw new ShapeError(`${expected}, got ${show(shape)}`);
  const [n, first, , last] = shape;
  const isLast = !isCount(first) && isCount(last);
  if (!isLast && !isCount(first)) throw new ShapeError(`${expected}, got ${show(shape)}`);
  if (typeof n === "number" && n !== 1) throw new ShapeError(`${expected}, got ${show(shape)}`);
  if (isLast && memoryFormat === "channelsLast")
    throw new UnsupportedError(`${show(name)} expected [1, H, W, C] in that order in memory, got channelsLast`);
  return isLast
    ? { channels: last as number, height: shape[1], width: shape[2], isLast }
    : { channels: first as number, height: shape[2], width: shape[3], isLast };
}

/** For an input of a model. Sizes that it leaves open are those of the spec: then there is no place in the model yet. */
export function targetOfModel(
  input: ImageModel["inputs"][number],
  given: PreprocessSpec & TensorOptions,
): Target & { readonly isOpen: boolean } {
  const { channels, height, width, isLast } = axesOf(input);
  const { name, shape } = input;
  const checked = checkedSpec(given, channels);
  if (ORDERS[checked.channels].length !== channels)
    throw new ShapeError(`"channels" expected what the input ${show(name)} has, ${channels}, got ${checked.channels}`);
  if (given.dtype !== undefined && given.dtype !== input.dtype)
    throw new ShapeError(`"dtype" expected the model's, ${input.dtype}, got ${show(given.dtype)}`);
  const format = input.memoryFormat ?? "contiguous";
  if (given.memoryFormat !== undefined && given.memoryFormat !== format)
    throw new ShapeError(`"memoryFormat" expected the model's, ${format}, got ${show(given.memoryFormat)}`);
  const [h, w] = checked.size ?? [height, width];
  if (typeof h !== "number" || typeof w !== "number")
    throw new ShapeError(
      `"size" expected sizes, since the input ${show(name)} leaves them open, ${show(shape)}, got none`,
    );
  if ((typeof height === "number" && h !== height) || (typeof width === "number" && w !== width))
    throw new ShapeError(`"size" expected the model's, [${height}, ${width}], got [${h}, ${w}]`);
  const dtype = oneOf("dtype", input.dtype, ELEMENTS);
  return {
    spec: { shape: isLast ? [1, h, w, channels] : [1, channels, h, w], dtype, memoryFormat: format },
    ...{ checked, width: w, height: h },
    isPlanar: !isLast && format === "contiguous",
    isOpen: shape.some((size) => typeof size !== "number"),
  };
}

/** For a tensor [1, C, H, W]. */
export function targetOfTensor(given: PreprocessSpec & TensorOptions): Target {
  const checked = checkedSpec(given, undefined);
  if (checked.size === undefined) throw new TypeError(`"size" expected a number or [height, width], got none`);
  const [height, width] = checked.size;
  const dtype = oneOf("dtype", given.dtype ?? "float32", ELEMENTS);
  const memoryFormat = oneOf("memoryFormat", given.memoryFormat ?? "contiguous", MEMORY_FORMATS);
  const shape = [1, ORDERS[checked.channels].length, height, width];
  return { spec: { shape, dtype, memoryFormat }, checked, width, height, isPlanar: memoryFormat === "contiguous" };
}

/** How pixels are stored there. */
export function storeOf({ spec, checked, isPlanar }: Target, isSame: boolean): Store {
  const { scale, mean, std, fill, background, channels } = checked;
  const { dtype } = spec;
  const factors = std.map((s) => Math.fround(scale / s));
  const addends = mean.map((m, c) => Math.fround(-m / (std[c] as number)) + 0); // no -0
  const limits = dtype === "int8" ? [-128, 127] : [0, 255];
  const stored = (value: number) =>
    dtype === "float32" ? value : Math.min(Math.max(roundEven(value), limits[0] as number), limits[1] as number);
  const fills = factors.map((factor, c) =>
    stored(Math.fround(Math.fround(Math.fround(fill) * factor) + (addends[c] as number))),
  );
  const premultiplied =
    channels === "rgba" && !isSame && checked.filter !== "nearest" ? ("premultiplied" as const) : undefined;
  return {
    element: dtype as Store["element"],
    channels: factors.length,
    isPlanar,
    ...{ factors, addends, fills },
    order: ORDERS[channels],
    alpha: background ?? premultiplied,
  };
}

/** Whether an input is still what a target was made for. Throws ShapeError. */
export function requireSame(input: ImageModel["inputs"][number], { spec }: Target): void {
  const { name, shape, dtype, memoryFormat = "contiguous" } = input;
  const isSame =
    dtype === spec.dtype &&
    memoryFormat === spec.memoryFormat &&
    shape.length === spec.shape.length &&
    shape.every((size, i) => size === spec.shape[i]);
  if (isSame) return;
  throw new ShapeError(
    `${show(name)} expected ${showSpec(spec)}, as it was, got ${dtype} ${show(shape)} ${memoryFormat}`,
  );
}
