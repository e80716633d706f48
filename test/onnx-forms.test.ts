// Forms of operators that no layer does as they stand: one and three axes, weights that a run computes, sums over letters, and what
// is a few of other operators. Against definitions; all of it on kernels.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import * as naive from "./naive.js";
import { type Attribute, type Constant, onnxFile, typed } from "./onnx-file.js";
import { fill } from "./random.js";
import * as reference from "./reference.js";

type Ref = reference.Ref;

interface Case {
  readonly op: string;
  /** Of inputs that a run brings; then of constants. */
  readonly shapes: readonly (readonly number[])[];
  readonly fixed?: readonly (readonly number[])[];
  readonly integers?: readonly number[];
  /** Scales of Resize, its third input. */
  readonly resized?: readonly number[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly opset?: number;
  /** Of the largest output. */
  readonly tolerance?: number;
  readonly expected: (...operands: Ref[]) => Ref;
}

const pads = (axes: readonly naive.Axis[]) =>
  [0, 1].flatMap((side) => axes.map(({ pads = [0, 0] }) => pads[side] as number));
/** Attributes of a window operator over such axes. */
const windows = (axes: readonly naive.Axis[]): Readonly<Record<string, Attribute>> => ({
  kernel_shape: axes.map(({ kernel }) => kernel),
  strides: axes.map(({ stride = 1 }) => stride),
  pads: pads(axes),
  ...(axes.some(({ dilation }) => dilation) && { dilations: axes.map(({ dilation = 1 }) => dilation) }),
  ...(axes.some(({ extra }) => extra) && { output_padding: axes.map(({ extra = 0 }) => extra) }),
});

const LINE: naive.Axis[] = [{ kernel: 3, stride: 2, pads: [1, 2] }];
const PLANE: naive.Axis[] = [
  { kernel: 3, stride: 2, pads: [1, 0], dilation: 2 },
  { kernel: 2, pads: [0, 1] },
];
const VOLUME: naive.Axis[] = [
  { kernel: 3, stride: 2, pads: [2, 1] },
  { kernel: 2, pads: [0, 1], stride: 2 },
  { kernel: 3, pads: [1, 1] },
];
const DILATED: naive.Axis[] = [
  { kernel: 2, dilation: 2, pads: [1, 1] },
  { kernel: 1 },
  { kernel: 2, stride: 3, dilation: 3 },
];

const image = (channels: number, axes: readonly naive.Axis[], batch = 2) => [
  batch,
  channels,
  ...[7, 6, 5].slice(0, axes.length),
];
const taps =
  (...channels: number[]) =>
  (axes: readonly naive.Axis[]) => [...channels, ...axes.map(({ kernel }) => kernel)];

/** A convolution, its bias or weights constant or not. */
function convolutions(): Record<string, Case> {
  const cases: Record<string, Case> = {};
  for (const [name, axes] of Object.entries({ line: LINE, plane: PLANE, volume: VOLUME, "dilated volume": DILATED })) {
    for (const [kind, groups, [channels, filters]] of [
      ["", 1, [5, 6]],
      [" in groups", 2, [6, 4]],
      [" depthwise", 5, [5, 5]],
    ] as const) {
      const w = taps(filters, channels / groups)(axes);
      const attributes = { ...windows(axes), group: groups };
      const expected = (x: Ref, weight: Ref, bias?: Ref) => naive.conv(x, weight, bias ?? null, axes, groups);
      const shape = image(channels, axes);
      cases[`Conv of a ${name}${kind}`] = { op: "Conv", shapes: [shape], fixed: [w, [filters]], attributes, expected };
      cases[`Conv of a ${name}${kind}, weights computed`] = {
        op: "Conv",
        shapes: [shape, w, [filters]],
        attributes,
        expected,
      };
    }
    const transposed = axes.map((axis) => ({ ...axis, extra: (axis.stride ?? 1) > 1 ? 1 : 0 }));
    for (const groups of [1, 2]) {
      const w = taps(4, 3)(axes);
      const attributes = { ...windows(transposed), group: groups };
      const expected = (x: Ref, weight: Ref, bias?: Ref) =>
        naive.convTranspose(x, weight, bias ?? null, transposed, groups);
      const shape = image(4, axes);
      const title = `ConvTranspose of a ${name}, groups ${groups}`;
      cases[title] = { op: "ConvTranspose", shapes: [shape], fixed: [w, [3 * groups]], attributes, expected };
      cases[`${title}, weights computed`] = { op: "ConvTranspose", shapes: [shape, w], attributes, expected };
    }
  }
  cases["Conv of an image, bias computed"] = {
    op: "Conv",
    shapes: [[1, 3, 5, 5], [4, 3, 2, 2], [4]],
    expected: (x, w, b) => naive.conv(x, w, b, [{ kernel: 2 }, { kernel: 2 }]),
  };
  return cases;
}

function pools(): Record<string, Case> {
  const cases: Record<string, Case> = {};
  for (const [name, axes] of Object.entries({ line: LINE, volume: VOLUME })) {
    const shapes = [image(5, axes)];
    for (const isCeil of [false, true]) {
      const attributes = { ...windows(axes), ceil_mode: Number(isCeil) };
      const title = `of a ${name}${isCeil ? ", to the end" : ""}`;
      cases[`MaxPool ${title}`] = {
        op: "MaxPool",
        shapes,
        attributes,
        expected: (x) => naive.maxPool(x, axes, { isCeil }),
      };
      for (const countsPadding of [false, true])
        cases[`AveragePool ${title}${countsPadding ? ", padding counted" : ""}`] = {
          op: "AveragePool",
          shapes,
          attributes: { ...attributes, count_include_pad: Number(countsPadding) },
          expected: (x) => naive.avgPool(x, axes, { isCeil, countsPadding }),
        };
    }
    const whole = image(5, axes)
      .slice(2)
      .map((kernel) => ({ kernel }));
    cases[`GlobalMaxPool of a ${name}`] = { op: "GlobalMaxPool", shapes, expected: (x) => naive.maxPool(x, whole) };
    cases[`GlobalAveragePool of a ${name}`] = {
      op: "GlobalAveragePool",
      shapes,
      expected: (x) => naive.avgPool(x, whole),
    };
  }
  cases["MaxPool of a dilated volume"] = {
    op: "MaxPool",
    shapes: [image(5, DILATED)],
    attributes: windows(DILATED),
    expected: (x) => naive.maxPool(x, DILATED),
  };
  return cases;
}

/** Sums of products over all letters that the output does not have. */
function einsum(equation: string, ...operands: Ref[]): Ref {
  const [left, output] = equation.split("->") as [string, string];
  const terms = left.split(",");
  const sizes = new Map(
    terms.flatMap((term, i) => [...term].map((letter, axis) => [letter, operands[i]?.shape[axis] as number] as const)),
  );
  const summed = [...sizes.keys()].filter((letter) => !output.includes(letter));
  return reference.build(
    [...output].map((letter) => sizes.get(letter) as number),
    (...index) => {
      let sum = 0;
      for (const inner of naive.indices(summed.map((letter) => sizes.get(letter) as number))) {
        const where = (letter: string) =>
          (output.includes(letter) ? index[output.indexOf(letter)] : inner[summed.indexOf(letter)]) as number;
        sum += terms.reduce(
          (product, term, i) => product * reference.at(operands[i] as Ref, ...[...term].map(where)),
          1,
        );
      }
      return sum;
    },
  );
}

function products(): Record<string, Case> {
  const cases: Record<string, Case> = {};
  const equations: Record<string, readonly (readonly number[])[]> = {
    "ij,jk->ik": [
      [5, 7],
      [7, 9],
    ],
    "bqhd,bkhd->bhqk": [
      [2, 3, 4, 5],
      [2, 6, 4, 5],
    ],
    "ncv,cw->nwv": [
      [2, 3, 5],
      [3, 4],
    ],
    "ij->j": [[5, 6]],
    "ijk->ki": [[2, 3, 4]],
    "i,j->ij": [[5], [6]],
    "bi,bi->b": [
      [3, 9],
      [3, 9],
    ],
    "abc,cd->d": [
      [2, 3, 4],
      [4, 5],
    ],
    "ab,bc,cd->ad": [
      [2, 3],
      [3, 4],
      [4, 5],
    ],
    "ab,ab,ac->c": [
      [3, 4],
      [3, 4],
      [3, 5],
    ],
  };
  for (const [equation, shapes] of Object.entries(equations))
    cases[`Einsum ${equation}`] = {
      op: "Einsum",
      shapes,
      attributes: { equation },
      expected: (...x) => einsum(equation, ...x),
    };
  cases["Einsum with axes that broadcast"] = {
    op: "Einsum",
    shapes: [
      [2, 3, 4, 5],
      [2, 3, 5, 6],
    ],
    attributes: { equation: "...ij,...jk->...ik" },
    expected: (a, b) => reference.matmul(a, b),
  };
  cases["Gemm of two, turned, with a third"] = {
    op: "Gemm",
    shapes: [[7, 5], [6, 7], [6]],
    attributes: { transA: 1, transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } },
    expected: (a, b, c) =>
      reference.build([5, 6], (i = 0, j = 0) => {
        let sum = 0;
        for (let k = 0; k < 7; k++) sum += reference.at(a, k, i) * reference.at(b, j, k);
        return 0.5 * sum + 2 * (c.data[j] as number);
      }),
  };
  return cases;
}

