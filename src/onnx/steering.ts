// Which inputs decide before a run: shapes of what is computed, and branches.
import { isIf } from "./file/node.js";
import type { NodeProto } from "./file/proto.js";

/** Inputs from which an operator's output shape follows. */
const SHAPE_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Tile: [1, 2],
  Range: [0, 1, 2],
  ConstantOfShape: [0],
  Slice: [1, 2, 3, 4],
  Pad: [1, 3],
  Resize: [1, 2, 3],
  Upsample: [1],
  TopK: [1],
  OneHot: [1],
  Unsqueeze: [1],
  Squeeze: [1],
  Split: [1],
  CenterCropPad: [1],
  MaxUnpool: [2],
  CumSum: [1],
  DFT: [1, 2],
  STFT: [1, 3],
  MelWeightMatrix: [0, 1],
  HannWindow: [0],
  HammingWindow: [0],
  BlackmanWindow: [0],
  Col2Im: [1, 2],
  AffineGrid: [1],
};

export const shapeInputsOf = ({ opType }: NodeProto): readonly number[] =>
  opType.startsWith("Reduce") ? [1] : (SHAPE_INPUTS[opType] ?? []);

/** The inputs of a node that say what its outputs' shapes are, or which branch it is. */
export const steering = (node: NodeProto): readonly string[] =>
  (isIf(node) ? [0] : shapeInputsOf(node)).map((i) => node.inputs[i] ?? "");
