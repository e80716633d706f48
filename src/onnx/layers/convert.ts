// Elements of one type as another: see assembly/kernels/convert.ts.
import { countOf } from "../../base/shape.js";
import type { DType } from "../../base/spec.js";
import { CHUNK } from "../../kernels/gen/constants.js";
import { ConvertDesc } from "../../kernels/gen/rare/convert-desc.js";
import { defineOperator, type Operator, outputSpec } from "../../ops/operator.js";
import { elementCode } from "./typed.js";

export function convert(dtype: DType): Operator {
  return defineOperator({
    name: `to ${dtype}`,
    inputs: ["input"],
    infer({ input }) {
      elementCode(input.dtype);
      elementCode(dtype);
      return { outputs: [outputSpec(input.shape, { ...input, dtype })] };
    },
    lower(b, { input }) {
      const count = countOf(input.spec.shape);
      const codes = { from: elementCode(input.spec.dtype), to: elementCode(dtype), isBool: Number(dtype === "bool") };
      b.step(
        "convert",
        ConvertDesc,
        { xPtr: input.ref, yPtr: b.output.ref, count, ...codes },
        Math.ceil(count / CHUNK),
      );
    },
  });
}
