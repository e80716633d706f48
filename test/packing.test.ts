// Weights on their way into panels: matrices as a file has them, folded factors, pieces, and memory that held something else.

import { PbfWriter } from "pbf";
import { describe, expect, it } from "vitest";
import { convShape } from "../src/base/shape.js";
import type { Runtime } from "../src/index.js";
import { CONV_ROWS } from "../src/kernels/table.js";
import { loadOnnx, readTensorFile } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Node, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";
import { build } from "./reference.js";
import { dotTolerance } from "./tolerance.js";

/** What may lie around a product: x is scaled and shifted by column before it, the sum by column behind it. */
const AROUND = { none: [false, false], before: [true, false], behind: [false, true], both: [true, true] } as const;

/** x [rows, K] times w [K, N], or Gemm by w as it lies. */
async function product(rt: Runtime, op: string, [rows, K, N]: readonly number[], around: keyof typeof AROUND) {
  const [isBefore, isBehind] = AROUND[around];
  const sizes = { w: [K, N], scale: [K], shift: [K], by: [N], bias: [N] } as Record<string, number[]>;
  const constants = Object.fromEntries(
    Object.entries(sizes).map(([name, dims]) => [name, { dims, data: fill(dims, name) }]),
  );
  const nodes: Node[] = [];
  let last = "x";
  const add = (kind: string, name: string) => {
    nodes.push({ op: kind, inputs: [last, name], outputs: [`${last}.${name}`] });
    last = `${last}.${name}`;
  };
  if (isBefore) add("Mul", "scale");
  if (isBefore) add("Add", "shift");
  add(op, "w");
  if (isBehind) add("Mul", "by");
  if (isBehind) add("Add", "bias");
  const used = nodes.map(({ inputs }) => inputs[1] as string);
  const file = onnxFile({
    nodes,
    inputs: { x: [rows as number, K as number] },
    outputs: [last],
    constants: Object.fromEntries(used.map((name) => [name, constants[name] as never])),
  });
  const model = await loadOnnx(rt, file);
  const x = fill([rows as number, K as number], "x");
  using input = rt.tensor(x, [rows as number, K as number]);
  const actual = model.run({ x: input })[last]?.toArray() as Float32Array;
  const layers = model.summary().rows.length;
  model.dispose();

  const of = (name: string, i: number) => (constants[name] as { data: Float32Array }).data[i] as number;
  const sum = (magnitude: (value: number) => number) =>
    build([rows as number, N as number], (row, n) => {
      let total = 0;
      for (let k = 0; k < (K as number); k++) {
        const value = x[row * (K as number) + k] as number;
        const w = of("w", k * (N as number) + n);
        total += isBefore
          ? magnitude(value * of("scale", k) * w) + magnitude(of("shift", k) * w)
          : magnitude(value * w);
      }
      return isBehind ? magnitude(total) * magnitude(of("by", n)) + magnitude(of("bias", n)) : total;
    });
  return { actual, layers, expected: sum((v) => v), magnitude: sum(Math.abs) };
}

describe.each(BINARIES)("packing on the '$name' binary", ({ name, create }) => {
  const shapes = [
    [1, 1, 5],
    [2, 13, 21],
    [7, 5, 1],
    [3, 700, 24],
    [9, 700, 24],
    [5, 1100, 83],
    [2, 300, 260],
  ];

  it.each(["MatMul", "Gemm"])("takes the matrix of %s as it lies, with the factors around it", async (op) => {
    using rt = await create();
    const before = rt.report().bytesInUse;
    for (const shape of shapes) {
      for (const around of Object.keys(AROUND) as (keyof typeof AROUND)[]) {
        const { actual, layers, expected, magnitude } = await product(rt, op, shape, around);
        const bounds = dotTolerance(2 * (shape[1] as number) + 4, magnitude);
        const worst = expected.data.findIndex(
          (value, i) => !(Math.abs((actual[i] as number) - value) <= (bounds[i] as number)),
        );
        expect(worst, `${shape} ${around}`).toBe(-1);
        expect(layers, `${shape} ${around}`).toBe(1); // all of it is in the weights
      }
    }
    expect(rt.report().bytesInUse).toBe(before);
  });

  it("reads nothing of what its memory held before", async () => {
    using clean = await create();
    using used = await create();
    for (const [input, weight, groups] of [
      [[1, 13, 9, 11], [21, 13, 3, 3], 1],
      [[2, 20, 7, 7], [20, 1, 3, 3], 20],
      [[1, 12, 8, 8], [30, 4, 3, 3], 3],
      [[1, 300, 5, 5], [9, 300, 1, 1], 1],
    ] as const) {
      const shape = convShape(input, weight, { padding: "same", groups });
      for (const row of CONV_ROWS) {
        if (row.accepts(shape) !== true) continue;
        const [expected, actual] = [clean, used].map((rt) => {
          if (rt === used) rt.tensor(new Float32Array(2 ** 20).fill(Number.NaN), [2 ** 20]).dispose();
          using x = rt.tensor(fill(input, "x"), input);
          using w = rt.tensor(fill(weight, "w"), weight);
          using y = rt.conv2d(x, w, null, { padding: "same", groups, algorithm: row.algorithm });
          return Buffer.from(y.toArray().buffer);
        }) as [Buffer, Buffer];
        expect(actual.equals(expected), `${name} ${row.algorithm} ${weight}`).toBe(true);
      }
    }
  });
});

describe("a TensorProto's float_data", () => {
  const FLOAT = 1;
  /** dims, data_type, then float_data in runs, or one by one where a run is a number. */
  const file = (dims: readonly number[], ...runs: (readonly number[] | number)[]) => {
    const pbf = new PbfWriter();
    pbf.writePackedVarint(1, [...dims]);
    pbf.writeVarintField(2, FLOAT);
    for (const run of runs) {
      if (typeof run === "number") pbf.writeFloatField(4, run);
      else pbf.writePackedFloat(4, [...run]);
    }
    return pbf.finish();
  };
  const many = Array.from({ length: 40 }, (_, i) => i / 4 - 3);

  it.each([
    ["one run", [many]],
    ["two runs", [many.slice(0, 7), many.slice(7)]],
    ["one by one", many],
    ["a run, then one by one", [many.slice(0, 38), 6.5, 6.75]],
    ["an empty run first", [[], many]],
  ] as const)("is read in %s", (_, runs) => {
    const { shape, data } = readTensorFile(file([5, 8], ...runs));
    expect(shape).toEqual([5, 8]);
    expect(Array.from(data as Float32Array)).toEqual(many);
  });

  it("is refused where elements are missing or cut", () => {
    expect(() => readTensorFile(file([41], many))).toThrow(/expected 41 elements for float32 \[41\], got 40$/);
    const cut = file([2], [1, 2]);
    cut[cut.length - 9] = 7; // the run's length, a byte less
    expect(() => readTensorFile(cut.subarray(0, -1))).toThrow(/a list ends inside an element/);
  });
});
