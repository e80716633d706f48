// Files that nobody means well with: each is refused with a sentence that names node and reason, and leaves nothing behind.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createRuntime,
  type DType,
  ModelError,
  OutOfMemoryError,
  type Runtime,
  ShapeError,
  type Tensor,
  UnsupportedError,
} from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { type Constant, type File, floats, integers, type Node, onnxFile } from "./onnx-file.js";

const REFUSALS = [ModelError, UnsupportedError, OutOfMemoryError, ShapeError];
const LIMITS = { maxBytes: 2 ** 26 };
const BIG = 30_000;
const HUGE = 2 ** 40;

let rt: Runtime;
beforeAll(async () => {
  rt = await createRuntime();
});
afterAll(() => rt.dispose());

const scalar = (value: number): Constant => ({ dims: [], data: BigInt64Array.of(BigInt(value)) });
const zeros = (...dims: number[]): Constant => ({ dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)) });

type Entry = readonly [
  op: string,
  inputs: readonly (Constant | undefined)[],
  attributes?: Node["attributes"],
  opset?: number,
];

/** A model of one node: the first input is the model's, or, as `isConstant`, all are constants. */
function fileOf([op, inputs, attributes = {}, opset = 17]: Entry, isConstant: boolean): File {
  const names = inputs.map((input, i) => (input ? `i${i}` : ""));
  const all = Object.entries(inputs).flatMap(([i, input]) => (input ? [[`i${i}`, input] as const] : []));
  const given = isConstant ? [] : all.slice(0, 1);
  return {
    nodes: [{ op, inputs: names, outputs: ["y"], attributes }],
    inputs: Object.fromEntries(given.map(([name, { dims }]) => [name, dims])),
    types: Object.fromEntries(given.map(([name, { data }]) => [name, data instanceof Float32Array ? 1 : 7])),
    outputs: ["y"],
    constants: Object.fromEntries(all.slice(given.length)),
    opset,
  };
}

/** What loading the file, and running it on zeros, throws. */
async function refusal(file: Uint8Array): Promise<Error> {
  const before = rt.report();
  try {
    using model = await loadOnnx(rt, file, LIMITS);
    const own: Tensor<DType>[] = model.inputs.map(({ shape, dtype }) => rt.zeros(shape as number[], { dtype }));
    try {
      model.run(Object.fromEntries(model.inputs.map(({ name }, i) => [name, own[i] as Tensor<DType>])));
    } finally {
      for (const tensor of own) tensor.dispose();
    }
  } catch (error) {
    expect(rt.report().bytesInUse).toBe(before.bytesInUse);
    expect(rt.report().memoryBytes).toBeLessThanOrEqual(before.memoryBytes + LIMITS.maxBytes);
    expect(
      REFUSALS.some((kind) => error instanceof kind),
      String(error),
    ).toBe(true);
    return error as Error;
  }
  throw new Error("nothing was refused");
}

const image = zeros(1, 1, 4, 4);
const one = zeros(1, 1, 1, 1);

