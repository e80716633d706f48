// From bytes of an ONNX file to a model.

import { knownOptions } from "../base/check.js";
import { show } from "../base/errors.js";
import type { PackName } from "../kernels/table.js";
import type { ModelOptions } from "../model/model.js";
import { requirePacks } from "../runtime/packs.js";
import { type Runtime, requireRuntime } from "../runtime/runtime.js";
import { STORED } from "./draft.js";
import { NotLoaded } from "./families/table.js";
import { budgetOf } from "./file/budget.js";
import { checkModel } from "./file/check.js";
import { everyNode } from "./file/node.js";
import { type ModelProto, parseModel } from "./file/proto.js";
import { InputShapes } from "./input-shapes.js";
import { OnnxModel } from "./model.js";
import { type Loaders, Operators } from "./operators.js";
import { bytesOf, type OnnxSource } from "./source.js";

/** Limits and open sizes of a network from a file. */
export interface OnnxOptions extends ModelOptions {
  /** Sizes of named dimensions, or whole shapes of inputs by name, where the file leaves them open. Default: none. */
  readonly shapes?: Readonly<Record<string, number | readonly number[]>>;
  /** Bytes of the file as they arrive: { loaded, total }, total undefined where it is not known. */
  readonly onProgress?: (progress: { readonly loaded: number; readonly total: number | undefined }) => void;
  /** Answers bytes of tensors kept in other files, beside the model's: a relative path, never out of its folder. */
  readonly externalData?: (location: string, offset: number, length: number | undefined) => Uint8Array;
}

/** What an entry exports as loadOnnx(): see there. */
export type LoadOnnx = (runtime: Runtime, source: OnnxSource, options?: OnnxOptions) => Promise<OnnxModel>;

/** loadOnnx() of an entry that loads families of operators so. */
export function makeLoadOnnx(loaders: Loaders): LoadOnnx {
  return async (runtime, source, options = {}) => {
    requireRuntime(runtime);
    const { shapes, onProgress, externalData, ...modelOptions } = checkedOptions(options);
    const bytes = await bytesOf(source, onProgress);
    const operators = new Operators(loaders, packsOf(runtime));
    const parsed = parseModel(bytes);
    const { INLINED: inlined = (proto: ModelProto) => proto } =
      parsed.functions.length > 0 ? await loaders["file-functions"]() : {};
    const read = (proto: ModelProto) =>
      checkModel(proto, (node) => operators.has(node), budgetOf(modelOptions), externalData);
    const proto = inlined(parsed);
    const nodes = proto.graph ? [...everyNode(proto.graph)] : [];
    const loading = operators.loadFor(nodes); // while the file is checked
    loading.catch(() => {}); // told where it is waited for
    const checked = read(proto);
    const isOurs = !(source instanceof Uint8Array || source instanceof ArrayBuffer);
    const ownChecked = () => (isOurs ? checked : read(inlined(parseModel(bytes.slice()))));
    const given = new InputShapes(checked.inputs, shapes);
    const isFloat = checked.inputs.every(({ type }) => STORED[type] === "float32");
    await loading;
    if (!given.isFixed(checked.inputs)) await operators.loadAll(nodes, isFloat);
    for (;;) {
      try {
        return new OnnxModel(runtime, operators, checked, ownChecked, given, modelOptions);
      } catch (error) {
        if (!(error instanceof NotLoaded)) throw error;
        await operators.load([error.family]);
      }
    }
  };
}

/** On its own: in the function above it would keep the file, and models keep it. */
const packsOf = (runtime: Runtime) => (packs: Iterable<PackName>) => requirePacks(runtime, packs);

function checkedOptions(options: OnnxOptions): OnnxOptions & Required<Pick<OnnxOptions, "shapes">> {
  knownOptions("model options", options, [
    "maxBytes",
    "maxMacs",
    "precision",
    "tune",
    "optimize",
    "shapes",
    "onProgress",
    "externalData",
  ]);
  const { shapes = {}, onProgress, externalData } = options;
  if (typeof shapes !== "object" || shapes === null || Array.isArray(shapes))
    throw new TypeError(`"shapes" expected an object of sizes by name, got ${show(shapes)}`);
  for (const [name, f] of Object.entries({ onProgress, externalData })) {
    if (f !== undefined && typeof f !== "function")
      throw new TypeError(`"${name}" expected a function, got ${show(f)}`);
  }
  return { ...options, shapes };
}
