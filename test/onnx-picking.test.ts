// Elements at indices that a run brings, on kernels: Gather, GatherElements and GatherND against their definitions.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import * as naive from "./naive.js";
import { type Attribute, onnxFile } from "./onnx-file.js";
import { random } from "./random.js";

type Shape = readonly number[];
const ARRAYS = { float32: Float32Array, int64: BigInt64Array, uint8: Uint8Array, int32: Int32Array } as const;
const CODES = { float32: 1, uint8: 2, int32: 6, int64: 7 } as const;
type TypeName = keyof typeof ARRAYS;

const countOf = (shape: Shape) => shape.reduce((product, size) => product * size, 1);
const offsetOf = (shape: Shape, index: Shape) =>
  index.reduce((at, value, i) => {
    const size = shape[i] as number;
    return at * size + (value < 0 ? value + size : value);
  }, 0);

interface Case {
  readonly op: "Gather" | "GatherElements" | "GatherND";
  readonly x: Shape;
  readonly at: Shape;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** From so many elements from the end. */
  readonly sizes: readonly number[];
  /** Where in x an output comes from. */
  readonly from: (index: Shape, at: (...index: number[]) => number) => Shape;
  readonly y: Shape;
}

const CASES: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    [0, 1, 2].map((axis) => {
      const x = [3, 7, 5];
      const y = [...x.slice(0, axis), 2, 4, ...x.slice(axis + 1)];
      const from: Case["from"] = (i, at) => [
        ...i.slice(0, axis),
        at(i[axis] as number, i[axis + 1] as number),
        ...i.slice(axis + 2),
      ];
      return [
        `Gather along axis ${axis}`,
        { op: "Gather", x, at: [2, 4], attributes: { axis }, sizes: [x[axis]], from, y },
      ];
    }),
  ),
  "Gather of one": { op: "Gather", x: [3, 70], at: [], sizes: [3], from: ([j = 0], at) => [at(), j], y: [70] },
  "Gather of many": { op: "Gather", x: [9], at: [5000], sizes: [9], from: ([i = 0], at) => [at(i)], y: [5000] },
  ...Object.fromEntries(
    [0, 1, 2].map((axis) => {
      const at = [3, 7, 5].with(axis, 9);
      const from: Case["from"] = (i, of) => i.with(axis, of(...i));
      return [
        `GatherElements along axis ${axis}`,
        {
          op: "GatherElements",
          x: [3, 7, 5],
          at,
          attributes: { axis: axis - 3 },
          sizes: [[3, 7, 5][axis]],
          from,
          y: at,
        },
      ];
    }),
  ),
  "GatherElements of many": {
    op: "GatherElements",
    x: [61, 83],
    at: [61, 83],
    attributes: { axis: 1 },
    sizes: [83],
    from: ([i = 0, j = 0], at) => [i, at(i, j)],
    y: [61, 83],
  },
  "GatherND of elements": {
    op: "GatherND",
    x: [4, 6],
    at: [2, 5, 2],
    sizes: [4, 6],
    from: ([i = 0, j = 0], at) => [at(i, j, 0), at(i, j, 1)],
    y: [2, 5],
  },
  "GatherND of runs": {
    op: "GatherND",
    x: [4, 6, 3, 23],
    at: [9, 2],
    sizes: [4, 6],
    from: ([i = 0, j = 0, k = 0], at) => [at(i, 0), at(i, 1), j, k],
    y: [9, 3, 23],
  },
  "GatherND in batches": {
    op: "GatherND",
    x: [2, 3, 4, 5],
    at: [2, 3, 6, 1],
    attributes: { batch_dims: 2 },
    sizes: [4],
    from: ([a = 0, b = 0, i = 0, j = 0], at) => [a, b, at(a, b, i, 0), j],
    y: [2, 3, 6, 5],
  },
} as Record<string, Case>;

describe.each(BINARIES)("$name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(
    Object.keys(CASES).flatMap((name) =>
      (["float32", "uint8", "int64"] as const).flatMap((type) =>
        (["int64", "int32"] as const).map((whole) => [name, type, whole] as const),
      ),
    ),
  )("%s, %s at %s", async (name, type, whole) => {
    const { op, x, at, attributes = {}, sizes, from, y } = CASES[name] as Case;
    const { integer } = random(`${name} ${type}`);
    const make = (own: TypeName, shape: Shape, value: (i: number) => number) => {
      const values = Array.from({ length: countOf(shape) }, (_, i) => value(i));
      const data =
        own === "int64" ? BigInt64Array.from(values, BigInt) : (ARRAYS[own] as Uint8ArrayConstructor).from(values);
      return { data: data as unknown as Float32Array, shape };
    };
    const feeds = {
      x: make(type, x, () => integer(0, 250)),
      at: make(whole, at, (i) => {
        const size = sizes[i % sizes.length] as number;
        return integer(-size, size - 1);
      }),
    };
    const model = await loadOnnx(
      rt,
      onnxFile({
        nodes: [{ op, inputs: ["x", "at"], outputs: ["y"], attributes }],
        inputs: { x, at },
        types: { x: CODES[type], at: CODES[whole] },
        outputs: ["y"],
        opset: 18,
      }),
    );
    try {
      const answer = model.run(feeds)["y"];
      const index = (...i: number[]) => Number(feeds.at.data[offsetOf(at, i)]);
      const wanted = [...naive.indices(y)].map((i) => feeds.x.data[offsetOf(x, from(i, index))]);
      expect(answer?.shape).toEqual(y);
      const got = [...(answer?.toArray() ?? [])];
      expect(got.findIndex((value, i) => (value as unknown) !== wanted[i])).toBe(-1);
      expect(got.length).toBe(wanted.length);
      // A single number may decide sizes: such a file is planned at its first run, and JavaScript does the rest of it.
      const rest = model.summary().rows.filter(({ reason }) => reason === "JavaScript");
      expect(rest.length).toBe(at.length === 0 ? 1 : 0);
      // Of several that are none, the first; nothing is lost by it.
      const size = sizes.at(-1) as number;
      for (const wrong of [size, -size - 1, ...(whole === "int64" ? [2 ** 32, -(2 ** 40)] : [2 ** 31 - 1])]) {
        const data = feeds.at.data.slice() as unknown as (number | bigint)[];
        const place = sizes.length === 2 ? 3 : Math.floor(data.length / 2);
        data[place] = whole === "int64" ? BigInt(wrong) : wrong;
        if (data.length > place + 2) data[data.length - 1] = whole === "int64" ? 1000n : 1000;
        const message = `(${op}): "indices" expected from ${-size} to ${size - 1}, got ${wrong}`;
        expect(() => model.run({ ...feeds, at: { data: data as unknown as Float32Array, shape: at } })).toThrow(
          message,
        );
      }
      expect([...(model.run(feeds)["y"]?.toArray() ?? [])].length).toBe(wanted.length);
    } finally {
      model.dispose();
    }
  });
});
