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
});
