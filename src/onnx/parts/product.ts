// Products of two matrices that a run computes, and casts.
import { ELEMENT_TYPES } from "../file/element-type.js";
import { type FormDescription, formed, isSingle, needed } from "./assembly.js";

/** alpha A B + beta C of two matrices that a run computes. */
const gemm: FormDescription = (a, inputs) => {
  const [x, w] = [needed(inputs, 0, "A"), needed(inputs, 1, "B")];
  if (![x, w, inputs[2] ?? x].every(isSingle) || x.shape.length !== 2 || w.shape.length !== 2) return undefined;
  const turned = (i: number, name: string) =>
    a.c.int(name, 0) === 1 ? a.add("Transpose", [String(i)], { perm: [1, 0] }) : String(i);
  const times = (y: string, factor: number) => (factor === 1 ? y : a.add("Mul", [y, a.number(factor)]));
  const product = times(a.add("MatMul", [turned(0, "transA"), turned(1, "transB")]), a.c.float("alpha", 1));
  return [inputs[2] ? a.add("Add", [product, times("2", a.c.float("beta", 1))]) : product];
};

/** To types that layers of float32 do not hold, and between others. */
const cast: FormDescription = (a, inputs) => {
  const { type } = needed(inputs, 0, "input");
  if (a.c.opset < 6) return undefined; // it spells the type
  const to = ELEMENT_TYPES[a.c.int("to", 0)];
  const isKnown = (name: string | undefined) => /^(float32|int32|int64|uint8|int8|bool)$/.test(name ?? "");
  return isKnown(type) && isKnown(to) ? a.node("Convert", ["0"], a.c.node.attributes) : undefined;
};

export const GEMM_FORMS = formed({ Gemm: gemm, Cast: cast });