/** Rows along the last axis, as a function of all their elements. */
const byRow = (x: Ref, f: (row: readonly number[], value: number) => number): Ref => {
  const size = x.shape.at(-1) as number;
  const data = [...x.data];
  return reference.ref(
    x.shape,
    data.map((value, i) => f(data.slice(i - (i % size), i - (i % size) + size), value)),
  );
};

function others(): Record<string, Case> {
  const shapes = [[3, 5, 7]];
  const logSumExp = (row: readonly number[]) => Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0));
  const [alpha, gamma] = [1.6732632423543772, 1.0507009873554805];
  return {
    Selu: { op: "Selu", shapes, expected: (x) => reference.map(x, (v) => gamma * (v > 0 ? v : alpha * Math.expm1(v))) },
    Celu: {
      op: "Celu",
      shapes,
      attributes: { alpha: { float: 0.5 } },
      expected: (x) => reference.map(x, (v) => Math.max(0, v) + Math.min(0, 0.5 * Math.expm1(v / 0.5))),
    },
    Softsign: { op: "Softsign", shapes, expected: (x) => reference.map(x, (v) => v / (1 + Math.abs(v))) },
    Mean: {
      op: "Mean",
      shapes: [[3, 4], [4], [3, 1]],
      expected: (a, b, c) => reference.map(reference.add(reference.add(a, b), c), (v) => v / 3),
    },
    SpaceToDepth: {
      op: "SpaceToDepth",
      shapes: [[2, 3, 4, 6]],
      attributes: { blocksize: 2 },
      expected: (x) =>
        reference.build([2, 12, 2, 3], (n = 0, c = 0, h = 0, w = 0) => {
          const place = Math.floor(c / 3);
          return reference.at(x, n, c % 3, 2 * h + Math.floor(place / 2), 2 * w + (place % 2));
        }),
    },
    "CenterCropPad, cut and padded": {
      op: "CenterCropPad",
      shapes: [[5, 4, 3]],
      integers: [2, 7],
      attributes: { axes: [0, 1] },
      expected: (x) =>
        reference.build([2, 7, 3], (i = 0, j = 0, k = 0) => (j >= 1 && j < 5 ? reference.at(x, i + 1, j - 1, k) : 0)),
    },
    "ReduceLogSumExp of rows, axes kept": {
      op: "ReduceLogSumExp",
      shapes,
      integers: [-1],
      expected: (x) => reference.slice(byRow(x, logSumExp), [0], [1], [2]),
    },
    "ReduceLogSumExp of all": {
      op: "ReduceLogSumExp",
      shapes,
      attributes: { keepdims: 0 },
      expected: (x) => reference.ref([], [logSumExp([...x.data])]),
    },
    "LpNormalization by magnitudes": {
      op: "LpNormalization",
      shapes,
      attributes: { p: 1 },
      expected: (x) => byRow(x, (row, v) => v / row.reduce((sum, other) => sum + Math.abs(other), 0)),
    },
    LpNormalization: { op: "LpNormalization", shapes, expected: (x) => byRow(x, (row, v) => v / Math.hypot(...row)) },
    MeanVarianceNormalization: {
      op: "MeanVarianceNormalization",
      shapes,
      attributes: { axes: [2] },
      expected: (x) =>
        byRow(x, (row, v) => {
          const mean = row.reduce((sum, other) => sum + other, 0) / row.length;
          return (v - mean) / Math.sqrt(row.reduce((sum, other) => sum + (other - mean) ** 2, 0) / row.length);
        }),
    },
  };
}

