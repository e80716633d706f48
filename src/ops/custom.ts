// An operator in JavaScript, for what no kernel does: it gets typed arrays over linear memory, contiguous, and fills others.
import { integer, knownOptions } from "../base/check.js";
import { show } from "../base/errors.js";
import { type DType, makeSpec, type TensorData, type TensorSpec } from "../base/spec.js";
import type { Builder } from "../plan/builder.js";
import { defineOperator } from "./operator.js";
import { contiguousInput } from "./parts/strided.js";

/** A function, and what it answers. */
export interface CustomOptions {
  /** What it answers: shape (sizes >= 1) and dtype (default "float32") of each, contiguous. */
  readonly outputs: readonly { readonly shape: readonly number[]; readonly dtype?: DType }[];
  /** Fills every output from the inputs, views in logical order that last for this call only. What it throws, the run throws. */
  readonly compute: (inputs: readonly TensorData[], outputs: readonly TensorData[]) => void;
  /** Multiply-accumulates that summaries show; default 0. */
  readonly macs?: number;
  /** How summaries call it; default "custom". */
  readonly label?: string;
}

/** Internal: an operator of kernels that no facade shows; `lower` does what an operator's own does (see operator.ts). */
export interface LoweredOptions {
  readonly lower: (b: Builder) => void;
  readonly label: string;
}

export const custom = defineOperator({
  name: "custom",
  inputs: ["inputs"],
  variadic: true,
  params: [],
  required: 0,
  options: ["outputs", "compute", "macs", "label", "lower"],
  outputs: ({ outputs }: CustomOptions & Partial<LoweredOptions>) =>
    Array.isArray(outputs) && outputs.length > 1 ? outputs.map((_, i) => `${i}`) : undefined,
  lower(b, options: CustomOptions & Partial<LoweredOptions>) {
    if (options.lower) {
      b.algorithm = options.label as string;
      options.lower(b);
      return;
    }
    const { outputs, compute } = options;
    if (typeof compute !== "function") throw new TypeError(`"compute" expected a function, got ${show(compute)}`);
    if (!Array.isArray(outputs) || outputs.length === 0) {
      throw new TypeError(`"outputs" expected an array of shapes and dtypes, got ${show(outputs)}`);
    }
    const specs = outputs.map((output, i): TensorSpec => {
      knownOptions(`outputs[${i}]`, output, ["shape", "dtype"]);
      return makeSpec(output.shape, output.dtype, "contiguous", `outputs[${i}]`);
    });
    b.macs = integer("macs", options.macs ?? 0, 0);
    b.algorithm = options.label ?? "custom";
    b.reason = "JavaScript";
    const inputs = b.inputs.map((input) => ({
      ref: contiguousInput(b, input),
      spec: { ...input.spec, memoryFormat: "contiguous" as const },
    }));
    const count = inputs.length;
    b.hostStep([...inputs, ...specs.map((spec) => b.output(spec))], (views) =>
      compute(views.slice(0, count), views.slice(count)),
    );
  },
});
