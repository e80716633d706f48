// Operators in JavaScript: eager, planned, and between the layers of a model.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createModel, Graph, type Runtime, ShapeError } from "../src/index.js";
import { BINARIES } from "./binaries.js";

const square = {
  outputs: [{ shape: [2, 3] }],
  compute: (inputs: readonly ArrayLike<unknown>[], outputs: readonly unknown[]) => {
    const [x, y] = [inputs[0] as Float32Array, outputs[0] as Float32Array];
    for (let i = 0; i < y.length; i++) y[i] = (x[i] as number) ** 2;
  },
};

describe.each(BINARIES)("custom operators on the '$name' binary", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it("answer one tensor, or several by number", () => {
    using x = rt.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    using y = rt.custom([x], square);
    expect(y.toArray()).toEqual(Float32Array.of(1, 4, 9, 16, 25, 36));
    const both = rt.custom([x], {
      outputs: [{ shape: [2] }, { shape: [1], dtype: "int64" }],
      compute: ([a], [sums, count]) => {
        const data = a as Float32Array;
        (sums as Float32Array).set([data.slice(0, 3), data.slice(3)].map((row) => row.reduce((p, q) => p + q, 0)));
        (count as BigInt64Array)[0] = BigInt(data.length);
      },
    }) as unknown as Record<string, typeof x>;
    expect(both["0"]?.toArray()).toEqual(Float32Array.of(6, 15));
    expect(both["1"]?.toArray()).toEqual(BigInt64Array.of(6n));
    both["0"]?.dispose();
    both["1"]?.dispose();
  });

  it("see logical order whatever the memory format, and run between kernels", () => {
    const before = rt.report().bytesInUse;
    const g = new Graph();
    const image = g.input("image", [1, 2, 2, 2]); // a model keeps it channels-last
    const seen: number[][] = [];
    const middle = g.custom([g.relu(image)], {
      outputs: [{ shape: [1, 2, 2, 2] }],
      compute: ([x], [y]) => {
        seen.push([...(x as Float32Array)]);
        (y as Float32Array).set((x as Float32Array).toReversed());
      },
    });
    g.output("y", g.add(middle, middle));
    const model = createModel(rt, g, {});
    using x = rt.tensor([1, -2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]);
    for (let i = 0; i < 2; i++) {
      expect(model.run({ image: x })["y"]?.toArray()).toEqual(Float32Array.of(16, 14, 12, 10, 8, 6, 0, 2));
    }
    expect(seen[0]).toEqual([1, 0, 3, 4, 5, 6, 7, 8]);
    model.dispose();
    x.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });

  it("are refused with bad options, and leave nothing behind when they throw", () => {
    using x = rt.zeros([2]);
    const before = rt.report();
    const call = (options: object) => () => rt.custom([x], options as never);
    expect(call({ outputs: [{ shape: [1] }] })).toThrow(new TypeError('"compute" expected a function, got undefined'));
    expect(call({ compute() {}, outputs: [] })).toThrow(TypeError);
    expect(call({ compute() {}, outputs: [{ shape: [0] }] })).toThrow(RangeError);
    expect(call({ compute() {}, outputs: [{ shape: [1], type: "x" }] })).toThrow(TypeError);
    const failing = () => {
      throw new ShapeError("mine");
    };
    expect(call({ compute: failing, outputs: [{ shape: [4] }] })).toThrow(new ShapeError("mine"));
    expect(rt.report()).toEqual({ ...before, peakBytes: expect.any(Number) });
  });
});
