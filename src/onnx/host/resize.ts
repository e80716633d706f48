// Resize and Upsample along any axes.
import { countOf } from "../../base/shape.js";
import type { ElementType } from "../file/element-type.js";
import { roundToType } from "../file/halves.js";
import { numbers, toNumbers } from "../file/plain-tensor.js";
import { isKept, resizePlan, tapsCost, tapsOf } from "../semantics/resize.js";
import { type HostOp, need } from "./context.js";
import { make } from "./make.js";

const resize: HostOp = (c, input, second, third, fourth) => {
  const x = need(input, "X");
  const plan = resizePlan(
    c,
    x.shape,
    [second, third, fourth].map((list) => list && toNumbers(list)),
  );
  const outside = c.float("extrapolation_value", 0);
  let data = Float64Array.from(x.data as ArrayLike<number>, Number);
  let shape: readonly number[] = x.shape;
  let missing: Uint8Array | undefined;
  plan.axes.forEach((axis, d) => {
    const size = shape[d] as number;
    if (isKept(plan, size, axis)) return;
    c.budget.spend(tapsCost(plan, axis));
    const taps = tapsOf(plan, size, axis);
    const next = shape.map((s, i) => (i === d ? axis.out : s));
    const inner = countOf(shape.slice(d + 1));
    const outer = countOf(shape.slice(0, d));
    c.budget.spend(inner * outer * taps.reduce((sum, { at }) => sum + at.length, 0));
    const to = make(c, "float64", next).data as Float64Array<ArrayBuffer>;
    const gone = make(c, "uint8", next).data as Uint8Array;
    for (let o = 0; o < outer; o++) {
      taps.forEach(({ at, weights }, j) => {
        for (let n = 0; n < inner; n++) {
          const p = (o * axis.out + j) * inner + n;
          let sum = 0;
          let isGone = at.length === 0 ? 1 : 0;
          for (let t = 0; t < at.length; t++) {
            const q = (o * size + (at[t] as number)) * inner + n;
            sum += (data[q] as number) * (weights[t] as number);
            if (missing?.[q]) isGone = 1;
          }
          to[p] = sum;
          gone[p] = isGone;
        }
      });
    }
    data = to;
    shape = next;
    missing = gone;
  });
  const out = make(c, x.type, shape);
  const toType = x.type.startsWith("float") || x.type === "bfloat16" ? Number : toInteger(x.type, plan.isAntialiased);
  for (let i = 0; i < data.length; i++) numbers(out)[i] = toType(missing?.[i] ? outside : (data[i] as number));
  return roundToType(out);
};

/**
 * Cut towards zero, as onnxruntime and the standard's reference do, but for what is antialiased, which onnxruntime and Pillow
 * round. In float32 first: 130 that sums of thirds leave 1e-14 short of it stay 130. What cubics overshoot is the largest.
 */
function toInteger(type: ElementType, isRounded: boolean): (value: number) => number {
  const bits = Number(type.match(/\d+/));
  const low = type.startsWith("u") ? 0 : -(2 ** (bits - 1));
  return (value) => {
    const real = Math.fround(value);
    return Math.max(low, Math.min(low + 2 ** bits - 1, isRounded ? Math.round(real) : Math.trunc(real)));
  };
}

const upsample: HostOp = (c, input, scales) => resize(c, input, scales);

export const RESIZE: Readonly<Record<string, HostOp>> = {
  Resize: resize,
  Upsample: upsample,
};
