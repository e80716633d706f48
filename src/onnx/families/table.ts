// Which operators come with which family: code that is fetched when a file has a use for it. Families are modules of this folder;
// the entries say how each is loaded. What every file may need is in base.ts, and always there.

import type { PackName } from "../../kernels/table.js";

/**
 * What a family has of its operators: in plain JavaScript, as layers of float32, as layers of other types, as layers of whole numbers,
 * where these do, before any other; as other operators; forms of them that no layer does, as other operators; rewrites of graphs that
 * have them.
 */
export type Role = "HOST" | "FLOATS" | "OTHERS" | "WHOLE" | "PARTS" | "FORMS" | "GRAPHS";

/**
 * The operators that a family has in each role, the kernels of its layers beyond those of every runtime, and the operators that its
 * PARTS and FORMS are made of, one of each family.
 */
export type FamilyRow = Readonly<Partial<Record<Role, string>>> & { readonly pack?: PackName; readonly uses?: string };

/**
 * Names of operators, as operatorName() answers them. Code that two families share comes with the first of them: those of layers,
 * which more files need, are before those in JavaScript.
 */
export const FAMILIES = {
  "layers-reduction": {
    FLOATS: "ReduceSum ReduceMean ReduceMax ReduceMin ReduceSumSquare",
  },
  // Half is no operator of ONNX: Cast asks for it.
  "layers-functions": {
    pack: "numeric",
    FLOATS:
      "Exp Log Sin Cos Erf Sqrt Abs Floor Ceil Round Reciprocal Half Sign Pow ReduceL1 ReduceL2 ReduceLogSum LayerNormalization RMSNormalization InstanceNormalization GroupNormalization",
  },
  "layers-resize": { pack: "numeric", FLOATS: "Resize Upsample" },
  "layers-quantised": {
    pack: "numeric",
    OTHERS:
      "QuantizeLinear DequantizeLinear Cast QLinearConv ConvInteger QLinearMatMul MatMulInteger MaxPool com.microsoft.QuantizeLinear com.microsoft.DequantizeLinear com.microsoft.QLinearAdd com.microsoft.QLinearMul com.microsoft.QLinearSigmoid com.microsoft.QLinearLeakyRelu com.microsoft.QLinearAveragePool com.microsoft.QLinearGlobalAveragePool com.microsoft.QLinearSoftmax com.microsoft.QLinearConcat com.microsoft.QGemm",
  },
  "layers-computed": { FLOATS: "ConvOfTwo ConvTransposeOfTwo" },
  // Names that end in OfTwo or OfPlaces, and Convert, are what forms of operators are made of.
  "layers-rare": {
    pack: "rare",
    FLOATS: "ReduceProd Softplus Mish Shrink ThresholdedRelu PowOfTwo MaxPoolOfPlaces",
    OTHERS:
      "Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor Not Where Add Sub Mul Div Max Min Mod ArgMax ArgMin CumSum Convert",
  },
  "layers-picking": { pack: "rare", OTHERS: "GatherOfTwo GatherElements GatherND" },
  "layers-sampling": { pack: "rare", OTHERS: "GridSample RoiAlign DeformColumns" },
  "layers-recurrent": { pack: "recurrent", FLOATS: "LSTM GRU RNN" },
  // Spectra is no operator of ONNX: Conv asks for it where its filters may be waves.
  "layers-audio": { pack: "audio", FLOATS: "STFT DFT", GRAPHS: "Spectra" },
  // Layers of bytes, which rewrites of quantised graphs make.
  "layers-int8": {
    pack: "int8",
    WHOLE:
      "QuantizeLinear DequantizeLinear QLinearConv QLinearMatMul ConvInteger MatMulInteger com.microsoft.QuantizeLinear com.microsoft.DequantizeLinear com.microsoft.QLinearAdd com.microsoft.QLinearMul com.microsoft.QLinearSigmoid com.microsoft.QLinearLeakyRelu com.microsoft.QLinearAveragePool com.microsoft.QLinearGlobalAveragePool com.microsoft.QLinearSoftmax com.microsoft.QLinearConcat com.microsoft.QGemm",
  },
  "layers-dynamic": { pack: "int8", OTHERS: "DynamicQuantizeLinear" },
  "host-network": {
    HOST: "Conv ConvTranspose DeformConv MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool GlobalLpPool MaxUnpool MatMul Gemm Einsum Softmax LogSoftmax Hardmax LpNormalization LayerNormalization RMSNormalization InstanceNormalization GroupNormalization BatchNormalization MeanVarianceNormalization LRN ConvOfTwo ConvTransposeOfTwo MaxPoolOfPlaces DeformColumns",
  },
  "host-movement": { HOST: "Split Pad Tile DepthToSpace SpaceToDepth EyeLike Trilu CenterCropPad" },
  "host-picking": {
    HOST: "GatherElements GatherND Scatter ScatterElements ScatterND OneHot NonZero Compress",
  },
  "host-reduction": {
    HOST: "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp ArgMax ArgMin TopK CumSum",
  },
  "host-image": { HOST: "Resize Upsample GridSample RoiAlign NonMaxSuppression" },
  "graph-folds": { GRAPHS: "Pad BatchNormalization Sub Mul Div" },
  "graph-moves": { GRAPHS: "Transpose" },
  // Views are code that it shares with graph-moves, which comes first.
  "graph-attention": { GRAPHS: "MatMul" },
  "file-functions": {},
  "late-stages": {},
  // No operators: what computes layers of float32 on weights of fewer bits. Its packs are those of their type.
  weights: {},
  "parts-fused": {
    PARTS:
      "com.microsoft.FusedConv com.microsoft.FusedMatMul com.microsoft.FusedGemm com.microsoft.Gelu com.microsoft.QuickGelu com.microsoft.FastGelu com.microsoft.BiasGelu com.microsoft.SkipLayerNormalization com.microsoft.SkipSimplifiedLayerNormalization SimplifiedLayerNormalization",
    uses: "Conv LayerNormalization",
  },
  "parts-dynamic": {
    PARTS: "com.microsoft.DynamicQuantizeMatMul com.microsoft.MatMulIntegerToFloat",
    uses: "DynamicQuantizeLinear MatMulInteger",
  },
  "parts-attention": {
    PARTS:
      "Attention RotaryEmbedding com.microsoft.RotaryEmbedding com.microsoft.Attention com.microsoft.MultiHeadAttention",
    uses: "MatMul Split",
  },
  "forms-network": {
    FORMS: "Cast Gemm Conv ConvTranspose DeformConv MaxPool AveragePool GlobalMaxPool GlobalAveragePool",
    uses: "ConvOfTwo Pad",
  },
  "forms-other": {
    FORMS:
      "Pow Trilu Tile Hardmax Einsum Selu Celu Softsign Mean SpaceToDepth CenterCropPad ReduceLogSumExp LpNormalization MeanVarianceNormalization",
    uses: "MatMul ReduceMax Abs Pad PowOfTwo",
  },
  "host-recurrent": { HOST: "LSTM GRU RNN" },
  "host-signal": { HOST: "DFT STFT MelWeightMatrix HannWindow HammingWindow BlackmanWindow" },
  "host-rare": {
    HOST: "ReverseSequence Col2Im AffineGrid Det Unique BitwiseAnd BitwiseOr BitwiseXor BitwiseNot",
  },
  "host-quantising": {
    HOST: "QuantizeLinear DequantizeLinear DynamicQuantizeLinear com.microsoft.QuantizeLinear com.microsoft.DequantizeLinear",
  },
  "host-control": { HOST: "If Loop Scan" },
  "host-quantised": {
    HOST: "MatMulInteger ConvInteger QLinearMatMul QLinearConv com.microsoft.QLinearAdd com.microsoft.QLinearMul com.microsoft.QLinearSigmoid com.microsoft.QLinearLeakyRelu com.microsoft.QLinearAveragePool com.microsoft.QLinearGlobalAveragePool com.microsoft.QLinearSoftmax com.microsoft.QLinearConcat com.microsoft.QGemm",
  },
} as const satisfies Readonly<Record<string, FamilyRow>>;

export type FamilyName = keyof typeof FAMILIES;

function byOperator(role: Role): ReadonlyMap<string, FamilyName> {
  const families = new Map<string, FamilyName>();
  for (const [family, roles] of Object.entries<FamilyRow>(FAMILIES) as [FamilyName, FamilyRow][])
    for (const operator of roles[role]?.split(" ") ?? []) families.set(operator, family);
  return families;
}

/** The family that has an operator in a role. */
export const FAMILY_OF: Readonly<Record<Role, ReadonlyMap<string, FamilyName>>> = {
  HOST: byOperator("HOST"),
  FLOATS: byOperator("FLOATS"),
  OTHERS: byOperator("OTHERS"),
  WHOLE: byOperator("WHOLE"),
  PARTS: byOperator("PARTS"),
  FORMS: byOperator("FORMS"),
  GRAPHS: byOperator("GRAPHS"),
};

/** Thrown where an operator's family is not there yet: whoever loads the model loads it, and starts again. */
export class NotLoaded extends Error {
  constructor(readonly family: FamilyName) {
    super(`"${family}" expected to be loaded, got a use before`);
  }
}
