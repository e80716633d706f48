// From bytes of an ONNX file to a model.

import { asBytes, isBytes, knownOptions } from "../base/check.js";
import { ModelError, show } from "../base/errors.js";
import type { PackName } from "../kernels/table.js";
import { type ModelOptions, weightTypeOf } from "../model/model.js";
import { MODEL_OPTIONS } from "../model/model-options.js";
import type { WeightType } from "../ops/operator.js";
import { internalsOf, type Runtime, requireRuntime } from "../runtime/runtime.js";
import { STORED } from "./draft.js";
import { NotLoaded } from "./families/table.js";
import { budgetOf } from "./file/budget.js";
import { type Checked, checkModel, requireSupported, withInputs } from "./file/check.js";
import { everyNode } from "./file/node.js";
import { type ModelProto, type NodeProto, parseModel } from "./file/proto.js";
import { InputShapes, isSmall } from "./input-shapes.js";
import { OnnxModel } from "./model.js";
import { isKnown, type Loaders, Operators } from "./operators.js";
import type { OnnxDescription } from "./outside/describe.js";
import type { External } from "./outside/external.js";
import type { Brought, OnnxSource } from "./outside/source.js";
import { requirePacks } from "./packs.js";
import { steering } from "./steering.js";

/** Limits and open sizes of a network from a file. */
export interface OnnxOptions extends ModelOptions {
  /** Sizes of named dimensions, or whole shapes of inputs by name, where the file leaves them open. Default: none. */
  readonly shapes?: Readonly<Record<string, number | readonly number[]>>;
  /** Bytes of the file as they arrive: { loaded, total }, total undefined where it is not known. */
  readonly onProgress?: (progress: { readonly loaded: number; readonly total: number | undefined }) => void;
  /**
   * Answers bytes of tensors kept in other files, beside the model's, or a promise of them: a relative path, never out of the
   * model's folder. It may answer the whole file, too, and is not asked for more of that then. What it answers must stay as it is
   * while sizes are open, since it is read for each set of shapes.
   */
  readonly externalData?: External;
}

/** What an entry exports as loadOnnx() and describeOnnx(): see there. */
export type LoadOnnx = (runtime: Runtime, source: OnnxSource, options?: OnnxOptions) => Promise<OnnxModel>;

export type DescribeOnnx = (source: OnnxSource) => Promise<OnnxDescription>;

/** Chunks that few calls need: to bring what is no bytes yet, tensors in other files, and to say what a file is that is no ONNX. */
export interface Outside {
  readonly source: () => Promise<Pick<typeof import("./outside/source.js"), "bytesFrom">>;
  readonly external: () => Promise<Pick<typeof import("./outside/external.js"), "askExternal">>;
  readonly kinds: () => Promise<Pick<typeof import("./outside/kinds.js"), "notOnnx">>;
}

/** What describeOnnx() has of it, and its own. */
export interface Describing extends Pick<Outside, "source" | "kinds"> {
  readonly describe: () => Promise<Pick<typeof import("./outside/describe.js"), "describe">>;
  readonly functions: Loaders["file-functions"];
}

/** A file up to this size is kept for a run that brings another value for one of its initialisers. */
const SMALL_FILE_BYTES = 2 ** 20;
/** From this version of the format on, initialisers are not listed as inputs unless somebody means it. */
const IR_OF_DEFAULTS = 4;

/** What an entry exports as loadQuantizedWeights(): see there. */
export type LoadQuantizedWeights = (runtime: Runtime) => Promise<void>;

/** loadQuantizedWeights() of an entry that loads their code so. */
export function makeLoadQuantizedWeights(load: Loaders["weights"]): LoadQuantizedWeights {
  return async (runtime) => loadWeightTypes(runtime, load, ["int8", "int16", "float16"]);
}

/** Code and kernels of layers on such weights. */
async function loadWeightTypes(runtime: Runtime, load: Loaders["weights"], types: readonly WeightType[]) {
  const packs = types.map((type) => (type === "float16" ? "half" : "int8"));
  const [{ WEIGHTS }] = await Promise.all([load(), requirePacks(runtime, new Set(packs))]);
  for (const type of types) internalsOf(runtime).quantizedWeights[type] = WEIGHTS?.[type];
}

