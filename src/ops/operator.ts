// What an operator is: the names of its operands and options, what it answers for given shapes (`infer`), and how it becomes
// kernel calls (`lower`). Eager calls, plans and models all go through these two: `infer` is the one place that validates and
// works out shapes, without memory or kernels; `lower` is the one that emits calls, for what `infer` accepted.
import { knownOptions, type Shape, sameShape } from "../base/check.js";
import { ShapeError, show, UnsupportedError } from "../base/errors.js";
import { type DType, type MemoryFormat, makeSpec, showSpec, type TensorSpec } from "../base/spec.js";
import { Builder, type Planning } from "../plan/builder.js";
import type { Operand } from "../plan/operand.js";
import type { Tensor } from "../plan/tensor.js";

/** What an operator answers for operands of given specs. Operators add what they worked out on the way, for `lower`. */
export interface Inference {
  readonly outputs: readonly TensorSpec[];
  /** Multiply-accumulates of the definition, whatever an algorithm saves; default 0. */
  readonly macs?: number;
  /** Operands of a run whose own memory the (first) output may be. */
  readonly inPlace?: readonly string[];
  /** The output is the first input's bytes as they lie: a model takes them as they are and runs no step. */
  readonly isView?: boolean;
}

/** Operands by name; those that were left out are undefined. A variadic operator's one name has a list. */
type Named<T> = Readonly<Record<string, T | readonly T[] | undefined>>;

/** What an operator is, as the layers above need it to be told. */
export interface Traits {
  /** Its kernels read pixels as channel vectors: of another memory format they would change every input and output. */
  readonly readsPixels?: boolean;
  /** It only moves elements, of any dtype. */
  readonly movesElements?: boolean;
  /** f(x) by element, which the store of a sum can apply: `activation: { type: name, ...options }`. */
  readonly isActivation?: boolean;
  /** Its outputs are sums over filters: the parameters that are the weights and the bias [M] of them. */
  readonly filters?: {
    readonly weight: string;
    readonly bias: string;
    /** Where filters lie in the weights: [M, ...], or [C, M/groups, ...]. */
    readonly layout: "first" | "second";
    /** The axis of the output along which they lie; negative counts from the end. */
    readonly axis: number;
  };
}

/** An operator with its types erased: what registries, graphs and runtimes work with. */
export interface Operator extends Traits {
  readonly name: string;
  /** Operands that every run brings, in call order. */
  readonly inputs: readonly string[];
  /** One call takes any number (>= 1) of inputs, as an array. */
  readonly variadic: boolean;
  /** Further operands of a run, which a call gives among its options or leaves out. At most one. */
  readonly extras: readonly string[];
  /** Operands fixed at plan time, in call order; the first `required` of them must be given. */
  readonly params: readonly string[];
  readonly required: number;
  /** Operands fixed at plan time that only rewrites of graphs give, behind `params`. */
  readonly inner: readonly string[];
  readonly options: readonly string[];
  /** Names of the outputs when there is more than one; from the options where these say how many. */
  readonly outputs?: readonly string[] | ((options: never) => readonly string[] | undefined) | undefined;
  /** Validates operands and options. Throws ShapeError, TypeError, RangeError or UnsupportedError; computes shapes only. */
  infer(specs: Named<TensorSpec>, options: object): Inference;
  /** Emits kernel calls into b.outputs. Throws UnsupportedError where a named algorithm does not do the shape. */
  lower(b: Builder, operands: Named<Operand>, found: Inference): void;
}

/** How weights are rounded: ModelOptions.quantizeWeights. */
export type WeightType = "int8" | "int16" | "float16";

/** Of types whose code and kernels are loaded: the operator on such weights, or itself. `write` writes its weights' bytes from one on. */
export type QuantizedWeights = {
  [T in WeightType]?: (operator: Operator, write: () => (to: Uint8Array, from: number) => void) => Operator;
};

/** Operands of `lower` or specs of `infer` as an operator's own definition names them. */
type OwnNamed<T, Input extends string, Param extends string, Optional extends string, Variadic extends boolean> = {
  readonly [K in Input]: Variadic extends true ? readonly T[] : T;
} & { readonly [K in Param]: T } & { readonly [K in Optional]: T | undefined };

interface Definition<
  Input extends string,
  Param extends string,
  Optional extends string,
  Extra extends string,
  Inner extends string,
  Variadic extends boolean,
  Options extends object,
  Found extends Inference,
> extends Traits {
  readonly name: string;
  readonly inputs: readonly Input[];
  readonly variadic?: Variadic;
  readonly extras?: readonly Extra[];
  /** Operands fixed at plan time that must be given, then those that may be left out, in call order. */
  readonly params?: readonly Param[];
  readonly optional?: readonly Optional[];
  readonly inner?: readonly Inner[];
  readonly options?: readonly (keyof Options & string)[];
  readonly outputs?: readonly string[] | ((options: Options) => readonly string[] | undefined);
  infer(specs: OwnNamed<TensorSpec, Input, Param, Optional | Extra | Inner, Variadic>, options: Options): Found;
  lower(b: Builder, operands: OwnNamed<Operand, Input, Param, Optional | Extra | Inner, Variadic>, found: Found): void;
}