/** Halfway between pixels: linear to twice the size, the edge repeated. */
function doubled(x: Ref): Ref {
  const sizes = x.shape.slice(2);
  return reference.build([...x.shape.slice(0, 2), ...sizes.map((size) => 2 * size)], (n = 0, c = 0, ...out) => {
    let sum = 0;
    for (const side of naive.indices(sizes.map(() => 2))) {
      let weight = 1;
      const from = out.map((p, axis) => {
        const place = Math.max(0, Math.min((sizes[axis] as number) - 1, (p + 0.5) / 2 - 0.5));
        const rest = place - Math.floor(place);
        weight *= side[axis] ? rest : 1 - rest;
        return Math.min((sizes[axis] as number) - 1, Math.floor(place) + (side[axis] as number));
      });
      sum += weight * reference.at(x, n, c, ...from);
    }
    return sum;
  });
}

/** A convolution of 2 x 2 taps whose places are moved; two groups of channels move on their own, and each sample has a factor. */
function deformed(x: Ref, w: Ref, offset: Ref, bias: Ref, mask: Ref): Ref {
  const [, channels = 0, height = 0, width = 0] = x.shape;
  const pixel = (n: number, c: number, y: number, z: number) =>
    y < 0 || y >= height || z < 0 || z >= width ? 0 : reference.at(x, n, c, y, z);
  return reference.build(
    [x.shape[0] as number, w.shape[0] as number, height - 1, width - 1],
    (n = 0, m = 0, p = 0, q = 0) => {
      let sum = bias.data[m] as number;
      for (let c = 0; c < channels; c++) {
        const group = Math.floor(c / (channels / 2));
        for (let t = 0; t < 4; t++) {
          const y = p + (t >> 1) + reference.at(offset, n, group * 8 + 2 * t, p, q);
          const z = q + (t & 1) + reference.at(offset, n, group * 8 + 2 * t + 1, p, q);
          let sample = 0;
          for (const [dy, dz] of [
            [0, 0],
            [0, 1],
            [1, 0],
            [1, 1],
          ] as const) {
            const [row, column] = [Math.floor(y) + dy, Math.floor(z) + dz];
            sample += (1 - Math.abs(y - row)) * (1 - Math.abs(z - column)) * pixel(n, c, row, column);
          }
          sum += sample * reference.at(mask, n, group * 4 + t, p, q) * reference.at(w, m, c, t >> 1, t & 1);
        }
      }
      return sum;
    },
  );
}

