// What the page asks of the library: one function an operation, run in the worker, or, where a page may have none, in the page itself.
import { arithmetic } from "./arithmetic.js";
import { classify, digitWeights, start } from "./digit.js";
import { methodClose, methodOpen, methodRun } from "./methods.js";
import { report, restart, selfTest } from "./runtime.js";

/** Operations by name; those with a chunk of their own are loaded when they are asked for. */
export const OPS = {
  start,
  report,
  restart,
  selfTest,
  digitWeights,
  classify,
  arithmetic,
  methodOpen,
  methodRun,
  methodClose,
  nets: async (args: Parameters<typeof import("./nets.js").nets>[0]) => (await import("./nets.js")).nets(args),
  openModel: async (args: Parameters<typeof import("./model.js").openModel>[0]) =>
    (await import("./model.js")).openModel(args),
  profileModel: async (args: Parameters<typeof import("./model.js").profileModel>[0]) =>
    (await import("./model.js")).profileModel(args),
  featureMaps: async (args: Parameters<typeof import("./maps.js").featureMaps>[0]) =>
    (await import("./maps.js")).featureMaps(args),
  openClassifier: async (args: Parameters<typeof import("./photo.js").openClassifier>[0]) =>
    (await import("./photo.js")).openClassifier(args),
  classifyPhoto: async (args: Parameters<typeof import("./photo.js").classifyPhoto>[0]) =>
    (await import("./photo.js")).classifyPhoto(args),
};

export type Ops = typeof OPS;
export type Op = keyof Ops;
export type Args<K extends Op> = Parameters<Ops[K]>[0];
export type Answer<K extends Op> = Awaited<ReturnType<Ops[K]>>;

/** An error as it travels: a page shows its sentence and, in small letters, its class. */
export interface Failure {
  readonly name: string;
  readonly message: string;
}

/** What one call comes to; an answer's buffers are moved, not copied. */
export async function answer(op: Op, args: unknown): Promise<{ value: unknown } | { failure: Failure }> {
  try {
    const run = OPS[op] as (args: unknown) => unknown;
    return { value: await run(args) };
  } catch (error) {
    const { name, message } = error as Error;
    return { failure: { name, message } };
  }
}
