// Where the taps of windows lie in an image.
import { countOf } from "../../base/shape.js";
import type { Budgeted } from "../file/budget.js";
import type { WindowAxis } from "../semantics/windows.js";
import { make } from "./make.js";

/** The taps of each output position that lie inside the image: calls f(output, tap, input) with flat positions. */
function eachTap(axes: readonly WindowAxis[], f: (output: number, tap: number, input: number) => void): void {
  const outs = countOf(axes.map((axis) => axis.out));
  const taps = countOf(axes.map((axis) => axis.taps));
  for (let o = 0; o < outs; o++) {
    for (let t = 0; t < taps; t++) {
      let [restO, restT, at, step] = [o, t, 0, 1];
      for (let i = axes.length - 1; i >= 0 && at >= 0; i--) {
        const axis = axes[i] as WindowAxis;
        const position = (restO % axis.out) * axis.stride - axis.before + (restT % axis.taps) * axis.dilation;
        at = position < 0 || position >= axis.size ? -1 : at + position * step;
        step *= axis.size;
        restO = Math.floor(restO / axis.out);
        restT = Math.floor(restT / axis.taps);
      }
      if (at >= 0) f(o, t, at);
    }
  }
}

/** The input position of every tap of every output, -1 outside the image. */
export function positions(c: Budgeted, axes: readonly WindowAxis[]): { table: Int32Array; outs: number; taps: number } {
  const outs = countOf(axes.map((axis) => axis.out));
  const taps = countOf(axes.map((axis) => axis.taps));
  const table = (make(c, "int32", [outs, taps]).data as Int32Array).fill(-1);
  eachTap(axes, (o, t, at) => {
    table[o * taps + t] = at;
  });
  return { table, outs, taps };
}
