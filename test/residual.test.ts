// A residual added in the store, out = activation(conv + bias + residual): every algorithm, both memory formats, all
// binaries; into another tensor, and in place into the residual itself.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convShape } from "../src/base/shape.js";
import { type Runtime, ShapeError } from "../src/index.js";
import { CONV_ROWS } from "../src/kernels/table.js";
import { BINARIES } from "./binaries.js";
import { CONV_CASES, convShapes, showCase } from "./cases.js";
import { preparedConv } from "./conv-prepared.js";
import { fill } from "./random.js";
import { abs, activations, add, conv1d, relu } from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";
import { dotTolerance, expectClose, expectExact, normTolerance, TRANSFORM_FACTORS } from "./tolerance.js";

/** As in conv2d.test.ts. */
const SLOPE = 1.5;
const MOST_GROUPS = 64;
/** Of the table's cases those with several reduction blocks, groups, tails of every kind, and activations that are no clamp. */
const CASES = CONV_CASES.filter(
  ({ name, R, activation }, i) => R < 13 && (i % 4 === 1 || activation === "silu" || /600|521|depthwise/.test(name)),
);

describe.each(BINARIES)("residual on the $name binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0, livePlans: 0 });
    rt.dispose();
  });

  const rows = CONV_ROWS.flatMap((row) =>
    CASES.filter((c) => row.accepts(convShape(convShapes(c).x, convShapes(c).weight, c)) === true)
      // One group a channel of so many is what the depthwise kernel has tiles for; to the others it is groups like any.
      .filter((c) => c.groups <= MOST_GROUPS || row.algorithm === "depthwise")
      .map((c) => [row.algorithm, showCase(c), c] as const),
  );
  it("has cases of every algorithm", () => expect(new Set(rows.map(([algorithm]) => algorithm)).size).toBe(8));

  it.each(rows)("%s: %s", (algorithm, label, c) => {
    const shapes = convShapes(c);
    const { x, w, b, ...prepared } = preparedConv(c);
    const r = fill(shapes.y, `${c.name} r`);
    const expected = activations[c.activation](add(prepared.sums, refOf(r, shapes.y)));
    const magnitude = add(prepared.magnitude, abs(refOf(r, shapes.y)));
    const factor = TRANSFORM_FACTORS[algorithm];
    const tolerance = (
      factor === undefined
        ? dotTolerance(shapes.reduction + 1, magnitude)
        : normTolerance(shapes.reduction + 1, magnitude, factor)
    ).map((t, i) => SLOPE * t + 4e-7 * Math.abs(expected.data[i] as number));
    const { stride, padding, dilation, groups, activation } = c;
    const options = { stride, padding, dilation, groups, activation, algorithm };
    for (const memoryFormat of FORMATS) {
      using input = tensorOf(rt, x, shapes.x, memoryFormat);
      using weight = rt.tensor(w, shapes.weight);
      using bias = b ? rt.tensor(b, shapes.bias) : null;
      using residual = tensorOf(rt, r, shapes.y, memoryFormat);
      using y = rt.conv2d(input, weight, bias, { ...options, residual });
      const plain = { ...options, input: shapes.x, weight, bias, memoryFormat };
      expectClose(y.toArray() as Float32Array, expected, tolerance, `${label} ${memoryFormat}`);
      expectExact(residual.toArray(), r, `${label} ${memoryFormat} residual`);
      using plan = rt.plan.conv2d({ ...plain, residual: shapes.y });
      plan.run(input, residual, residual);
      expectExact(residual.data, y.data, `${label} ${memoryFormat} in place`);
    }
  });

  it("conv1d and separableConv2d", () => {
    const x = fill([2, 6, 9], "x");
    const w = fill([5, 6, 3], "w");
    const r = fill([2, 5, 9], "r");
    const expected = relu(
      add(conv1d(refOf(x, [2, 6, 9]), refOf(w, [5, 6, 3]), null, { padding: [1, 1] }), refOf(r, [2, 5, 9])),
    );
    for (const format of FORMATS) {
      using line = tensorOf(rt, x, [2, 6, 9], format);
      using weight = rt.tensor(w, [5, 6, 3]);
      using residual = tensorOf(rt, r, [2, 5, 9], format);
      using y = rt.conv1d(line, weight, null, { padding: 1, activation: "relu", residual });
      expectClose(y.toArray() as Float32Array, expected, 2e-5, `conv1d ${format}`);

      using image = tensorOf(rt, x, [1, 3, 6, 6], format);
      using depthwise = rt.tensor(fill([3, 1, 3, 3], "d"), [3, 1, 3, 3]);
      using pointwise = rt.tensor(fill([5, 3, 1, 1], "p"), [5, 3, 1, 1]);
      using other = tensorOf(rt, fill([1, 5, 6, 6], "r"), [1, 5, 6, 6], format);
      using fused = rt.separableConv2d(image, depthwise, pointwise, null, null, { padding: 1, residual: other });
      using bare = rt.separableConv2d(image, depthwise, pointwise, null, null, { padding: 1 });
      using sum = rt.add(bare, other);
      expectClose(fused.toArray() as Float32Array, refOf(sum.toArray() as Float32Array, sum.shape), 1e-6, format);
    }
  });

  it("refuses a residual that is not as the output, and an output that is the input", () => {
    using x = rt.zeros([1, 4, 6, 6]);
    using w = rt.zeros([4, 4, 3, 3]);
    const before = rt.report();
    for (const [shape, memoryFormat] of [
      [[1, 4, 6, 5], "contiguous"],
      [[1, 4, 6, 6], "channelsLast"],
    ] as const) {
      using residual = rt.zeros(shape, { memoryFormat });
      expect(() => rt.conv2d(x, w, null, { padding: 1, residual })).toThrow(ShapeError);
      expect(() => rt.conv2d(x, w, null, { padding: 1, residual })).toThrow(
        `"residual" expected float32 [1, 4, 6, 6] contiguous, got float32 [${shape.join(", ")}] ${memoryFormat}`,
      );
    }
    expect(() => rt.conv2d(x, w, null, { padding: 1, residual: [1] as never })).toThrow(/"residual" expected a tensor/);
    expect(rt.report().bytesInUse).toBe(before.bytesInUse);
    using none = rt.conv2d(x, w, null, { residual: null });
    expect(none.shape).toEqual([1, 4, 4, 4]);
    using plan = rt.plan.conv2d({ input: [1, 4, 6, 6], weight: w, residual: [1, 4, 6, 6], padding: 1 });
    using r = rt.zeros([1, 4, 6, 6]);
    expect(() => plan.run(x, r, x)).toThrow(/"output 0" expected a tensor of its own, got an input/);
    expect(() => plan.run(x, x, x)).toThrow(/"output 0" expected a tensor of its own, got an input/);
  });
});
