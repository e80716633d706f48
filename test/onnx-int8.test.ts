// Quantised graphs as layers of bytes: which layers each form becomes, and what they answer, by formulas written here; what goes
// through float and why; what is refused.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime, Tensor } from "../src/index.js";
import { loadOnnx, type OnnxModel } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Constant, type File, type Node, node, onnxFile, typed } from "./onnx-file.js";
import { draw } from "./random.js";
import { roundToEven } from "./reference.js";

const f = Math.fround;
const UINT8 = 2;
const INT8 = 3;

type Byte = "uint8" | "int8";
const LEAST = { uint8: 0, int8: -128 } as const;
const CODE = { uint8: UINT8, int8: INT8 } as const;

const bytes = (type: Byte, count: number, seed: string) => draw(count, LEAST[type], LEAST[type] + 255, seed);
const scale = (value: number): Constant => typed("float32", [], [value]);
const zero = (type: Byte, value: number): Constant => typed(type, [], [value]);
const store = (type: Byte, value: number): number => Math.min(LEAST[type] + 255, Math.max(LEAST[type], value));

/** DequantizeLinear and QuantizeLinear of names `<x>s` and `<x>z`. */
const real = (x: string, of: string, to: string): Node => node("DequantizeLinear", [x, `${of}s`, `${of}z`], [to]);
const back = (x: string, of: string, to: string): Node => node("QuantizeLinear", [x, `${of}s`, `${of}z`], [to]);
const quanta = (name: string, type: Byte, by: number, at: number): Record<string, Constant> => ({
  [`${name}s`]: scale(by),
  [`${name}z`]: zero(type, at),
});

/** Operators of a model's layers, without changes of format and views. */
const layersOf = (model: OnnxModel): string[] =>
  model
    .summary()
    .rows.filter(({ layer, algorithm }) => layer !== "" && algorithm !== "view")
    .map(({ op }) => op);