describe("a few bytes that ask for gigabytes or forever", () => {
  const asking: readonly Entry[] = [
    ["Range", [scalar(0), scalar(HUGE), scalar(1)]],
    ["Range", [scalar(0), scalar(5), scalar(0)]],
    ["Tile", [image, integers(1, 1, BIG, BIG)]],
    ["Expand", [zeros(1), integers(BIG, BIG)]],
    ["Pad", [image, integers(0, 0, BIG, BIG, 0, 0, 0, 0)]],
    ["Resize", [image, undefined, floats(1, 1, 1e4, 1e4)]],
    ["Resize", [image, undefined, undefined, integers(1, 1, HUGE, HUGE)]],
    ["OneHot", [integers(1, 2, 3), scalar(HUGE), floats(0, 1)]],
    ["Split", [image], { num_outputs: 2 ** 31 - 1, axis: 3 }, 18],
    ["CenterCropPad", [image, integers(1, 1, BIG, BIG)], {}, 18],
    ["ConvTranspose", [image, one], { strides: [BIG, BIG] }],
    ["Conv", [image, one], { pads: [BIG, BIG, BIG, BIG] }],
    ["Conv", [image, one], { pads: [HUGE, HUGE, HUGE, HUGE] }],
    ["Conv", [image, zeros(1, 1, 2, 2)], { dilations: [HUGE, 1] }],
    ["AveragePool", [image], { kernel_shape: [BIG, BIG], pads: [BIG, BIG, BIG, BIG] }],
    ["DepthToSpace", [image], { blocksize: HUGE }],
    ["RoiAlign", [image, zeros(1, 4), integers(0)], { output_height: BIG, output_width: BIG }],
    ["RoiAlign", [image, zeros(1, 4), integers(0)], { sampling_ratio: 2 ** 31 - 1 }],
    ["MatMul", [zeros(BIG, 1), zeros(1, BIG)]],
    ["Add", [zeros(BIG, 1), zeros(1, BIG)]],
    ["Einsum", [zeros(BIG), zeros(BIG)], { equation: "i,j->ij" }],
    ["MaxUnpool", [zeros(1, 1, 1, 1), integers(0)], { kernel_shape: [BIG, BIG] }],
  ];
  it.each(asking)("%s, number %#", async (...given) => {
    const entry = given as unknown as Entry;
    for (const isConstant of [true, false]) {
      const { message } = await refusal(onnxFile(fileOf(entry, isConstant)));
      expect(message).toMatch(new RegExp(`^node "${entry[0]}-y" \\(${entry[0]}\\): "|^"max(Bytes|Macs)" expected`));
    }
  });

  it("of 150 bytes in all", async () => {
    for (const size of [BIG, HUGE]) {
      const file = onnxFile(fileOf(["ConstantOfShape", [integers(size, size)]], true));
      expect(file.length).toBeLessThan(150);
      expect((await refusal(file)).message).toMatch(/^node "ConstantOfShape-y" .*"shape" expected at most/);
    }
  });

  it("without limits of the caller's, before memory grows", async () => {
    const { memoryBytes } = rt.report();
    for (const isConstant of [true, false]) {
      const file = onnxFile(fileOf(["Pad", [image, integers(0, 0, 20_000, 20_000, 0, 0, 0, 0)]], isConstant));
      await expect(loadOnnx(rt, file)).rejects.toThrow(
        /^node "Pad-y" \(Pad\): "shape" expected at most 107374\d{4} bytes/,
      );
    }
    expect(rt.report().memoryBytes).toBe(memoryBytes);
  });

  it("only when a run brings the data", async () => {
    const entry: Entry = ["RoiAlign", [floats(0, 0, 1e30, 1e30), image, integers(0)]];
    const nodes = [
      { op: "Reshape", inputs: ["i0", "shape"], outputs: ["rois"] },
      { op: "RoiAlign", inputs: ["i1", "rois", "i2"], outputs: ["y"] },
    ];
    const { constants, ...file } = fileOf(entry, false);
    using model = await loadOnnx(
      rt,
      onnxFile({ ...file, nodes, constants: { ...constants, shape: integers(1, 4) } }),
      LIMITS,
    );
    const run = (...data: number[]) => model.run({ i0: { data, shape: [4] } });
    expect(() => run(0, 0, 1e30, 1e30)).toThrow(/^node "RoiAlign-y" \(RoiAlign\): "maxMacs" expected/);
    expect(run(0, 0, 2, 2)["y"]?.shape).toEqual([1, 1, 1, 1]);
  });
});

