// Images sampled at fractional places, on kernels: GridSample and RoiAlign against their definitions.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Attribute, integers, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";

type Ref = reference.Ref;

interface Case {
  readonly op: "GridSample" | "RoiAlign";
  readonly x: readonly number[];
  readonly places: Ref;
  readonly images?: readonly number[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly expected: (x: Ref) => Ref;
}

const single = (shape: readonly number[], values: ArrayLike<number>): Ref =>
  reference.ref(shape, Float32Array.from(values));

/** Flipped at either edge until it lies between them. */
function flipped(at: number, low: number, high: number): number {
  if (low === high) return low;
  let place = at;
  while (place < low || place > high) place = place < low ? 2 * low - place : 2 * high - place;
  return place;
}

const evenly = (x: number) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
const keys = (x: number) => {
  const d = Math.abs(x);
  if (d <= 1) return 1.25 * d ** 3 - 2.25 * d ** 2 + 1;
  return d < 2 ? -0.75 * (d ** 3 - 5 * d ** 2 + 8 * d - 4) : 0;
};

/** One output by the standard's words: an element outside is 0, the nearest there is, or the mirrored one. */
function grid(x: Ref, places: Ref, mode: string, padding: string, isAligned: boolean): Ref {
  const [N = 0, C = 0, H = 0, W = 0] = x.shape;
  const mirrored = (at: number, size: number) =>
    padding === "reflection" ? (isAligned ? flipped(at, 0, size - 1) : flipped(at, -0.5, size - 0.5)) : at;
  const inside = (at: number, size: number) =>
    padding === "zeros" ? at : Math.min(size - 1, Math.max(0, Math.round(mirrored(at, size))));
  const pixel = (n: number, c: number, row: number, column: number) => {
    const [i, j] = [inside(row, H), inside(column, W)];
    return i >= 0 && i < H && j >= 0 && j < W ? reference.at(x, n, c, i, j) : 0;
  };
  const [, P = 0, Q = 0] = places.shape;
  return reference.build([N, C, P, Q], (n = 0, c = 0, p = 0, q = 0) => {
    const [z, y] = [0, 1].map((axis) => {
      const size = axis === 0 ? W : H;
      const g = reference.at(places, n, p, q, axis);
      const raw = isAligned ? ((g + 1) / 2) * (size - 1) : ((g + 1) * size - 1) / 2;
      return mode === "cubic" ? raw : mirrored(padding === "border" ? Math.min(size - 1, Math.max(0, raw)) : raw, size);
    }) as [number, number];
    if (mode === "nearest") return pixel(n, c, evenly(y), evenly(z));
    const reach = mode === "linear" ? [0, 1] : [-1, 0, 1, 2];
    const weight = mode === "linear" ? (d: number) => Math.max(0, 1 - Math.abs(d)) : keys;
    let sum = 0;
    for (const i of reach)
      for (const j of reach) {
        const [row, column] = [Math.floor(y) + i, Math.floor(z) + j];
        sum += weight(y - row) * weight(z - column) * pixel(n, c, row, column);
      }
    return sum;
  });
}

interface Boxes {
  readonly rows: number;
  readonly columns: number;
  readonly scale: number;
  readonly ratio: number;
  readonly isHalf: boolean;
  readonly isMax: boolean;
}

function boxed(x: Ref, rois: Ref, images: readonly number[], of: Boxes): Ref {
  const [, C = 0, H = 0, W = 0] = x.shape;
  const { rows, columns, scale, isHalf, isMax } = of;
  const offset = isHalf ? 0.5 : 0;
  return reference.build([rois.shape[0] as number, C, rows, columns], (r = 0, c = 0, p = 0, q = 0) => {
    const [x1, y1, x2, y2] = [0, 1, 2, 3].map((i) => reference.at(rois, r, i) * scale - offset) as [
      number,
      number,
      number,
      number,
    ];
    const width = (isHalf ? x2 - x1 : Math.max(1, x2 - x1)) / columns;
    const height = (isHalf ? y2 - y1 : Math.max(1, y2 - y1)) / rows;
    const [nx, ny] = of.ratio ? [of.ratio, of.ratio] : [Math.ceil(width), Math.ceil(height)];
    const parts: number[] = [];
    let sum = 0;
    for (let i = 0; i < ny; i++)
      for (let j = 0; j < nx; j++) {
        const y = y1 + (p + (i + 0.5) / ny) * height;
        const z = x1 + (q + (j + 0.5) / nx) * width;
        if (y < -1 || y > H || z < -1 || z > W) {
          parts.push(0);
          continue;
        }
        const [row, column] = [Math.min(Math.max(y, 0), H - 1), Math.min(Math.max(z, 0), W - 1)];
        for (const dy of [0, 1])
          for (const dz of [0, 1]) {
            const [top, left] = [Math.floor(row) + dy, Math.floor(column) + dz];
            const weight = (1 - Math.abs(row - top)) * (1 - Math.abs(column - left));
            const part = weight * reference.at(x, images[r] as number, c, Math.min(top, H - 1), Math.min(left, W - 1));
            parts.push(part);
            sum += part;
          }
      }
    return isMax ? Math.max(...(parts.length > 0 ? parts : [0])) : sum / Math.max(1, nx * ny);
  });
}

function cases(): Record<string, Case> {
  const all: Record<string, Case> = {};
  const shapes: readonly (readonly number[])[] = [
    [2, 9, 5, 7],
    [1, 1, 4, 3],
    [1, 23, 1, 6],
  ];
  for (const x of shapes)
    for (const mode of ["nearest", "linear", "cubic"])
      for (const padding of ["zeros", "border", "reflection"])
        for (const isAligned of [false, true]) {
          const shape = [x[0] as number, 3, 5, 2];
          // Some lie far outside, some on elements.
          const places = single(
            shape,
            fill(shape, `${x} ${mode}`).map((v, i) => (i % 7 === 0 ? Math.round(v) : i % 5 === 0 ? 3 * v : 1.2 * v)),
          );
          all[`GridSample of [${x}], ${mode}, ${padding}${isAligned ? ", corners aligned" : ""}`] = {
            op: "GridSample",
            x,
            places,
            attributes: { mode, padding_mode: padding, align_corners: Number(isAligned) },
            expected: (image) => grid(image, places, mode, padding, isAligned),
          };
        }
  for (const x of shapes.slice(0, 2))
    for (const ratio of [0, 1, 3])
      for (const isHalf of [false, true])
        for (const isMax of [false, true]) {
          const images = [0, (x[0] as number) - 1, 0, 0];
          // The second lies in part outside, the third wholly, the last is thin.
          const places = single([4, 4], [1.3, 0.4, 9.1, 7.7, -6, -4.5, 11, 9, 40, 40, 60, 60, 2, 2, 2.4, 6]);
          const of = { rows: 2, columns: 3, scale: 0.5, ratio, isHalf, isMax };
          all[`RoiAlign of [${x}], ${ratio} places${isHalf ? ", half" : ""}${isMax ? ", largest" : ""}`] = {
            op: "RoiAlign",
            x,
            places,
            images,
            attributes: {
              output_height: 2,
              output_width: 3,
              spatial_scale: { float: 0.5 },
              sampling_ratio: ratio,
              coordinate_transformation_mode: isHalf ? "half_pixel" : "output_half_pixel",
              mode: isMax ? "max" : "avg",
            },
            expected: (image) => boxed(image, places, images, of),
          };
        }
  // More corners than are summed at once, and all of them negative.
  const wide = single([1, 4], [0, 0, 11, 11]);
  for (const isMax of [false, true])
    all[`RoiAlign of a large bin${isMax ? ", largest" : ""}`] = {
      op: "RoiAlign",
      x: [1, 6, 12, 12],
      places: wide,
      images: [0],
      attributes: { mode: isMax ? "max" : "avg" },
      expected: (image) => boxed(image, wide, [0], { rows: 1, columns: 1, scale: 1, ratio: 0, isHalf: true, isMax }),
    };
  return all;
}

const CASES = cases();

describe.each(BINARIES)("$name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(Object.keys(CASES))("%s", async (name) => {
    const { op, x, places, images, attributes, expected } = CASES[name] as Case;
    const data = fill(x, name).map((v) => (name.includes("large bin") ? v - 2 : v));
    const model = await loadOnnx(
      rt,
      onnxFile({
        nodes: [{ op, inputs: ["x", "places", ...(images ? ["images"] : [])], outputs: ["y"], attributes }],
        inputs: { x, places: places.shape },
        constants: images ? { images: integers(...images) } : {},
        outputs: ["y"],
        opset: 20,
      }),
    );
    try {
      const { y } = model.run({
        x: { data, shape: x },
        places: { data: Float32Array.from(places.data), shape: places.shape },
      });
      const wanted = expected(reference.ref(x, data));
      expect(y?.shape).toEqual(wanted.shape);
      const off = [...(y?.toArray() ?? [])].map((value, i) => Math.abs(Number(value) - (wanted.data[i] as number)));
      expect(off.findIndex((error) => !(error < 3e-6 * 3))).toBe(-1);
      expect(model.summary().rows.filter(({ reason }) => reason === "JavaScript")).toEqual([]);
    } finally {
      model.dispose();
    }
  });

  it("places that are no numbers weigh nothing, and boxes without an image are refused", async () => {
    const file = (op: string, shape: readonly number[], more: readonly string[], attributes = {}) =>
      onnxFile({
        nodes: [{ op, inputs: ["x", "places", ...more], outputs: ["y"], attributes }],
        inputs: { x: [2, 3, 4, 4], places: shape, ...(more.length > 0 && { images: [2] }) },
        types: more.length > 0 ? { images: 7 } : {},
        outputs: ["y"],
        opset: 20,
      });
    const x = { data: fill([2, 3, 4, 4], "x"), shape: [2, 3, 4, 4] };
    const sampler = await loadOnnx(rt, file("GridSample", [2, 1, 2, 2], [], { padding_mode: "reflection" }));
    const far = [Number.NaN, 0, Number.POSITIVE_INFINITY, 0, 0, Number.NEGATIVE_INFINITY, 1e30, Number.NaN];
    const { y } = sampler.run({ x, places: { data: Float32Array.from(far), shape: [2, 1, 2, 2] } });
    expect([...(y?.toArray() ?? [])]).toEqual(new Array(12).fill(0));
    sampler.dispose();
    const boxes = await loadOnnx(rt, file("RoiAlign", [2, 4], ["images"]));
    const places = { data: Float32Array.of(0, 0, 2, 2, 0, 0, 2, 2), shape: [2, 4] };
    const of = (...images: bigint[]) =>
      boxes.run({ x, places, images: { data: BigInt64Array.from(images), shape: [2] } })["y"];
    const message = /^node "RoiAlign-y" \(RoiAlign\): "batch_indices" expected from 0 to 1, got/;
    for (const wrong of [2n, -1n, 2n ** 32n, 2n ** 62n]) expect(() => of(0n, wrong)).toThrow(message);
    expect(of(0n, 1n)?.shape).toEqual([2, 3, 1, 1]);
    boxes.dispose();
  });
});
