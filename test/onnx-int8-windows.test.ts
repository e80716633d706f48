// Windows of lines and volumes of bytes, and layers of real numbers between bytes: which layers they become and why, and what they
// answer, by formulas written here.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime, type Runtime, type Tensor } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { INT8_BINARIES } from "./binaries.js";
import { type File, type Node, node, onnxFile, typed } from "./onnx-file.js";
import { random } from "./random.js";
import { roundToEven } from "./reference.js";

const f = Math.fround;
const UINT8 = 2;
const QUANTA = {
  xs: typed("float32", [], [0.03]),
  xz: typed("uint8", [], [100]),
  ys: typed("float32", [], [0.041]),
  yz: typed("uint8", [], [90]),
};
const [xs, ys] = [f(0.03), f(0.041)];
const store = (value: number) => Math.min(255, Math.max(0, value));

const bytesOf = (shape: readonly number[], seed: string): number[] => {
  const { integer } = random(seed);
  return Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => integer(0, 255));
};

interface Line {
  readonly kernel: number;
  readonly stride: number;
  readonly pads: readonly [number, number];
  readonly isCeil?: boolean;
  readonly countsPadding?: boolean;
}

/** Where each window begins and ends, cut to the padded line. */
function windowsOf(
  size: number,
  { kernel, stride, pads: [before, after], isCeil }: Line,
): (readonly [number, number])[] {
  const free = (size + before + after - kernel) / stride;
  let count = (isCeil ? Math.ceil(free) : Math.floor(free)) + 1;
  if (isCeil && (count - 1) * stride >= size + before) count--;
  return Array.from({ length: count }, (_, i) => {
    const start = i * stride - before;
    return [start, Math.min(start + kernel, size + after)] as const;
  });
}

const inside = (start: number, end: number, size: number) =>
  Array.from({ length: end - start }, (_, i) => start + i).filter((at) => at >= 0 && at < size);

describe.each(INT8_BINARIES)("lines and volumes of bytes on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => {
    expect(rt.report().liveTensors).toBe(0);
    rt.dispose();
  });

  async function answer(file: Omit<File, "inputs">, shape: readonly number[], x: readonly number[]) {
    using model = await loadOnnx(rt, onnxFile({ ...file, inputs: { x: shape }, types: { x: UINT8 } }));
    const { y } = model.run({ x: { data: Uint8Array.from(x), shape } } as never);
    const { rows } = model.summary();
    return { y: Array.from((y as Tensor).toArray() as Float32Array), ops: rows.map(({ op }) => op), rows };
  }
  const between = (one: Node, back: readonly [string, string] = ["ys", "yz"]) => ({
    nodes: [node("DequantizeLinear", ["x", "xs", "xz"], ["real"]), one, node("QuantizeLinear", ["v", ...back], ["y"])],
    outputs: ["y"],
    constants: QUANTA,
  });

  const LINES: readonly (readonly [string, Line])[] = [
    ["3 in steps of 2", { kernel: 3, stride: 2, pads: [1, 1] }],
    ["2, the last beyond the line", { kernel: 2, stride: 2, pads: [0, 0], isCeil: true }],
    [
      "3, padding counted, the last beyond it",
      { kernel: 3, stride: 2, pads: [1, 1], isCeil: true, countsPadding: true },
    ],
  ];
  const shape = [2, 5, 12];
  const [N, C, L] = shape as [number, number, number];
  const attributesOf = ({ kernel, stride, pads, isCeil }: Line) => ({
    kernel_shape: [kernel],
    strides: [stride],
    pads,
    ceil_mode: Number(isCeil ?? false),
  });
  const channels = Array.from({ length: N * C }, (_, i) => i * L);

  it.each(LINES)("greatest of %s", async (name, line) => {
    const x = bytesOf(shape, name);
    const wanted = channels.flatMap((at) =>
      windowsOf(L, line).map(([start, end]) => Math.max(...inside(start, end, L).map((i) => x[at + i] as number))),
    );
    const { y, ops } = await answer(
      between(node("MaxPool", ["real"], ["v"], attributesOf(line)), ["xs", "xz"]),
      shape,
      x,
    );
    expect(y).toEqual(wanted);
    expect(ops).toContain("maxPool q8");
    expect(ops.filter((op) => op.endsWith("oat q8"))).toEqual([]);
  });

  it.each(
    LINES.flatMap(
      ([name, line]) =>
        [
          [name, "AveragePool", line],
          [name, "QLinearAveragePool", line],
        ] as const,
    ),
  )("means of %s, %s", async (name, op, line) => {
    const x = bytesOf(shape, name);
    const own = { ...attributesOf(line), count_include_pad: Number(line.countsPadding ?? false) };
    const wanted = channels.flatMap((at) =>
      windowsOf(L, line).map(([start, end]) => {
        const places = inside(start, end, L);
        const sum = places.reduce((total, i) => f(total + f(((x[at + i] as number) - 100) * xs)), 0);
        const mean = f(sum / (line.countsPadding ? end - start : places.length));
        return store(roundToEven(f(f(mean / ys) + 90)));
      }),
    );
    const file =
      op === "AveragePool"
        ? between(node(op, ["real"], ["v"], own))
        : {
            nodes: [{ ...node(op, ["x", "xs", "xz", "ys", "yz"], ["y"], own), domain: "com.microsoft" }],
            outputs: ["y"],
            constants: QUANTA,
          };
    const { y, ops } = await answer(file, shape, x);
    expect(y).toEqual(wanted);
    expect(ops).toContain("averagePool q8");
  });

  it.each([[[2, 3, 17]], [[1, 3, 4, 3, 5]]])("means of all of %s", async (size) => {
    const x = bytesOf(size, "all");
    const count = size.slice(2).reduce((a, b) => a * b, 1);
    const wanted = Array.from({ length: x.length / count }, (_, i) => {
      const sum = x.slice(i * count, (i + 1) * count).reduce((total, byte) => total + byte - 100, 0);
      return store(roundToEven(f(f(sum) * f(xs / f(ys * count)))) + 90);
    });
    const { y, ops } = await answer(between(node("GlobalAveragePool", ["real"], ["v"])), size, x);
    expect(y).toEqual(wanted);
    expect(ops).toContain("globalMean q8");
  });
});

