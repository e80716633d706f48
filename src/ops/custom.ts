// An operator in JavaScript, for what no kernel does: it gets typed arrays over linear memory, contiguous, and fills others.
import { integer, knownOptions } from "../base/check.js";
import { show } from "../base/errors.js";
import { type DType, makeSpec, type TensorData, type TensorSpec } from "../base/spec.js";
import { defineOperator } from "./operator.js";
import { contiguousInput } from "./parts/strided.js";

/** A function, and what it answers. I and O: dtypes of what it reads and answers. */
export interface CustomOptions<I extends DType = DType, O extends DType = DType> {
  /** What it answers: shape (sizes >= 1) and dtype (default "float32") of each, contiguous. */
  readonly outputs: readonly { readonly shape: readonly number[]; readonly dtype?: O }[];
  /** Fills every output from the inputs, views in logical order that last for this call only. What it throws, the run throws. */
  readonly compute: (inputs: readonly TensorData<I>[], outputs: readonly TensorData<O>[]) => void;
  /** Multiply-accumulates that summaries show; default 0. */
  readonly macs?: number;
  /** How summaries call it; default "custom". */
  readonly label?: string;
}

export const custom = defineOperator({
  name: "custom",
  inputs: ["inputs"],
  variadic: true,
  options: ["outputs", "compute", "macs", "label"],
  outputs: ({ outputs }: CustomOptions) =>
    Array.isArray(outputs) && outputs.length > 1 ? outputs.map((_, i) => `${i}`) : undefined,
  infer(_, { outputs, compute, macs = 0, label = "custom" }: CustomOptions) {
    if (typeof compute !== "function") throw new TypeError(`"compute" expected a function, got ${show(compute)}`);
    if (!Array.isArray(outputs) || outputs.length === 0) {
      throw new TypeError(`"outputs" expected an array of shapes and dtypes, got ${show(outputs)}`);
    }
    const specs = outputs.map((output, i): TensorSpec => {
      knownOptions(`outputs[${i}]`, output, ["shape", "dtype"]);
      return makeSpec(output.shape, output.dtype, "contiguous", `outputs[${i}]`);
    });
    return { outputs: specs, macs: integer("macs", macs, 0), label, compute: compute as CustomOptions["compute"] };
  },
  lower(b, { inputs }, { label, compute }) {
    b.algorithm = label;
    b.reason = "JavaScript";
    const contiguous = inputs.map((input) => ({
      ref: contiguousInput(b, input),
      spec: { ...input.spec, memoryFormat: "contiguous" as const },
    }));
    const count = inputs.length;
    b.hostStep([...contiguous, ...b.outputs], (views) => compute(views.slice(0, count), views.slice(count)));
  },
});