describe.each(BINARIES)("layers of bytes on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report().liveTensors).toBe(0);
    rt.dispose();
  });

  /** What a file answers for bytes, and its layers. */
  async function answer(file: File, inputs: Readonly<Record<string, readonly number[]>>) {
    using model = await loadOnnx(rt, onnxFile(file));
    const given = Object.entries(inputs).map(([name, data]) => {
      const shape = file.inputs[name] as number[];
      return [name, { data: [...data], shape }] as const;
    });
    const answers = model.run(Object.fromEntries(given));
    return {
      layers: layersOf(model),
      reasons: model.summary().rows.map(({ reason }) => reason),
      y: Array.from((answers[file.outputs[0] as string] as Tensor).toArray() as Float32Array),
    };
  }

  // ------------------------------------------------------------------------------------------------------------ products

  const [C, M, H, W] = [5, 7, 6, 4];
  const [xs, ys] = [f(0.031), f(0.9)];
  const weights = draw(M * C * 9, -127, 127, "weights");
  const wScales = Float32Array.from({ length: M }, (_, m) => f(0.004 + 0.001 * m));
  const bias = draw(M, -4000, 4000, "bias");

  /** 3x3, padding 1, as onnxruntime computes it on whole numbers. */
  function convolved(type: Byte, x: readonly number[], xz: number, yz: number, low = -Infinity): number[] {
    const y: number[] = [];
    for (let m = 0; m < M; m++)
      for (let p = 0; p < H; p++)
        for (let q = 0; q < W; q++) {
          let sum = bias[m] as number;
          for (let c = 0; c < C; c++)
            for (let r = 0; r < 3; r++)
              for (let s = 0; s < 3; s++) {
                const [i, j] = [p + r - 1, q + s - 1];
                if (i < 0 || j < 0 || i >= H || j >= W) continue;
                const w = weights[((m * C + c) * 3 + r) * 3 + s] as number;
                sum += ((x[(c * H + i) * W + j] as number) - xz) * w;
              }
          const factor = f(f(xs * (wScales[m] as number)) / ys);
          y.push(Math.max(low, store(type, roundToEven(f(f(sum) * factor)) + yz)));
        }
    return y;
  }

  const filters = {
    w: typed("int8", [M, C, 3, 3], weights),
    ws: typed("float32", [M], wScales),
    wz: typed("int8", [M], new Int8Array(M)),
  };
  const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const biasQuanta = {
    b: typed("int32", [M], bias),
    bs: typed(
      "float32",
      [M],
      wScales.map((w) => f(xs * w)),
    ),
    bz: typed("int32", [M], new Int32Array(M)),
  };
  const realBias = typed(
    "float32",
    [M],
    bias.map((v, m) => f(v * f(xs * (wScales[m] as number)))),
  );

  const forms: Readonly<Record<string, (type: Byte, xz: number, yz: number) => { file: File; low?: number }>> = {
    QLinearConv: (type, xz, yz) => ({
      file: {
        nodes: [node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], pads)],
        inputs: {},
        outputs: ["y"],
        constants: { ...quanta("x", type, xs, xz), ...quanta("y", type, ys, yz), ...filters, b: biasQuanta.b },
      },
    }),
    "QDQ with a bias of int32": (type, xz, yz) => ({
      file: {
        nodes: [
          real("x", "x", "xf"),
          node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], { axis: 0 }),
          node("DequantizeLinear", ["b", "bs", "bz"], ["bf"], { axis: 0 }),
          node("Conv", ["xf", "wf", "bf"], ["c"], pads),
          back("c", "y", "y"),
        ],
        inputs: {},
        outputs: ["y"],
        constants: { ...quanta("x", type, xs, xz), ...quanta("y", type, ys, yz), ...filters, ...biasQuanta },
      },
    }),
    "QDQ with a real bias and a Relu": (type, xz, yz) => ({
      file: {
        nodes: [
          real("x", "x", "xf"),
          node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], { axis: 0 }),
          node("Conv", ["xf", "wf", "rb"], ["c"], pads),
          node("Relu", ["c"], ["r"]),
          back("r", "y", "y"),
        ],
        inputs: {},
        outputs: ["y"],
        constants: { ...quanta("x", type, xs, xz), ...quanta("y", type, ys, yz), ...filters, rb: realBias },
      },
      low: yz,
    }),
  };
  describe.each(Object.keys(forms))("%s", (form) => {
    it.each(["uint8", "int8"] as const)("of %s is one convolution of bytes, exact", async (type) => {
      const [xz, yz] = [LEAST[type] + 117, LEAST[type] + 90];
      const { file, low } = (forms[form] as (typeof forms)[string])(type, xz, yz);
      const x = bytes(type, C * H * W, form);
      const { y, layers } = await answer({ ...file, inputs: { x: [1, C, H, W] }, types: { x: CODE[type] } }, { x });
      expect(y).toEqual(convolved(type, x, xz, yz, low));
      expect(layers.filter((op) => !op.startsWith("flip"))).toEqual(["convolution of bytes"]);
    });
  });

  it("a sum behind a convolution is in its store, whichever operand it is", async () => {
    const { file } = (forms["QLinearConv"] as (typeof forms)[string])("uint8", 117, 90);
    const x = bytes("uint8", C * H * W, "sum");
    const other = bytes("uint8", M * H * W, "other");
    const conv = convolved("uint8", x, 117, 90);
    for (const inputs of [
      ["y", "ys", "yz", "o", "os", "oz"],
      ["o", "os", "oz", "y", "ys", "yz"],
    ]) {
      const { y, layers } = await answer(
        {
          nodes: [...file.nodes, { ...node("QLinearAdd", [...inputs, "zs", "zz"], ["z"]), domain: "com.microsoft" }],
          inputs: { x: [1, C, H, W], o: [1, M, H, W] },
          types: { x: UINT8, o: UINT8 },
          outputs: ["z"],
          constants: { ...file.constants, ...quanta("o", "uint8", 0.5, 30), ...quanta("z", "uint8", 1.25, 100) },
        },
        { x, o: other },
      );
      const [ra, rb] = [f(ys / f(1.25)), f(0.5 / f(1.25))];
      expect(y).toEqual(
        conv.map((v, i) =>
          store("uint8", roundToEven(f(f(f((v - 90) * ra) + f(((other[i] as number) - 30) * rb)) + 100))),
        ),
      );
      expect(layers).toEqual(["convolution of bytes"]);
    }
  });

  it("a product that is not quantised again ends in real numbers", async () => {
    const [K, N] = [6, 3];
    const w = draw(K * N, -128, 127, "w");
    const x = bytes("uint8", 2 * K, "x");
    const { y, layers } = await answer(
      {
        nodes: [back("x", "x", "q"), real("q", "x", "xf"), real("w", "w", "wf"), node("MatMul", ["xf", "wf"], ["y"])],
        inputs: { x: [2, K] },
        outputs: ["y"],
        constants: { ...quanta("x", "uint8", 0.25, 9), w: typed("int8", [K, N], w), ...quanta("w", "int8", 0.5, 0) },
      },
      { x: x.map((b) => (b - 9) * 0.25) },
    );
    const sums = Array.from({ length: 2 * N }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < K; k++)
        sum += ((x[Math.floor(i / N) * K + k] as number) - 9) * (w[k * N + (i % N)] as number);
      return sum * 0.125;
    });
    expect(y).toEqual(sums);
    expect(layers).toEqual(["fromFloat q8", "product of bytes"]);
  });

  // ------------------------------------------------------------------------------------------------------------ elements

  it("x * sigmoid(x) quantised in between is one table", async () => {
    const x = Array.from({ length: 256 }, (_, i) => i);
    const file: File = {
      nodes: [
        real("x", "x", "xf"),
        node("Sigmoid", ["xf"], ["s"]),
        back("s", "s", "sq"),
        real("sq", "s", "sf"),
        node("Mul", ["xf", "sf"], ["m"]),
        back("m", "y", "y"),
      ],
      inputs: { x: [1, 4, 8, 8] },
      types: { x: UINT8 },
      outputs: ["y"],
      constants: {
        ...quanta("x", "uint8", 0.05, 120),
        ...quanta("s", "uint8", 1 / 256, 0),
        ...quanta("y", "uint8", 0.04, 11),
      },
    };
    const { y, layers } = await answer(file, { x });
    const [a, c] = [f(0.05), f(0.04)];
    const factor = f(f(a / 256) / c);
    expect(y).toEqual(
      x.map((b) => {
        const s = store("uint8", roundToEven(f(f(1 / (1 + Math.exp(-f((b - 120) * a)))) * 256)));
        return store("uint8", roundToEven(f(f((b - 120) * s * factor) + 11)));
      }),
    );
    expect(layers).toEqual(["table q8"]);
  });

  it("what goes back to the bytes it came from is nothing, moved as it is moved, and else a map", async () => {
    const x = bytes("uint8", 2 * 3 * 4, "moved");
    const moved = (of: string, constants: Record<string, Constant>): File => ({
      nodes: [
        real("x", "x", "xf"),
        node("Transpose", ["xf"], ["t"], { perm: [0, 2, 3, 1] }),
        node("Reshape", ["t", "shape"], ["r"]),
        back("r", of, "y"),
      ],
      inputs: { x: [1, 2, 3, 4] },
      types: { x: UINT8 },
      outputs: ["y"],
      constants: { ...quanta("x", "uint8", 0.05, 120), shape: typed("int64", [2], [1, 24]), ...constants },
    });
    const turned = x.map((_, i) => x[(i % 2) * 12 + (i >> 1)] as number);
    const same = await answer(moved("x", {}), { x });
    expect(same.y).toEqual(turned);
    expect(same.layers.filter((op) => op.includes("q8"))).toEqual([]);
    const other = await answer(moved("y", quanta("y", "uint8", 0.07, 7)), { x });
    const [a, c] = [f(0.05), f(0.07)];
    expect(other.y).toEqual(turned.map((b) => store("uint8", roundToEven(f(f((b - 120) * a) / c)) + 7)));
    expect(other.layers.filter((op) => op.includes("q8"))).toEqual(["affine q8"]);
  });

  it("channels in turn are a zip, and halves of them are zips", async () => {
    const [a, b] = [bytes("uint8", 24, "a"), bytes("uint8", 24, "b")];
    const { y, layers } = await answer(
      {
        nodes: [
          real("a", "x", "af"),
          real("b", "x", "bf"),
          node("Concat", ["af", "bf"], ["j"], { axis: 1 }),
          node("Reshape", ["j", "groups"], ["g"]),
          node("Transpose", ["g"], ["t"], { perm: [0, 2, 1, 3, 4] }),
          node("Reshape", ["t", "whole"], ["s"]),
          back("s", "x", "q"),
          node("Split", ["q", "sizes"], ["first", "y"], { axis: 1 }),
        ],
        inputs: { a: [1, 4, 2, 3], b: [1, 4, 2, 3] },
        types: { a: UINT8, b: UINT8 },
        outputs: ["y"],
        constants: {
          ...quanta("x", "uint8", 0.05, 120),
          groups: typed("int64", [5], [1, 2, 4, 2, 3]),
          whole: typed("int64", [4], [1, 8, 2, 3]),
          sizes: typed("int64", [2], [4, 4]),
        },
      },
      { a, b },
    );
    expect(y).toEqual(
      Array.from(
        { length: 24 },
        (_, i) => (Math.floor(i / 6) % 2 ? b : a)[12 + 6 * (Math.floor(i / 6) >> 1) + (i % 6)],
      ),
    );
    expect(layers).toEqual(["zip q8"]);
  });

  it.each([[[2, 5, 7]], [[2, 3, 2, 4]], [[1, 3, 2, 2, 5]]])(
    "what real numbers were rounded to and bytes of a file are summed, and averaged, alike, of %j",
    async (shape) => {
      const count = shape.reduce((a, b) => a * b);
      const pixels = shape.slice(2).reduce((a, b) => a * b);
      const [x, u] = [draw(count, -3, 3, "reals"), bytes("uint8", count, "bytes")];
      const sum: File = {
        nodes: [
          back("x", "q", "qx"),
          real("qx", "q", "rx"),
          real("u", "u", "ru"),
          node("Add", ["rx", "ru"], ["s"]),
          back("s", "y", "y"),
        ],
        inputs: { x: shape, u: shape },
        types: { u: UINT8 },
        outputs: ["y"],
        constants: {
          ...quanta("q", "uint8", 0.125, 128),
          ...quanta("u", "uint8", 0.0625, 90),
          ...quanta("y", "uint8", 0.25, 60),
        },
      };
      // All of them are whole eighths and sixteenths.
      const { y } = await answer(sum, { x, u });
      expect(y).toEqual(
        x.map((v, i) => store("uint8", roundToEven(((v as number) + ((u[i] as number) - 90) / 16) * 4) + 60)),
      );
      const mean: File = {
        nodes: [{ ...node("QLinearGlobalAveragePool", ["u", "us", "uz", "ys", "yz"], ["y"]), domain: "com.microsoft" }],
        inputs: { u: shape },
        types: { u: UINT8 },
        outputs: ["y"],
        constants: { ...quanta("u", "uint8", 0.5, 90), ...quanta("y", "uint8", 0.5, 90) },
      };
      const averages = await answer(mean, { u });
      expect(averages.y).toEqual(
        Array.from({ length: count / pixels }, (_, i) => {
          const total = u.slice(i * pixels, (i + 1) * pixels).reduce((a, b) => a + b - 90, 0);
          return store("uint8", roundToEven(f(total * f(1 / pixels))) + 90);
        }),
      );
    },
  );

  it("[C, H, W] beside [1, C, H, W] is summed by element", async () => {
    const [x, u] = [bytes("uint8", 60, "x"), bytes("uint8", 60, "u")];
    const { y } = await answer(
      {
        nodes: [real("x", "x", "rx"), real("u", "u", "ru"), node("Add", ["rx", "ru"], ["s"]), back("s", "y", "y")],
        inputs: { x: [1, 3, 4, 5], u: [3, 4, 5] },
        types: { x: UINT8, u: UINT8 },
        outputs: ["y"],
        constants: {
          ...quanta("x", "uint8", 0.125, 128),
          ...quanta("u", "uint8", 0.0625, 90),
          ...quanta("y", "uint8", 0.25, 60),
        },
      },
      { x, u },
    );
    expect(y).toEqual(x.map((v, i) => store("uint8", roundToEven((v - 128) / 2 + ((u[i] as number) - 90) / 4) + 60)));
  });

  it("weights of 4 bits by blocks, with zero points, are what DequantizeLinear says", async () => {
    // Rows of [4, 2] in blocks of 2: 1 -2 | 7 -8 | 3 4 | 0 -1, two numbers in a byte, the first in its lower half.
    const w: Constant = { dims: [4, 2], type: 22, data: Uint8Array.of(0xe1, 0x87, 0x43, 0xf0) };
    const { y } = await answer(
      {
        nodes: [
          node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], { axis: 0, block_size: 2 }),
          node("MatMul", ["x", "wf"], ["y"]),
        ],
        inputs: { x: [4, 4] },
        outputs: ["y"],
        constants: {
          w,
          ws: typed("float32", [2, 2], [0.5, 2, 0.25, 1]),
          wz: { dims: [2, 2], type: 22, data: Uint8Array.of(0x10, 0xf2) }, // 0 1 2 -1
        },
        opset: 21,
      },
      { x: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] },
    );
    expect(y).toEqual([0.5, -6, 3.5, -18, 0.25, 5, -0.5, 0]);
  });

  // ---------------------------------------------------------------------------------------------------- guards, and refusals

  const huge = (constants: Readonly<Record<string, Constant>>): File => ({
    nodes: [node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])],
    inputs: { x: [1, 4] },
    types: { x: UINT8 },
    outputs: ["y"],
    constants: {
      ...quanta("x", "uint8", 1, 0),
      w: typed("int8", [4, 2], [127, -127, 127, -127, 127, -127, 127, -127]),
      ...quanta("w", "int8", 1, 0),
      ...quanta("y", "uint8", 1, 0),
      ...constants,
    },
  });

  it("outputs beyond what is rounded exactly go through float, and the summary says so", async () => {
    const { y, reasons } = await answer(huge({ ys: scale(1e-3) }), { x: [255, 255, 255, 255] });
    expect(y).toEqual([255, 0]);
    expect(reasons.some((reason) => /^float: outputs up to 1\.30e\+8 quanta are beyond 2\^22; /.test(reason))).toBe(
      true,
    );
  });

  it("sums beyond 32 bits go through float", async () => {
    const file: File = {
      nodes: [node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"])],
      inputs: { x: [1, 1, 1, 1] },
      types: { x: UINT8 },
      outputs: ["y"],
      constants: {
        ...quanta("x", "uint8", 1, 0),
        w: typed("int8", [1, 1, 1, 1], [127]),
        ...quanta("w", "int8", 2 ** -24, 0),
        ...quanta("y", "uint8", 1, 3),
        b: typed("int32", [1], [2 ** 31 - 1]),
      },
    };
    const { y, reasons } = await answer(file, { x: [255] });
    expect(y).toEqual([3 + 128]);
    expect(reasons.some((reason) => /^float: sums up to 2\.15e\+9 are beyond 32 bits; /.test(reason))).toBe(true);
  });

  it("a scale that a run computes goes another way", async () => {
    const file = huge({});
    const { ys: _, ...constants } = file.constants as Record<string, Constant>;
    const { y } = await answer(
      { ...file, inputs: { ...file.inputs, ys: [] }, constants },
      { x: [1, 1, 0, 0], ys: [2] },
    );
    expect(y).toEqual([127, 0]);
  });

  it.each([
    [
      "a scale of 0",
      { ys: scale(0) },
      /node "QLinearMatMul-y" \(QLinearMatMul\): "y_scale" expected a number > 0, got 0/,
    ],
    ["a scale that is no number", { xs: scale(Number.NaN) }, /"a_scale" expected a number > 0, got NaN/],
    ["a negative scale", { ws: scale(-0.5) }, /"b_scale" expected a number > 0, got -0.5/],
    ["an infinite scale", { ws: scale(Infinity) }, /"b_scale" expected a number > 0, got Infinity/],
    ["a zero point of another type", { xz: zero("int8", 0) }, /"a_zero_point" expected uint8, got int8/],
    ["scales of another length", { ws: typed("float32", [3], [1, 1, 1]) }, /"b_scale" expected 2 values, got 3/],
    [
      "zero points of another length",
      { ws: typed("float32", [2], [1, 1]), wz: typed("int8", [3], [0, 0, 0]) },
      /"b_zero_point" expected 2 values, got \[ ?3 ?\]/,
    ],
  ] as const)("refuses %s in a sentence", async (_, constants, message) => {
    const before = rt.report().bytesInUse;
    await expect(loadOnnx(rt, onnxFile(huge(constants as Record<string, Constant>)))).rejects.toThrow(message);
    expect(rt.report().bytesInUse).toBe(before);
    const { y } = await answer(huge({}), { x: [1, 1, 0, 0] });
    expect(y).toEqual([254, 0]);
  });

  it("refuses a bias that is none of int32", async () => {
    const { file } = (forms["QLinearConv"] as (typeof forms)[string])("uint8", 0, 0);
    const constants = { ...file.constants, b: typed("float32", [M], new Float32Array(M)) };
    const given = { ...file, constants, inputs: { x: [1, C, H, W] }, types: { x: UINT8 } };
    await expect(loadOnnx(rt, onnxFile(given))).rejects.toThrow(/"bias" expected int32, got float32/);
  });

  it("refuses real numbers for bytes", async () => {
    using model = await loadOnnx(rt, onnxFile(huge({})));
    expect(() => model.run({ x: { data: [0.5, 1, 2, 3], shape: [1, 4] } })).toThrow(
      /"data" expected elements of uint8, got 0.5 at 0/,
    );
  });
});
