// Maxima over windows, with their places: see assembly/kernels/pool-places.ts.
import { countOf } from "../../base/shape.js";
import { makeSpec, type TensorSpec } from "../../base/spec.js";
import { PoolPlacesDesc } from "../../kernels/gen/rare/pool-places-desc.js";
import { defineOperator, type Operator, requireFloat } from "../../ops/operator.js";
import { contiguousInput } from "../../ops/parts/strided.js";
import type { WindowAxis } from "../semantics/windows.js";

/** Over up to three axes; outputs are contiguous. */
export function poolPlaces(axes: readonly WindowAxis[]): Operator {
  const still = { size: 1, taps: 1, stride: 1, dilation: 1, before: 0, out: 1 };
  const [d, h, w] = [still, still, ...axes].slice(-3) as [WindowAxis, WindowAxis, WindowAxis];
  return defineOperator({
    name: "MaxPool",
    inputs: ["input"],
    outputs: ["values", "places"],
    infer({ input }: { input: TensorSpec }) {
      requireFloat("input", input);
      const shape = [...input.shape.slice(0, 2), ...axes.map(({ out }) => out)];
      return {
        outputs: (["float32", "int64"] as const).map((dtype) => makeSpec(shape, dtype, "contiguous", "output")),
      };
    },
    lower(b, { input }) {
      const [values, places] = b.outputs as [(typeof b.outputs)[number], (typeof b.outputs)[number]];
      const fields = {
        xPtr: contiguousInput(b, input),
        yPtr: values.ref,
        placesPtr: places.ref,
        depth: d.size,
        height: h.size,
        width: w.size,
        outD: d.out,
        outH: h.out,
        outW: w.out,
        kernelD: d.taps,
        kernelH: h.taps,
        kernelW: w.taps,
        strideD: d.stride,
        strideH: h.stride,
        strideW: w.stride,
        dilationD: d.dilation,
        dilationH: h.dilation,
        dilationW: w.dilation,
        padFront: d.before,
        padTop: h.before,
        padLeft: w.before,
      };
      b.step("max_pool_places_f32", PoolPlacesDesc, fields, countOf(input.spec.shape.slice(0, 2)));
    },
  });
}
