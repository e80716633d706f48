// Every convolution algorithm on every case it accepts, both memory formats, all binaries, against the float64 reference.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convShape } from "../src/base/shape.js";
import type { Runtime } from "../src/index.js";
import { CONV_ROWS } from "../src/kernels/table.js";
import { BINARIES } from "./binaries.js";
import { CONV_CASES, convShapes, showCase } from "./cases.js";
import { preparedConv } from "./conv-prepared.js";
import { activations } from "./reference.js";
import { FORMATS, tensorOf } from "./tensors.js";
import { dotTolerance, expectClose, normTolerance, TRANSFORM_FACTORS } from "./tolerance.js";

/** No activation is steeper than hardSwish at 1.5; its own rounding is a few units in the last place. */
const SLOPE = 1.5;

describe.each(BINARIES)("conv2d on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
    rt.dispose();
  });

  describe.each(CONV_ROWS)("$algorithm", (row) => {
    const accepted = CONV_CASES.filter((c) => {
      const { x, weight } = convShapes(c);
      return row.accepts(convShape(x, weight, c)) === true;
    });
    it("has cases", () => expect(accepted.length).toBeGreaterThan(3));

    it.each(accepted.map((c) => [showCase(c), c] as const))("%s", (label, c) => {
      const { x, w, b, sums, magnitude } = preparedConv(c);
      const expected = activations[c.activation](sums);
      const shapes = convShapes(c);
      const factor = TRANSFORM_FACTORS[row.algorithm];
      const tolerance = (
        factor === undefined
          ? dotTolerance(shapes.reduction, magnitude, 1)
          : normTolerance(shapes.reduction, magnitude, factor)
      ).map((t, i) => SLOPE * t + 4e-7 * Math.abs(expected.data[i] as number));
      for (const format of FORMATS) {
        using input = tensorOf(rt, x, shapes.x, format);
        using weight = tensorOf(rt, w, shapes.weight, format);
        using bias = b ? rt.tensor(b, shapes.bias) : null;
        const { stride, padding, dilation, groups, activation } = c;
        using y = rt.conv2d(input, weight, bias, {
          stride,
          padding,
          dilation,
          groups,
          activation,
          algorithm: row.algorithm,
        });
        expect(y.shape).toEqual(shapes.y);
        expect(y.memoryFormat).toBe(format);
        expectClose(y.toArray() as Float32Array, expected, tolerance, `${label} ${format}`);
      }
    });
  });
});
