// Products of bytes whose scale a run computes, as onnxruntime joins them in files that it saves. Taken apart again.
import { ModelError } from "../../base/errors.js";
import { type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import type { Part, Parts } from "../operators.js";
import { type Assembly, attributesOf, type Description, described, needed } from "./assembly.js";

const FLOAT32 = 1;

/** Throws ModelError for constant scales that are none. */
function checkScale(name: string, part: Part | PlainTensor | undefined): void {
  const wrong = part && "data" in part ? toNumbers(part).find((value) => !(value > 0 && value < Infinity)) : undefined;
  if (wrong !== undefined) throw new ModelError(`"${name}" expected a number > 0, got ${wrong}`);
}

/** Whole sums in float32, times a scale, and a bias. */
function scaled(a: Assembly, sums: string, scale: string, bias: string): string {
  const y = a.add("Mul", [a.add("Cast", [sums], { to: FLOAT32 }), scale]);
  return bias === "" ? y : a.add("Add", [y, bias]);
}

/** A, B, b_scale, b_zero_point, bias. */
const dynamicQuantizeMatMul: Description = (a, inputs) => {
  ["A", "B", "b_scale"].forEach((name, i) => {
    needed(inputs, i, name);
  });
  checkScale("b_scale", inputs[2]);
  const at = (i: number) => (inputs[i] ? String(i) : "");
  const [x, scale, zero] = a.node("DynamicQuantizeLinear", ["0"], attributesOf({}), 3) as [string, string, string];
  const sums = a.add("MatMulInteger", [x, "1", zero, at(3)]);
  return [scaled(a, sums, a.add("Mul", [scale, "2"]), at(4))];
};

/** A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias. */
const matMulIntegerToFloat: Description = (a, inputs) => {
  ["A", "B", "a_scale", "b_scale"].forEach((name, i) => {
    needed(inputs, i, name);
  });
  checkScale("a_scale", inputs[2]);
  checkScale("b_scale", inputs[3]);
  const at = (i: number) => (inputs[i] ? String(i) : "");
  const sums = a.add("MatMulInteger", ["0", "1", at(4), at(5)]);
  return [scaled(a, sums, a.add("Mul", ["2", "3"]), at(6))];
};

export const DYNAMIC: Readonly<Record<string, Parts>> = described({
  "com.microsoft.DynamicQuantizeMatMul": dynamicQuantizeMatMul,
  "com.microsoft.MatMulIntegerToFloat": matMulIntegerToFloat,
});
