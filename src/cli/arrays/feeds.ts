// Arrays of files as inputs of a model, by name.
import { type OnnxInput, type OnnxModel, readTensorFile } from "../../onnx/index.js";
import { FileError, UsageError } from "../errors.js";
import { readBytes } from "../files.js";
import { pairOf } from "../paths.js";
import { readNumpy } from "./npy.js";

/** Arrays of a .npy, .npz or .pb file, by name; the only one is "". */
export function readArrays(file: string): Map<string, OnnxInput & { readonly shape: readonly number[] }> {
  const bytes = readBytes(file, "an array (.npy, .npz, .pb)");
  if (/\.pb$/i.test(file)) return new Map([["", readTensorFile(bytes)]]);
  return readNumpy(bytes, file);
}

/**
 * Arrays for names: of "name=file", or of a file alone where one name is left, or whose arrays are called like these. what: the option.
 */
export function arraysFor(what: string, given: readonly string[], names: readonly string[]) {
  const found = new Map<string, OnnxInput & { readonly shape: readonly number[] }>();
  const set = (name: string, array: OnnxInput & { readonly shape: readonly number[] }) => {
    if (!names.includes(name)) throw new UsageError(`"${what}" expected one of ${names.join(", ")}, got "${name}"`);
    if (found.has(name)) throw new UsageError(`"${what}" expected each name once, got "${name}" twice`);
    found.set(name, array);
  };
  for (const text of given) {
    const pair = pairOf(text);
    const isNamed = pair !== undefined && names.includes(pair[0]);
    if (pair !== undefined && !isNamed && !/[/\\]/.test(pair[0])) set(pair[0], undefined as never);
    const file = isNamed ? pair[1] : text;
    const arrays = readArrays(file);
    const [only] = arrays.values();
    if (only === undefined) throw new FileError(`"${file}" expected an array, got none`);
    if (isNamed) set(pair[0], arrays.get(pair[0]) ?? only);
    else if (!arrays.has("")) for (const [name, array] of arrays) set(name, array);
    else {
      const left = names.filter((name) => !found.has(name));
      if (left.length === 0)
        throw new UsageError(`"${what}" expected at most ${names.length} arrays, got one more: ${file}`);
      set(left[0] as string, only);
    }
  }
  return found;
}

/** Integers of 64 bits are never taken for others: which input has them, before the run says at which element. */
export function requireTypes(feeds: ReadonlyMap<string, OnnxInput>, { inputs }: OnnxModel): void {
  for (const { name, dtype } of inputs) {
    const kind = Object.prototype.toString.call((feeds.get(name) as { data?: unknown } | undefined)?.data).slice(8, -6);
    if (/^Big/.test(kind) && !/int64$/.test(dtype))
      throw new UsageError(`"${name}" expected ${dtype}, got ${kind.replace("Big", "").toLowerCase()}`);
  }
}
