// Operators that few networks have, on numbers worked out by hand.
import { describe, expect, it } from "vitest";
import { ARRAYS, type ElementType } from "../src/onnx/file/element-type.js";
import type { PlainTensor } from "../src/onnx/file/plain-tensor.js";
import { type NodeProto, parseModel } from "../src/onnx/file/proto.js";
import { type Node, onnxFile } from "./onnx-file.js";
import { evaluate } from "./onnx-operators.js";
import { fill } from "./random.js";

function tensor(type: ElementType, shape: readonly number[], values: readonly number[]): PlainTensor {
  const data = /int64/.test(type)
    ? BigInt64Array.from(values, BigInt)
    : (ARRAYS[type] as Float32ArrayConstructor).from(values);
  return { type, shape, data: data as PlainTensor["data"] };
}
const floats = (shape: readonly number[], ...values: number[]) => tensor("float32", shape, values);
const ints = (...values: number[]) => tensor("int64", [values.length], values);
const int = (value: number) => tensor("int64", [], [value]);

function all(
  op: string,
  inputs: readonly (PlainTensor | undefined)[],
  attributes: Node["attributes"] = {},
  opset = 20,
) {
  const names = inputs.map((t, i) => (t ? `i${i}` : ""));
  const outputs = ["y", "a", "b", "c"];
  const file = onnxFile({ nodes: [{ op, inputs: names, outputs, attributes }], inputs: {}, outputs: ["y"] });
  return evaluate(parseModel(file).graph?.nodes[0] as NodeProto, opset, inputs);
}
const run = (...args: Parameters<typeof all>): { shape: readonly number[]; values: number[] } => {
  const [y] = all(...args) as [PlainTensor];
  return { shape: y.shape, values: Array.from(y.data as ArrayLike<number>, Number) };
};
function close(got: readonly number[], want: readonly number[], digits = 6): void {
  expect(got.length).toBe(want.length);
  want.forEach((value, i) => {
    expect(got[i]).toBeCloseTo(value, digits);
  });
}

describe("rare operators", () => {
  it("ReverseSequence turns the first elements, along either axis", () => {
    const x = floats([3, 2], 0, 1, 2, 3, 4, 5);
    expect(run("ReverseSequence", [x, ints(3, 2)]).values).toEqual([4, 3, 2, 1, 0, 5]);
    const turned = run("ReverseSequence", [x, ints(2, 1, 0)], { batch_axis: 0, time_axis: 1 });
    expect(turned.values).toEqual([1, 0, 2, 3, 4, 5]);
    expect(() => run("ReverseSequence", [x, ints(4, 2)])).toThrow(/"sequence_lens" expected 0 to 3, got 4/);
  });

  it("Col2Im adds up what lies on each other", () => {
    // 2x2 blocks at the four places of a 3x3 image, all ones: how many blocks reach each pixel.
    const y = run("Col2Im", [floats([1, 4, 4], ...new Array<number>(16).fill(1)), ints(3, 3), ints(2, 2)]);
    expect(y).toEqual({ shape: [1, 1, 3, 3], values: [1, 2, 1, 2, 4, 2, 1, 2, 1] });
    // One axis, a stride of 2, one element of padding: taps of place p are at 2p - 1 and 2p.
    const row = run("Col2Im", [floats([1, 2, 2], 1, 2, 3, 4), ints(3), ints(2)], { strides: [2], pads: [1, 0] });
    expect(row).toEqual({ shape: [1, 1, 3], values: [3, 2, 4] });
    expect(() => run("Col2Im", [floats([1, 4, 3], ...fill([12], "c")), ints(3, 3), ints(2, 2)])).toThrow(
      /"input" expected/,
    );
  });

  it("AffineGrid is the middle of pixels, or their corners", () => {
    const theta = floats([1, 2, 3], 1, 0, 0, 0, 2, 0.5);
    const middle = run("AffineGrid", [theta, ints(1, 1, 2, 2)]);
    expect(middle.shape).toEqual([1, 2, 2, 2]);
    close(middle.values, [-0.5, -0.5, 0.5, -0.5, -0.5, 1.5, 0.5, 1.5]);
    close(
      run("AffineGrid", [theta, ints(1, 1, 2, 2)], { align_corners: 1 }).values,
      [-1, -1.5, 1, -1.5, -1, 2.5, 1, 2.5],
    );
    const cube = floats([1, 3, 4], 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0);
    const [x, y, z] = run("AffineGrid", [cube, ints(1, 1, 1, 2, 4)]).values;
    close([x, y, z] as number[], [-0.75, -0.5, 0]);
  });

  it("Det, of a batch, with rows that have to change places", () => {
    expect(run("Det", [floats([2, 2, 2], 1, 2, 3, 4, 0, 1, 1, 0)])).toEqual({ shape: [2], values: [-2, -1] });
    expect(run("Det", [floats([3, 3], 2, 0, 1, 0, 3, 0, 1, 0, 1)]).values).toEqual([3]);
  });

  it("Unique, sorted and in the order of their first places, with where and how often", () => {
    const x = floats([6], 2, 1, 1, 3, 4, 3);
    const values = (ts: readonly PlainTensor[]) => ts.map(({ data }) => Array.from(data as ArrayLike<number>, Number));
    expect(values(all("Unique", [x]))).toEqual([
      [1, 2, 3, 4],
      [1, 0, 3, 4],
      [1, 0, 0, 2, 3, 2],
      [2, 1, 2, 1],
    ]);
    expect(values(all("Unique", [x], { sorted: 0 }))[0]).toEqual([2, 1, 3, 4]);
    const rows = all("Unique", [floats([3, 3], 1, 0, 0, 1, 0, 0, 2, 3, 4)], { axis: 0 });
    expect(rows[0]?.shape).toEqual([2, 3]);
    expect(values(rows)[0]).toEqual([1, 0, 0, 2, 3, 4]);
    const columns = all("Unique", [floats([2, 3], 5, 0, 5, 6, 1, 6)], { axis: 1 });
    expect(values(columns).slice(0, 3)).toEqual([
      [0, 5, 1, 6],
      [1, 0],
      [1, 0, 1],
    ]);
  });

  it("bits, of 8 to 64", () => {
    const [a, b] = [tensor("uint8", [3], [12, 255, 7]), tensor("uint8", [1], [10])];
    expect(run("BitwiseAnd", [a, b]).values).toEqual([8, 10, 2]);
    expect(run("BitwiseOr", [a, b]).values).toEqual([14, 255, 15]);
    expect(run("BitwiseXor", [a, b]).values).toEqual([6, 245, 13]);
    expect(run("BitwiseNot", [a]).values).toEqual([243, 0, 248]);
    const [big, mask] = [ints(2 ** 40 + 5, -1), ints(2 ** 40 + 4, 3)];
    expect(run("BitwiseAnd", [big, mask]).values).toEqual([2 ** 40 + 4, 3]);
    expect(run("BitwiseNot", [big]).values).toEqual([-(2 ** 40) - 6, 0]);
    expect(() => run("BitwiseAnd", [floats([1], 1), floats([1], 1)])).toThrow(/"A", "B" expected whole numbers/);
  });
});