describe("nodes that make no sense", () => {
  const senseless: readonly (readonly [RegExp, ...Entry])[] = [
    [/"axis" expected an axis from -4 to 3, got 9/, "Softmax", [image], { axis: 9 }],
    [/"axis" expected an axis from -4 to 3, got -5/, "Gather", [image, integers(0)], { axis: -5 }],
    [/"axes" expected an axis from -4 to 3, got -9/, "ReduceMean", [image], { axes: [-9] }],
    [/"axes" expected each axis once/, "ReduceMean", [image], { axes: [1, 1] }],
    [/"perm" expected each axis once/, "Transpose", [image], { perm: [0, 1, 2, 2] }],
    [/"axis" expected an attribute of type 2 \(i\), got type 3/, "Softmax", [image], { axis: "1" }],
    [/"kernel_shape" expected an attribute of type 7 \(ints\), got type 2/, "MaxPool", [image], { kernel_shape: 3 }],
    [/"alpha" expected an attribute of type 1 \(f\), got type 2/, "LeakyRelu", [image], { alpha: 3 }],
    [/"auto_pad" expected one of NOTSET/, "MaxPool", [image], { kernel_shape: [1, 1], auto_pad: "FOO" }],
    [/"strides" expected integers >= 1, got 0/, "Conv", [image, one], { strides: [0, 1] }],
    [/"strides" expected 2 numbers, got \[1\]/, "Conv", [image, one], { strides: [1] }],
    [/"W" expected \[M, 1\/0, taps/, "Conv", [image, one], { group: 0 }],
    [/"B" expected 1 values, got \[5\]/, "Conv", [image, one, zeros(5)]],
    [/"offset" expected 32 values, got \[1\]/, "DeformConv", [image, one, zeros(1)], {}, 19],
    [/"W" expected an input, got none/, "Conv", [image]],
    [/"shape" expected the element count of/, "Reshape", [image, integers(HUGE, HUGE)]],
    [/"shape" expected shapes that broadcast/, "Add", [image, zeros(3)]],
    [/"indices" expected from -1 to 0, got 9/, "Gather", [image, integers(9)]],
    [/"steps" expected steps other than 0/, "Slice", [image, integers(0), integers(9), integers(0), integers(0)]],
    [/"k" expected from 0 to 4, got 1099511627776/, "TopK", [image, integers(HUGE)]],
    [/"to" expected a numeric element type, got type 99/, "Cast", [image], { to: 99 }],
  ];
  it.each(senseless)("%s: %s", async (message, ...given) => {
    const entry = given as unknown as Entry;
    for (const isConstant of [true, false]) {
      const error = await refusal(onnxFile(fileOf(entry, isConstant)));
      expect(error.message).toMatch(message as RegExp);
      expect(error.message).toContain(`node "${entry[0]}-y" (${entry[0]})`);
    }
  });

  it("leave dilations alone that no tap sees", async () => {
    const file = onnxFile(
      fileOf(["Conv", [image, { dims: [1, 1, 1, 1], data: Float32Array.of(2) }], { dilations: [HUGE, HUGE] }], false),
    );
    using model = await loadOnnx(rt, file, LIMITS);
    const data = Float32Array.from({ length: 16 }, (_, i) => i);
    const { y } = model.run({ i0: { data, shape: [1, 1, 4, 4] } });
    expect(y?.toArray()).toEqual(data.map((value) => 2 * value));
  });
});

describe("graphs that do not hold together", () => {
  const relu = (from: string, to: string): Node => ({ op: "Relu", inputs: [from], outputs: [to] });
  const base = { inputs: { x: [2] }, outputs: ["y"] };
  it.each<readonly [string, File, RegExp]>([
    [
      "a circle",
      { ...base, nodes: [relu("a", "b"), relu("b", "a"), relu("a", "y")] },
      /expected no circle, got one through "Relu-b"/,
    ],
    ["a node of itself", { ...base, nodes: [relu("y", "y")] }, /expected no circle, got one through "Relu-y"/],
    [
      "a value from nowhere",
      { ...base, nodes: [relu("w", "y")] },
      /"Relu-y" expected an input that something computes, got "w"/,
    ],
    [
      "an output from nowhere",
      { ...base, nodes: [relu("x", "z")] },
      /"outputs" expected a value that something computes, got "y"/,
    ],
    [
      "a value computed twice",
      { ...base, nodes: [relu("x", "y"), relu("x", "y")] },
      /"Relu-y" expected a new output name, got "y" again/,
    ],
    [
      "an input computed again",
      { ...base, nodes: [relu("x", "y"), relu("y", "x")] },
      /"Relu-x" expected a new output name/,
    ],
    ["no output", { ...base, outputs: [], nodes: [relu("x", "y")] }, /"outputs" expected at least one output/],
    [
      "two outputs of one",
      { ...base, outputs: ["y", "z"], nodes: [{ ...relu("x", "y"), outputs: ["y", "z"] }] },
      /"outputs" expected at most 1, got 2/,
    ],
    [
      "elements that are too few",
      { ...base, constants: { w: { dims: [5], data: new Float32Array(4) } }, nodes: [relu("w", "y")] },
      /"w" expected 20 bytes for float32 \[5\], got 16/,
    ],
    [
      "a weight of absurd size",
      { ...base, constants: { w: { dims: [HUGE, HUGE], data: new Float32Array(4) } }, nodes: [relu("w", "y")] },
      /"w" expected .* bytes for float32/,
    ],
    [
      "an input of absurd size",
      { ...base, inputs: { x: [HUGE, HUGE] }, nodes: [relu("x", "y")] },
      /node "Relu-y" \(Relu\): "/,
    ],
    [
      "an input of strings",
      { ...base, types: { x: 8 }, nodes: [relu("x", "y")] },
      /"x" expected a numeric element type, got type 8/,
    ],
  ])("%s", async (_, file, message) => {
    expect((await refusal(onnxFile(file))).message).toMatch(message);
  });

  it("name all that is missing at once", async () => {
    const nodes = [
      { op: "TfIdfVectorizer", inputs: ["x"], outputs: ["a"] },
      { op: "Relu", inputs: ["a"], outputs: ["b"] },
      { op: "Magic", domain: "my.own", inputs: ["b"], outputs: ["c"] },
      { op: "SequenceEmpty", inputs: ["c"], outputs: ["y"] },
    ];
    const error = await refusal(onnxFile({ ...base, nodes }));
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toMatch(/got SequenceEmpty, TfIdfVectorizer, my\.own\.Magic$/);
  });
});

describe("bytes that are no model", () => {
  const whole = onnxFile(fileOf(["Conv", [image, one], { strides: [1, 1] }], false));
  it.each<readonly [string, Uint8Array]>([
    ["none", new Uint8Array()],
    ["zeros", new Uint8Array(64)],
    ["a page", new TextEncoder().encode("<!doctype html><title>404</title>")],
    ["an archive", Uint8Array.of(0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8, 0)],
    ["a length beyond the end", Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x07)],
    ["a number that never ends", new Uint8Array(32).fill(0xff)],
    ["graphs in graphs", new Uint8Array(4096).fill(0x3a)],
  ])("%s", async (_, bytes) => {
    expect(await refusal(bytes)).toBeInstanceOf(ModelError);
  });

  it("a file that was cut anywhere", async () => {
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.subarray(0, length);
      // What a cut leaves may still hold together: fields can be left out.
      const error = await refusal(cut).catch((other: Error) => other);
      expect(error.message).toMatch(/"[^"]+" expected|nothing was refused/);
    }
  });
});
