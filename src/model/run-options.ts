// What a run is told beside its inputs: outputs by name, when to stop, how to share its thread.
import { knownOptions } from "../base/check.js";
import { ModelError, show } from "../base/errors.js";
import type { Global } from "../base/globals.js";
import type { DType } from "../base/spec.js";
import type { Tensor } from "../plan/tensor.js";

/** How a run shares its thread. */
export interface RunAsyncOptions {
  /** Ends the run when it is aborted; default: none. */
  readonly signal?: Global<"AbortSignal">;
  /** Milliseconds of work between turns, default 8. 0: between all kernel calls. */
  readonly yieldEvery?: number;
  /** Names of the outputs to answer; default: all. */
  readonly outputs?: readonly string[];
}

/** Checked. A signal is known by what it has: it may be of another realm. */
export function runOptions(options: RunAsyncOptions): RunAsyncOptions & { readonly yieldEvery: number } {
  knownOptions("run options", options, ["signal", "yieldEvery", "outputs"]);
  const { signal, yieldEvery = 8 } = options;
  if (signal !== undefined && typeof signal?.aborted !== "boolean")
    throw new TypeError(`"signal" expected an AbortSignal, got ${show(signal)}`);
  if (typeof yieldEvery !== "number" || !(yieldEvery >= 0))
    throw new RangeError(`"yieldEvery" expected milliseconds >= 0, got ${show(yieldEvery)}`);
  return { ...options, yieldEvery };
}

type Results<D extends DType> = Readonly<Record<string, Tensor<D>>>;

/** What takes the named of a run's results, of which the caller says that they are of D. Throws ModelError for names that are no outputs, TypeError for what are no names. */
export function picker<D extends DType>(
  names: unknown,
  known: readonly { readonly name: string }[],
): (results: Results<DType>) => Results<D> {
  return names === undefined ? all<D> : some<D>(names, known);
}

/** Of every run, so nothing is made for it. */
const all = <D extends DType>(results: Results<DType>) => results as Results<D>;

function some<D extends DType>(
  names: unknown,
  known: readonly { readonly name: string }[],
): (results: Results<DType>) => Results<D> {
  if (!Array.isArray(names)) throw new TypeError(`"outputs" expected an array of names, got ${show(names)}`);
  for (const name of names) {
    if (!known.some((output) => output.name === name))
      throw new ModelError(
        `"outputs" expected names among ${known.map((one) => one.name).join(", ")}, got ${show(name)}`,
      );
  }
  return (results) => Object.fromEntries(names.map((name: string) => [name, results[name] as Tensor<D>]));
}

/** Throws the reason of a signal that is aborted. */
export function requireGoing(signal: Global<"AbortSignal"> | undefined): void {
  if (signal?.aborted) throw signal.reason ?? new Error(`"signal" expected to go on, got aborted`);
}