describe("signals", () => {
  /** The sum that a transform is, one element at a time. */
  const naive = (re: readonly number[], im: readonly number[], sign: number): number[] =>
    re.flatMap((_, k) => {
      let [sumRe, sumIm] = [0, 0];
      re.forEach((x, j) => {
        const angle = (sign * 2 * Math.PI * j * k) / re.length;
        sumRe += x * Math.cos(angle) - (im[j] as number) * Math.sin(angle);
        sumIm += x * Math.sin(angle) + (im[j] as number) * Math.cos(angle);
      });
      return [sumRe, sumIm];
    });

  it.each([1, 2, 3, 5, 8, 12, 16, 31])("DFT of %i numbers, there and back", (n) => {
    const data = fill([n, 2], `dft${n}`);
    const [re, im] = [0, 1].map((part) => Array.from({ length: n }, (_, i) => data[2 * i + part] as number)) as [
      number[],
      number[],
    ];
    const x = floats([1, n, 2], ...data);
    close(run("DFT", [x]).values, naive(re, im, -1), 5);
    close(
      run("DFT", [x], { inverse: 1 }).values,
      naive(re, im, 1).map((v) => v / n),
      5,
    );
    const real = floats([1, n, 1], ...re);
    const half = run("DFT", [real], { onesided: 1 });
    expect(half.shape).toEqual([1, Math.floor(n / 2) + 1, 2]);
    close(
      half.values,
      naive(
        re,
        re.map(() => 0),
        -1,
      ).slice(0, half.values.length),
      5,
    );
  });

  it("DFT along another axis, as an attribute and as an input, with zeros behind or cut", () => {
    const x = floats([1, 2, 3, 1], 1, 2, 3, 4, 5, 6);
    const want = [5, 0, 7, 0, 9, 0, -3, 0, -3, 0, -3, 0];
    close(run("DFT", [x], { axis: 1 }, 17).values, want);
    close(run("DFT", [x, undefined, int(1)]).values, want);
    close(run("DFT", [floats([1, 2, 1], 1, 2), int(4)]).values, [3, 0, 1, -2, -1, 0, 1, 2]);
    close(run("DFT", [floats([1, 3, 1], 1, 2, 9), int(2)]).values, [3, 0, -1, 0]);
  });

  it("STFT is a DFT of each windowed stretch", () => {
    const signal = floats([1, 6, 1], 1, 2, 3, 4, 5, 6);
    const y = run("STFT", [signal, int(2), floats([4], 1, 1, 0.5, 0)]);
    expect(y.shape).toEqual([1, 2, 3, 2]);
    // 1 2 1.5 0, and 3 4 2.5 0
    close(y.values, [4.5, 0, -0.5, -2, 0.5, 0, 9.5, 0, 0.5, -4, 1.5, 0]);
    expect(run("STFT", [signal, int(2), undefined, int(4)], { onesided: 0 }).shape).toEqual([1, 2, 4, 2]);
  });

  it("windows", () => {
    close(run("HannWindow", [int(4)]).values, [0, 0.5, 1, 0.5]);
    close(run("HannWindow", [int(3)], { periodic: 0 }).values, [0, 1, 0]);
    close(run("HammingWindow", [int(2)]).values, [4 / 46, 1]);
    close(run("BlackmanWindow", [int(2)]).values, [0, 1]);
  });

  it("MelWeightMatrix is triangles over the bins of a spectrum", () => {
    // mel(0) = 0, mel(4000) = 2146.06; 429.21 apart: 0, 324.5, 799.4, 1494.6 Hz are bins 0, 0.69, 1.7 and 3.18 of 17 / 8000.
    const y = run("MelWeightMatrix", [int(3), int(16), int(8000), floats([], 0), floats([], 4000)]);
    expect(y.shape).toEqual([9, 3]);
    close(y.values.slice(0, 12), [1, 0, 0, 0, 1, 0, 0, 0.5, 0.5, 0, 0, 1]);
  });
});