/** loadOnnx() of an entry that loads families of operators so, and what is outside of files so. */
export function makeLoadOnnx(loaders: Loaders, outside: Outside): LoadOnnx {
  return async (runtime, source, options = {}) => {
    requireRuntime(runtime);
    const { shapes, onProgress, externalData, ...modelOptions } = checkedOptions(options);
    const { bytes, isOurs, from } = isBytes(source)
      ? atOnce(source, onProgress)
      : await (await outside.source()).bytesFrom(source, onProgress);
    requireRuntime(runtime);
    const weights = weightTypeOf(modelOptions);
    if (weights) await loadWeightTypes(runtime, loaders.weights, [weights]);
    const operators = new Operators(loaders, packsOf(runtime));
    const file = await parsed(bytes, from, outside);
    const { INLINED: inlined = (model: ModelProto) => model } =
      file.functions.length > 0 ? await loaders["file-functions"]() : {};
    const proto = inlined(file);
    const nodes = [...everyNode(requireSupported(proto, isKnown))];
    const loading = operators.loadFor(nodes); // while the file is checked
    loading.catch(() => {}); // told where it is waited for
    const fill =
      proto.external.size > 0 ? await (await outside.external()).askExternal(proto, externalData) : undefined;
    const read = (model: ModelProto) => {
      fill?.(model);
      const all = checkModel(model, budgetOf(modelOptions));
      const checked = withInputs(all, (name) => Object.hasOwn(shapes, name));
      return mayReplace(model, all, bytes.length) ? checked : { ...checked, defaults: [], fixed: checked.defaults };
    };
    const checked = read(proto);
    const ownChecked = () => (isOurs ? checked : read(inlined(parseModel(bytes.slice()))));
    const given = new InputShapes(checked.inputs, shapes);
    const isFloat = checked.inputs.every(({ type }) => STORED[type] === "float32");
    await loading;
    const deciding =
      checked.inputs.some(isSmall) && isSteered(checked, nodes)
        ? (await loaders["late-stages"]()).DECIDING?.of(checked)
        : undefined;
    if (deciding || !given.isFixed(checked)) await operators.loadAll(nodes, isFloat);
    for (;;) {
      try {
        return new OnnxModel(runtime, operators, checked, ownChecked, given, modelOptions, deciding);
      } catch (error) {
        if (!(error instanceof NotLoaded)) throw error;
        await operators.load([error.family]);
        if (error.family === "late-stages") await operators.loadAll(nodes, isFloat); // what a run plans waits for nothing
      }
    }
  };
}

/** describeOnnx() of an entry that loads its parts so. */
export function makeDescribeOnnx(parts: Describing): DescribeOnnx {
  return async (source) => (await parts.describe()).describe(parts, source);
}

/** Whether shapes or branches follow from what is no constant. */
function isSteered({ inputs }: Checked, nodes: readonly NodeProto[]): boolean {
  const varying = new Set(inputs.map(({ name }) => name));
  for (const { opType, outputs } of nodes) if (opType !== "Constant") for (const name of outputs) varying.add(name);
  return nodes.some((node) => steering(node).some((name) => varying.has(name)));
}

export function atOnce(source: Uint8Array | ArrayBuffer, onProgress: OnnxOptions["onProgress"]): Brought {
  const bytes = asBytes(source);
  onProgress?.({ loaded: bytes.length, total: bytes.length });
  return { bytes, isOurs: false };
}

/** The file; of what is none, the error says what it looks like. */
export async function parsed(
  bytes: Uint8Array,
  from: string | undefined,
  outside: Pick<Outside, "kinds">,
): Promise<ModelProto> {
  try {
    const proto = parseModel(bytes);
    if (proto.graph === null) throw new ModelError(`"model" expected a graph, got none`);
    return proto;
  } catch (cause) {
    throw await outside.kinds().then(
      ({ notOnnx }) => notOnnx(bytes, from, cause),
      () => cause,
    );
  }
}

/**
 * Whether a run may bring another value for an initialiser that is an input, though nobody said so in `shapes`: the file is kept
 * for it. Exporters list all initialisers of large files without meaning that.
 */
function mayReplace({ irVersion }: ModelProto, { initializers, defaults }: Checked, bytes: number): boolean {
  return irVersion >= IR_OF_DEFAULTS && (bytes <= SMALL_FILE_BYTES || defaults.length < initializers.size);
}

/** On its own: in the function above it would keep the file, and models keep it. */
const packsOf = (runtime: Runtime) => (packs: Iterable<PackName>) => requirePacks(runtime, packs);

function checkedOptions(options: OnnxOptions): OnnxOptions & Required<Pick<OnnxOptions, "shapes">> {
  knownOptions("model options", options, [...MODEL_OPTIONS, "shapes", "onProgress", "externalData"]);
  const { shapes = {}, onProgress, externalData } = options;
  if (typeof shapes !== "object" || shapes === null || Array.isArray(shapes))
    throw new TypeError(`"shapes" expected an object of sizes by name, got ${show(shapes)}`);
  for (const [name, f] of Object.entries({ onProgress, externalData })) {
    if (f !== undefined && typeof f !== "function")
      throw new TypeError(`"${name}" expected a function, got ${show(f)}`);
  }
  return { ...options, shapes };
}
