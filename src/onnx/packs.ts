// Which packs of kernels a file needs beyond the one of every runtime: by its operators alone, so that all shapes that come
// later are served too. More than it needs is a chunk loaded for nothing; less would be an error.
import { UnaryCode } from "../kernels/gen/constants.js";
import type { PackName } from "../kernels/table.js";
import type { Checked } from "./file/check.js";
import { ELEMENT_TYPES, type ElementType } from "./file/element-type.js";
import type { AttributeProto, NodeProto } from "./file/proto.js";

/** What src/onnx/lower brings to unary_f32, quantize_f32, dequantize_f32 and resize_f32. */
const NUMERIC: ReadonlySet<string> = new Set([
  ...Object.keys(UnaryCode),
  "Pow",
  "Resize",
  "Upsample",
  "ReduceL1",
  "ReduceL2",
  "ReduceLogSum",
  "QuantizeLinear",
  "DequantizeLinear",
  "DynamicQuantizeLinear",
  "ConvInteger",
  "MatMulInteger",
]);

const isWhole = (type: ElementType | undefined): boolean => type === "uint8" || type === "int8" || type === "int32";

/** A node, and those of its branches. */
const withBranches = (node: NodeProto): readonly NodeProto[] => [
  node,
  ...node.attributes.flatMap(({ g }) => g?.nodes.flatMap(withBranches) ?? []),
];

/** Whether an attribute, or a branch, holds a tensor of whole numbers. */
const holdsWhole = ({ t, g }: AttributeProto): boolean =>
  [...(t ? [t] : []), ...(g?.initializers ?? [])].some(({ dataType }) => isWhole(ELEMENT_TYPES[dataType]));

const castsTo = ({ attributes }: NodeProto): ElementType | undefined =>
  ELEMENT_TYPES[Number(attributes.find(({ name }) => name === "to")?.i)];

export function packsOf({ nodes, inputs, initializers }: Checked): readonly PackName[] {
  const all = nodes.flatMap(withBranches);
  // A maximum of whole numbers is one of floats, and needs numbers to begin with.
  const hasWhole =
    [...inputs, ...initializers.values()].some(({ type }) => isWhole(type)) ||
    all.some(({ attributes }) => attributes.some(holdsWhole));
  const needs = (node: NodeProto): boolean => {
    if (node.opType === "Cast") return /^float(16|32)$/.test(castsTo(node) ?? "");
    if (node.opType === "MaxPool") return hasWhole;
    return NUMERIC.has(node.opType) || node.opType.startsWith("QLinear");
  };
  return all.some(needs) ? ["numeric"] : [];
}
