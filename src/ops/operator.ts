// What an operator is: the names of its operands and options, and how it becomes kernel calls. Eager calls, plans and
// models all go through `lower`: the one place for validation, shape inference and the choice of algorithm.
import { knownOptions, type Shape, sameShape } from "../base/check.js";
import { ShapeError, show, UnsupportedError } from "../base/errors.js";
import { type DType, type MemoryFormat, makeSpec, showSpec, type TensorSpec } from "../base/spec.js";
import { Builder, type Planning } from "../plan/builder.js";
import type { Tensor } from "../plan/tensor.js";

export interface Operator<
  Input extends string = string,
  Param extends string = string,
  Options extends object = object,
  Extra extends string = string,
> {
  readonly name: string;
  /** Operands that every run brings, in call order. */
  readonly inputs: readonly Input[];
  /** Further operands of a run, which a call gives among its options or leaves out. At most one. */
  readonly extras?: readonly Extra[];
  /** One call takes any number (>= 1) of inputs, as an array. */
  readonly variadic?: boolean;
  /** Operands fixed at plan time, in call order; the first `required` of them must be given. */
  readonly params: readonly Param[];
  readonly required: number;
  readonly options: readonly (keyof Options & string)[];
  /** Names of the outputs when there is more than one; from the options where these say how many. */
  readonly outputs?: readonly string[] | ((options: Options) => readonly string[] | undefined);
  /** Validates, declares outputs, and emits kernel calls. Throws before anything is allocated. */
  lower(b: Builder, options: Options): void;
}

/** Fixes the type parameters of an operator from its parts. */
export function defineOperator<
  const Input extends string,
  const Param extends string,
  Options extends object,
  const Extra extends string = never,
>(operator: Operator<Input, Param, Options, Extra>): Operator<Input, Param, Options, Extra> {
  return operator;
}

/** Whether an operator takes so many inputs in a run. */
export function takesInputs({ inputs, extras = [], variadic }: Operator, count: number): boolean {
  return variadic ? count >= 1 : count >= inputs.length && count <= inputs.length + extras.length;
}

/** The extra operands among the options of a call, each [name, value], and the options without them. */
export function splitExtras(
  { extras = [] }: Operator,
  options: unknown,
): { readonly extras: readonly (readonly [string, unknown])[]; readonly options: object } {
  if (extras.length === 0 || typeof options !== "object" || options === null || Array.isArray(options)) {
    return { extras: [], options: options as object };
  }
  const isExtra = ([name]: readonly [string, unknown]) => extras.includes(name);
  const entries = Object.entries(options);
  const isGiven = ([, value]: readonly [string, unknown]) => value !== undefined && value !== null;
  return {
    extras: entries.filter((entry) => isExtra(entry) && isGiven(entry)),
    options: Object.fromEntries(entries.filter((entry) => !isExtra(entry))),
  };
}

/** What runtime.plan.<operator> takes: input shapes and parameter tensors by name, and the options. */
export type PlanArguments<O> =
  O extends Operator<infer Input, infer Param, infer Options, infer Extra>
    ? { readonly [K in Input]: Shape } & { readonly [K in Extra]?: Shape | null } & {
        readonly [K in Param]?: Tensor | null;
      } & {
        /** Of every input of rank >= 3; default "contiguous". */
        readonly memoryFormat?: MemoryFormat;
        /** Of every input; default "float32". */
        readonly dtype?: DType;
      } & Options
    : never;

/** Names of an operator's outputs, or undefined where it has one. */
export function outputNames(operator: Operator, options: object): readonly string[] | undefined {
  return typeof operator.outputs === "function" ? operator.outputs(options) : operator.outputs;
}

/** Runs `lower` for operands known by their specs only. */
export function build(
  operator: Operator,
  inputs: readonly TensorSpec[],
  params: readonly (TensorSpec | undefined)[],
  options: object,
  target: Planning,
): Builder {
  knownOptions(`${operator.name} options`, options, operator.options);
  if (!takesInputs(operator, inputs.length)) {
    throw new TypeError(`"${operator.name}" expected ${operator.inputs.length} inputs, got ${inputs.length}`);
  }
  const padded = operator.params.map((name, i) => {
    if (params[i] === undefined && i < operator.required) {
      throw new TypeError(`"${name}" expected a tensor, got undefined`);
    }
    return params[i];
  });
  for (const specs of [inputs, padded]) {
    for (const spec of specs) {
      if (spec?.shape.includes(0))
        throw new ShapeError(`"${operator.name}" expected sizes >= 1, got ${show(spec.shape)}`);
    }
  }
  const builder = new Builder(operator.name, inputs, padded, target);
  operator.lower(builder, options);
  return builder;
}

/** Requires a dtype that the operator computes with. */
export function requireFloat(name: string, spec: TensorSpec): void {
  if (spec.dtype !== "float32") throw new UnsupportedError(`"${name}" expected dtype float32, got ${spec.dtype}`);
}

/** Requires a float32 tensor of an exact shape. */
export function requireShape(name: string, spec: TensorSpec, shape: Shape): void {
  requireFloat(name, spec);
  if (spec.shape.length !== shape.length || shape.some((size, i) => size !== spec.shape[i])) {
    throw new ShapeError(`"${name}" expected shape ${show(shape)}, got ${show(spec.shape)}`);
  }
}

/** Requires a tensor to be as another one. */
export function requireSpec(name: string, spec: TensorSpec, wanted: TensorSpec): void {
  const isSame = spec.dtype === wanted.dtype && spec.memoryFormat === wanted.memoryFormat;
  if (isSame && sameShape(spec.shape, wanted.shape)) return;
  throw new ShapeError(`"${name}" expected ${showSpec(wanted)}, got ${showSpec(spec)}`);
}

/** Requires a float32 tensor of a rank and answers its dimensions. */
export function requireRank(name: string, spec: TensorSpec, rank: number, letters: string): readonly number[] {
  requireFloat(name, spec);
  if (spec.shape.length !== rank) {
    throw new ShapeError(`"${name}" expected rank ${rank} ${letters}, got ${show(spec.shape)}`);
  }
  return spec.shape;
}

/** The spec of an output that takes its input's memory format; checked for size. */
export function outputSpec(shape: readonly number[], like: TensorSpec): TensorSpec {
  const format = shape.length < 3 ? "contiguous" : like.memoryFormat;
  return makeSpec(shape, like.dtype, format, "output");
}