/** Filters of two groups, each over its half of the channels: the others weigh nothing. */
function deformedInGroups(x: Ref, w: Ref, offset: Ref, bias: Ref, mask: Ref): Ref {
  const [filters = 0, perGroup = 0] = w.shape;
  const whole = reference.build([filters, 2 * perGroup, 2, 2], (m = 0, c = 0, i = 0, j = 0) =>
    Math.floor(c / perGroup) === Math.floor(m / (filters / 2)) ? reference.at(w, m, c % perGroup, i, j) : 0,
  );
  return deformed(x, whole, offset, bias, mask);
}

function rearranged(): Record<string, Case> {
  return {
    Tile: {
      op: "Tile",
      shapes: [[2, 3, 4]],
      integers: [2, 1, 3],
      expected: (x) => reference.build([4, 3, 12], (i = 0, j = 0, k = 0) => reference.at(x, i % 2, j, k % 4)),
    },
    Hardmax: {
      op: "Hardmax",
      shapes: [[3, 5, 7]],
      expected: (x) => byRow(x, (row, v) => Number(v === Math.max(...row))),
    },
    "Hardmax of all axes from the second on": {
      op: "Hardmax",
      shapes: [[3, 5, 7]],
      opset: 12,
      expected: (x) =>
        reference.reshape(
          byRow(reference.reshape(x, [3, 35]), (row, v) => Number(v === Math.max(...row))),
          [3, 5, 7],
        ),
    },
    "Resize of a volume": {
      op: "Resize",
      shapes: [[2, 3, 3, 4, 5]],
      resized: [1, 1, 2, 2, 2],
      attributes: { mode: "linear" },
      expected: doubled,
    },
    DeformConv: {
      op: "DeformConv",
      shapes: [[2, 4, 5, 6], [3, 4, 2, 2], [2, 16, 4, 5], [3], [2, 8, 4, 5]],
      attributes: { offset_group: 2 },
      expected: deformed,
    },
    "DeformConv in groups": {
      op: "DeformConv",
      shapes: [[2, 12, 5, 6], [4, 6, 2, 2], [2, 16, 4, 5], [4], [2, 8, 4, 5]],
      attributes: { offset_group: 2, group: 2 },
      expected: deformedInGroups,
    },
  };
}