/** An operator that still knows the names of its operands and its options: see PlanArguments. */
export interface TypedOperator<
  Input extends string,
  Param extends string,
  Optional extends string,
  Extra extends string,
  Options extends object,
> extends Operator {
  /** No value: carries types. */
  readonly types?: {
    readonly input: Input;
    readonly param: Param;
    readonly optional: Optional;
    readonly extra: Extra;
    readonly options: Options;
  };
}

/** Makes an operator of its parts. */
export function defineOperator<
  const Input extends string,
  Options extends object,
  Found extends Inference,
  const Param extends string = never,
  const Optional extends string = never,
  const Extra extends string = never,
  const Inner extends string = never,
  const Variadic extends boolean = false,
>(
  definition: Definition<Input, Param, Optional, Extra, Inner, Variadic, Options, Found>,
): TypedOperator<Input, Param, Optional, Extra, Options> {
  const { variadic = false, extras = [], params = [], optional = [], inner = [], options = [] } = definition;
  return {
    ...(definition as unknown as Operator), // names become strings, and each call gives what its names say
    variadic,
    extras,
    params: [...params, ...optional],
    required: params.length,
    inner,
    options,
  };
}

/** Whether an operator takes so many inputs in a run. */
export function takesInputs({ inputs, extras, variadic }: Operator, count: number): boolean {
  return variadic ? count >= 1 : count >= inputs.length && count <= inputs.length + extras.length;
}

/** The extra operands among the options of a call, each [name, value], and the options without them. */
export function splitExtras(
  { extras }: Operator,
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
export type PlanArguments<O, D extends DType> =
  O extends TypedOperator<infer Input, infer Param, infer Optional, infer Extra, infer Options>
    ? { readonly [K in Input]: Shape } & { readonly [K in Extra]?: Shape | null } & {
        readonly [K in Param | Optional]?: Tensor<DType> | null;
      } & {
        /** Of every input of rank >= 3; default "contiguous". */
        readonly memoryFormat?: MemoryFormat;
        /** Of every input; default "float32". */
        readonly dtype?: D;
      } & Options
    : never;

/** Names of an operator's outputs, or undefined where it has one. */
export function outputNames({ outputs }: Operator, options: object): readonly string[] | undefined {
  return typeof outputs === "function" ? outputs(options as never) : outputs;
}

/** Operands in the order of a run, then of plan time, as an operator names them. */
function named<T>(
  { inputs, extras, variadic, params, inner }: Operator,
  run: readonly T[],
  fixed: readonly T[],
): Named<T> {
  const operands: Record<string, T | readonly T[]> = {};
  if (variadic) operands[inputs[0] as string] = run;
  else
    run.forEach((operand, i) => {
      operands[(inputs[i] ?? extras[i - inputs.length]) as string] = operand;
    });
  fixed.forEach((operand, i) => {
    operands[(params[i] ?? inner[i - params.length]) as string] = operand;
  });
  return operands;
}

/** What an operator answers for operands known by their specs. Throws what is wrong with them; allocates nothing. */
export function infer(
  operator: Operator,
  inputs: readonly TensorSpec[],
  params: readonly (TensorSpec | undefined)[],
  options: object,
): Inference {
  knownOptions(`${operator.name} options`, options, operator.options);
  if (!takesInputs(operator, inputs.length)) {
    throw new TypeError(`"${operator.name}" expected ${operator.inputs.length} inputs, got ${inputs.length}`);
  }
  operator.params.forEach((name, i) => {
    if (params[i] === undefined && i < operator.required) {
      throw new TypeError(`"${name}" expected a tensor, got undefined`);
    }
  });
  for (const specs of [inputs, params]) {
    for (const spec of specs) {
      if (spec?.shape.includes(0))
        throw new ShapeError(`"${operator.name}" expected sizes >= 1, got ${show(spec.shape)}`);
    }
  }
  return operator.infer(named<TensorSpec | undefined>(operator, inputs, params) as Named<TensorSpec>, options);
}

/** Kernel calls for what `infer` found. Throws what the operator's `lower` throws. */
export function emit(
  operator: Operator,
  inputs: readonly TensorSpec[],
  params: readonly (TensorSpec | undefined)[],
  found: Inference,
  planning: Planning,
): Builder {
  const b = new Builder(operator.name, inputs, params, found.outputs, planning);
  b.macs = found.macs ?? 0;
  if (found.inPlace) {
    const indexOf = (name: string) => [...operator.inputs, ...operator.extras].indexOf(name);
    b.inPlace = found.inPlace.map(indexOf).filter((index) => index < inputs.length);
  }
  operator.lower(b, named<Operand | undefined>(operator, b.inputs, b.params) as Named<Operand>, found);
  return b;
}

/** Infers, then emits: an operator's kernel calls for operands known by their specs. */
export function build(
  operator: Operator,
  inputs: readonly TensorSpec[],
  params: readonly (TensorSpec | undefined)[],
  options: object,
  planning: Planning,
): Builder {
  return emit(operator, inputs, params, infer(operator, inputs, params, options), planning);
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
