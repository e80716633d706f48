// Products, running sums and places of extremes along an axis: see assembly/kernels/along.ts.
import { countOf } from "../../base/shape.js";
import { makeSpec, type TensorSpec } from "../../base/spec.js";
import { AlongCode } from "../../kernels/gen/rare/along-code.js";
import { AlongDesc } from "../../kernels/gen/rare/along-desc.js";
import { defineOperator, type Operator, requireFloat } from "../../ops/operator.js";
import { contiguousInput } from "../../ops/parts/strided.js";

export interface AlongOptions {
  /** Of sums: from the end. Of places: those of the smallest. */
  readonly isReverse?: boolean;
  /** Of sums: without the element itself. Of places: the last of several. */
  readonly isOther?: boolean;
}

/** Along the axes from one on up to another, which are one then. Results are contiguous. */
export function along(
  name: keyof typeof AlongCode,
  [from, to]: readonly [number, number],
  label: string,
  { isReverse = false, isOther = false }: AlongOptions = {},
): Operator {
  return defineOperator({
    name: label,
    inputs: ["input"],
    infer({ input }: { input: TensorSpec }) {
      requireFloat("input", input);
      const shape = name === "sums" ? input.shape : input.shape.map((size, i) => (i >= from && i < to ? 1 : size));
      return { outputs: [makeSpec(shape, name === "argument" ? "int64" : "float32", "contiguous", "output")] };
    },
    lower(b, { input }) {
      const { shape } = input.spec;
      const [outer, size, inner] = [shape.slice(0, from), shape.slice(from, to), shape.slice(to)].map(countOf) as [
        number,
        number,
        number,
      ];
      const values = {
        xPtr: contiguousInput(b, input),
        yPtr: b.output.ref,
        operation: AlongCode[name],
        size,
        inner,
        isReverse: Number(isReverse),
        isOther: Number(isOther),
      };
      b.step("along_f32", AlongDesc, values, outer * (inner === 1 ? 1 : Math.ceil(inner / 4)));
    },
  });
}