const CASES: Readonly<Record<string, Case>> = {
  ...convolutions(),
  ...pools(),
  ...products(),
  ...others(),
  ...rearranged(),
};

describe.each(BINARIES)("$name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  async function check(name: string, isOpen: boolean) {
    const {
      op,
      shapes,
      fixed = [],
      integers,
      resized,
      attributes = {},
      opset = 20,
      tolerance = 1e-5,
      expected,
    } = CASES[name] as Case;
    const operands = [...shapes, ...fixed].map((shape, i) => ({ shape, data: fill(shape, `${name} ${i}`) }));
    const inputs = operands.slice(0, shapes.length);
    const constants: Record<string, Constant> = Object.fromEntries(
      operands.slice(shapes.length).map(({ shape, data }, i) => [`c${i}`, { dims: shape, data }]),
    );
    if (resized) {
      constants["roi"] = typed("float32", [0], []);
      constants["scales"] = typed("float32", [resized.length], resized);
    }
    if (integers) constants["integers"] = typed("int64", [integers.length], integers);
    const named = Object.fromEntries(inputs.map((input, i) => [`x${i}`, input]));
    const sizes = (shape: readonly number[], i: number) => (isOpen ? shape.map((_, axis) => `s${i}_${axis}`) : shape);
    const model = await loadOnnx(
      rt,
      onnxFile({
        nodes: [{ op, inputs: [...Object.keys(named), ...Object.keys(constants)], outputs: ["y"], attributes }],
        inputs: Object.fromEntries(Object.entries(named).map(([key, { shape }], i) => [key, sizes(shape, i)])),
        outputs: ["y"],
        constants,
        opset,
      }),
    );
    try {
      const { y } = model.run(named);
      const wanted = expected(...operands.map(({ shape, data }) => reference.ref(shape, data)));
      expect(y?.shape).toEqual(wanted.shape);
      const most = Math.max(...wanted.data.map(Math.abs));
      const off = Math.max(
        ...[...(y?.toArray() ?? [])].map((value, i) => Math.abs(Number(value) - (wanted.data[i] as number))),
      );
      expect(off / most).toBeLessThan(tolerance);
      expect(model.summary().rows.filter(({ reason }) => reason === "JavaScript")).toEqual([]);
    } finally {
      model.dispose();
    }
  }

  it.each(Object.keys(CASES))("%s", (name) => check(name, false));

  it.each(Object.keys(CASES))("%s, of shapes that a run brings", (name) => check(name, true));

  it("ReduceLogSumExp of infinities is what they are", async () => {
    const file = onnxFile({
      nodes: [{ op: "ReduceLogSumExp", inputs: ["x", "axes"], outputs: ["y"], attributes: { keepdims: 0 } }],
      inputs: { x: [4, 2] },
      outputs: ["y"],
      constants: { axes: typed("int64", [1], [1]) },
      opset: 20,
    });
    const model = await loadOnnx(rt, file);
    const rows = [-Infinity, -Infinity, -Infinity, 1, Infinity, 0, Number.NaN, 0];
    const { y } = model.run({ x: { shape: [4, 2], data: Float32Array.from(rows) } });
    expect([...(y?.toArray() ?? [])]).toEqual([-Infinity, 1, Infinity, Number.NaN]);
    model.dispose();
  });

  it("LpNormalization of nothing but zeros is zeros", async () => {
    const file = onnxFile({
      nodes: [{ op: "LpNormalization", inputs: ["x"], outputs: ["y"] }],
      inputs: { x: [2, 3] },
      outputs: ["y"],
    });
    const model = await loadOnnx(rt, file);
    const { y } = model.run({ x: { shape: [2, 3], data: Float32Array.of(0, 0, 0, 3, 0, 4) } });
    expect([...(y?.toArray() ?? [])]).toEqual([0, 0, 0, Math.fround(0.6), 0, Math.fround(0.8)]);
    model.dispose();
  });
});
