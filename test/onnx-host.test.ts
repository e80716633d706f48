// What the standard's own tests leave open about host operators.
import { describe, expect, it } from "vitest";
import type { PlainTensor } from "../src/onnx/file/plain-tensor.js";
import { type NodeProto, parseModel } from "../src/onnx/file/proto.js";
import { type Node, onnxFile } from "./onnx-file.js";
import { evaluate } from "./onnx-operators.js";
import { fill } from "./random.js";

function run(
  op: string,
  opset: number,
  inputs: readonly (PlainTensor | undefined)[],
  attributes: Node["attributes"] = {},
) {
  const names = inputs.map((t, i) => (t ? `i${i}` : ""));
  const file = onnxFile({ nodes: [{ op, inputs: names, outputs: ["y"], attributes }], inputs: {}, outputs: ["y"] });
  const [y] = evaluate(parseModel(file).graph?.nodes[0] as NodeProto, opset, inputs) as [PlainTensor];
  return y;
}

const floats = (shape: readonly number[], data = fill(shape, `${shape}`)): PlainTensor => ({
  type: "float32",
  shape,
  data,
});

describe("host operators", () => {
  it("know the interpolations of GridSample by both their names", () => {
    const [x, grid] = [floats([1, 2, 4, 5]), floats([1, 3, 4, 2])];
    for (const padding_mode of ["zeros", "border", "reflection"]) {
      for (const [old, name] of [
        ["bilinear", "linear"],
        ["bicubic", "cubic"],
      ] as const) {
        const y = run("GridSample", 16, [x, grid], { mode: old, padding_mode });
        expect(run("GridSample", 20, [x, grid], { mode: name, padding_mode }).data).toEqual(y.data);
      }
    }
  });

  it("multiply sizes by scales in float32", () => {
    const scales = floats([4], Float32Array.of(1, 1, 0.7, 2.6));
    expect(run("Resize", 13, [floats([1, 1, 10, 5]), undefined, scales]).shape).toEqual([1, 1, 7, 13]);
  });

  const integers = (type: "uint8" | "int8", ...values: number[]): PlainTensor => ({
    type,
    shape: [1, 1, 1, values.length],
    data: (type === "uint8" ? Uint8Array : Int8Array).from(values),
  });
  const widened = (x: PlainTensor, width: number, attributes: Node["attributes"]) => {
    const sizes: PlainTensor = { type: "int64", shape: [4], data: BigInt64Array.of(1n, 1n, 1n, BigInt(width)) };
    return [...(run("Resize", 18, [x, undefined, undefined, sizes], attributes).data as Uint8Array)];
  };

  it("cut integers towards zero that Resize interpolates, round antialiased ones, and wrap none", () => {
    // Half-pixel: 10, 10.25, 10.75, 11, and the same below zero.
    expect(widened(integers("uint8", 10, 11), 4, { mode: "linear" })).toEqual([10, 10, 10, 11]);
    expect(widened(integers("int8", -10, -11), 4, { mode: "linear" })).toEqual([-10, -10, -10, -11]);
    // Weights of thirds and sevenths: a plain image stays plain.
    for (const width of [3, 7, 9]) {
      for (const mode of ["linear", "cubic"])
        expect(widened(integers("uint8", 130, 130), width, { mode })).toEqual(new Array(width).fill(130));
    }
    // Triangles twice as wide, 1 3 3 1 eighths: (4 * 3 + 3 * 4 + 5) / 8 = 3.6 and (4 + 3 * 5 + 4 * 8) / 8 = 6.4.
    expect(widened(integers("uint8", 3, 4, 5, 8), 2, { mode: "linear", antialias: 1 })).toEqual([4, 6]);
    // A cubic overshoots both ends: 0 and 255 stay.
    const [low, , , high] = widened(integers("uint8", 0, 0, 255, 255), 8, { mode: "cubic" }).slice(2);
    expect([low, high]).toEqual([0, 255]);
  });

  it("Cast: of all numbers only zeros are false, so NaN is true", () => {
    const x = floats([6], Float32Array.of(Number.NaN, 0, -0, 1e-45, -2, Infinity));
    expect([...(run("Cast", 13, [x], { to: 9 }).data as Uint8Array)]).toEqual([1, 0, 0, 1, 1, 1]);
    const whole: PlainTensor = { type: "int64", shape: [2], data: BigInt64Array.of(0n, -3n) };
    expect([...(run("Cast", 13, [whole], { to: 9 }).data as Uint8Array)]).toEqual([0, 1]);
  });

  it("LogSoftmax of infinity is NaN throughout, as x - max is", () => {
    const x = floats([2, 3], Float32Array.of(Infinity, 1, 2, -Infinity, 0, 0));
    const [nan, minus] = [Number.NaN, -Infinity];
    const half = expect.closeTo(-Math.LN2, 6);
    expect([...(run("LogSoftmax", 13, [x]).data as Float32Array)]).toEqual([nan, nan, nan, minus, half, half]);
  });
});