describe("real numbers between bytes", () => {
  const channels = { scale: typed("float32", [4], [1, 2, 0.5, 1]), shift: typed("float32", [4], [0, 0.1, 0.2, 0.3]) };
  const filters = typed(
    "float32",
    [4, 3, 2, 2],
    bytesOf([48], "filters").map((byte) => byte / 100 - 1.2),
  );
  const CASES: readonly (readonly [string, readonly number[], Node, string])[] = [
    ["Softmax", [2, 9], node("Softmax", ["real"], ["v"], { axis: -1 }), "no function of one byte"],
    [
      "LayerNormalization",
      [3, 4],
      node("LayerNormalization", ["real", "scale", "shift"], ["v"]),
      "no function of one byte",
    ],
    [
      "ConvTranspose",
      [1, 4, 3, 3],
      node("ConvTranspose", ["real", "w"], ["v"], { strides: [2, 2] }),
      "a transposed convolution",
    ],
    [
      "AveragePool of a volume",
      [1, 2, 4, 4, 4],
      node("AveragePool", ["real"], ["v"], { kernel_shape: [2, 2, 2] }),
      "windows of volumes",
    ],
  ];
  it.each(CASES)(
    "%s says why it is of float32, and bytes become real numbers once on either side",
    async (_, shape, one, why) => {
      using rt = await createRuntime();
      const constants = { ...QUANTA, ...channels, w: filters };
      const nodes = [
        node("DequantizeLinear", ["x", "xs", "xz"], ["real"]),
        one,
        node("QuantizeLinear", ["v", "ys", "yz"], ["y"]),
      ];
      const build = (outputs: readonly string[]) =>
        onnxFile({
          nodes: nodes.slice(0, outputs[0] === "y" ? 3 : 2),
          inputs: { x: shape },
          types: { x: UINT8 },
          outputs,
          constants,
        });
      using model = await loadOnnx(rt, build(["y"]));
      using reals = await loadOnnx(rt, build(["v"]));
      const x = { data: Uint8Array.from(bytesOf(shape, "real")), shape };
      const y = Array.from((model.run({ x } as never)["y"] as Tensor).toArray() as Float32Array);
      const v = Array.from((reals.run({ x } as never)["v"] as Tensor).toArray() as Float32Array);
      expect(y).toEqual(v.map((value) => store(roundToEven(f(value / ys)) + 90)));
      const { rows } = model.summary();
      expect(rows.filter(({ op }) => op === "toFloat q8" || op === "from uint8")).toHaveLength(1);
      expect(rows.filter(({ op }) => op === "fromFloat q8" || op === "to uint8")).toHaveLength(1);
      expect(rows.some(({ reason }) => reason.startsWith(`float: ${why}`))).toBe(true);
      expect(rows.some(({ reason }) => reason === "JavaScript")).toBe(false);
    },
  );
});
