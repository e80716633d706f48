// Differences from onnxruntime 1.30 that are known: where, who is right by the standard's text, and why.

/** { name: the operator, or a pattern; message: a pattern; when: what else of the case; right: "lanewise" | "onnxruntime" | "either" }. */
const backwardToMost = ({ inputs }) =>
  inputs[2]?.data.some((end) => end === 2n ** 31n - 1n) && inputs[4]?.data.some((step) => step < 0);
const hasSameAxisOf1 = ({ inputs }) => inputs[1].data.slice(2).includes(1n);

const hasSpecials = ({ inputs }) => inputs[0].data.some((value) => !Number.isFinite(Number(value)));

/** A Resize by scales that are not 1 where sizes stay: of all axes, or, with antialias, of one. */
function movesWhatItKeeps({ inputs: [x, ...others], attributes }) {
  const scales = others.length < 3 ? others.at(-1)?.data : undefined;
  if (scales === undefined) return false;
  const keeps = (scale, axis) => Math.floor(x.shape[axis] * scale) === x.shape[axis];
  return attributes.antialias ? scales.some((scale, axis) => scale !== 1 && keeps(scale, axis)) : scales.every(keeps);
}

const KNOWN = [
  {
    message: /^onnxruntime refuses: Could not find an implementation/,
    right: "lanewise",
    reason: "onnxruntime has no kernel of this operator set or type",
  },
  {
    name: "Slice",
    when: backwardToMost,
    right: "lanewise",
    reason:
      "backwards, INT_MAX is an end at the last element (text of Slice-10: clamped to [-1, dims - 1]); onnxruntime takes it as before the first",
  },
  {
    name: "Split",
    message: /exceeds the remaining size|must be non-negative/,
    right: "either",
    reason:
      "num_outputs of more parts than there are chunks: the last ones are empty here, onnxruntime refuses; the text says only that the last is smaller",
  },
  {
    name: "AffineGrid",
    when: (one) => one.attributes.align_corners === 1 && hasSameAxisOf1(one),
    right: "either",
    reason: "align_corners of one pixel divides 0 by 0 in the reference; 0 here, as PyTorch has it",
  },
  {
    name: "Dropout",
    message: /^y1:/,
    when: ({ opset }) => opset < 12,
    right: "either",
    reason: "the mask of inference, before operator set 12 said that it is all true: onnxruntime answers false",
  },
  {
    name: /Pool$/,
    message: /shape/,
    when: ({ attributes }) => attributes.auto_pad?.startsWith("SAME") && attributes.dilations,
    right: "lanewise",
    reason: "SAME pads to ceil(input / stride) outputs, dilated too; onnxruntime leaves out the dilation",
  },
  {
    name: /Pool$/,
    when: ({ attributes: { auto_pad: pad, strides, kernel_shape: kernel } }) =>
      pad?.startsWith("SAME") && strides?.some((stride, i) => stride > kernel[i]),
    right: "either",
    reason:
      "SAME where strides pass over kernels: the text's padding is negative; 0 here, as TensorFlow has it, cropped or refused there",
  },
  {
    name: /Conv/,
    message: /Dilation not supported for AutoPadType/,
    right: "lanewise",
    reason: "SAME with dilation, which the text allows, is refused there",
  },
  {
    name: "ConvTranspose",
    message: /shape/,
    when: ({ attributes: { auto_pad: pad, strides } }) => pad?.startsWith("SAME") && strides,
    right: "lanewise",
    reason: "SAME has input * stride outputs, also where strides are larger than kernels; onnxruntime then has fewer",
  },
  {
    name: "Flatten",
    message: /Type 'tensor\(\w+\)' of input/,
    right: "either",
    reason: "types that a later operator set adds are taken in earlier ones, too",
  },
  {
    name: /(Gelu|Swish)$/,
    message: /: 0 \/ NaN/,
    right: "onnxruntime",
    reason: "of -Infinity the formula is -Infinity * 0, NaN; 0 here, the limit",
  },
  {
    name: "Resize",
    when: movesWhatItKeeps,
    right: "lanewise",
    reason:
      "scales that leave a size as it is move coordinates all the same; onnxruntime copies the input, or with antialias the axis",
  },
  {
    name: /Max|Min/,
    when: ({ inputs }) => inputs[0].data.some(Number.isNaN),
    right: "lanewise",
    reason:
      "the largest of numbers with NaN is NaN, as NumPy has it (the reference), wherever it stands; onnxruntime passes over some",
  },
  {
    name: "LRN",
    message: / NaN$/,
    right: "lanewise",
    reason:
      "infinity in a window makes the sum infinite and its neighbours 0; onnxruntime takes leaving values off a running sum, and has NaN",
  },
  {
    name: /^(Hardmax|TopK)$/,
    when: ({ inputs }) => inputs[0].data.some(Number.isNaN),
    right: "either",
    reason: "which is the largest element of a row with NaN nobody says",
  },
  {
    name: /^Cast/,
    when: hasSpecials,
    right: "either",
    reason: "whole numbers of NaN and infinity are undefined (the text's table): 0 or the ends of the type here",
  },
  {
    name: /^(LSTM|GRU|RNN)$/,
    when: hasSpecials,
    right: "lanewise",
    reason: "onnxruntime cuts activations' operands to a range, by which NaN becomes a number",
  },
  {
    name: "Unique",
    when: hasSpecials,
    right: "lanewise",
    reason: "NaN is an element of its own, as NumPy has it (the reference); onnxruntime's order of a set breaks on it",
  },
  {
    message: /Pad\([^)]*\) \{\}, MaxPool\(/,
    right: "lanewise",
    reason: "a Pad of zeros in front of MaxPool: onnxruntime makes it the pool's own padding, which is -Infinity",
  },
  {
    name: "MaxPool",
    message: /ShapeInferenceError/,
    when: ({ attributes }) => attributes.ceil_mode === 1,
    right: "lanewise",
    reason: "ceil_mode with a last window in the padding: onnxruntime's shape inference counts it, its kernel does not",
  },
  {
    name: "DequantizeLinear",
    message: /_q\) Op \(QuantizeLinear\)/,
    right: "lanewise",
    reason:
      "onnxruntime moves DequantizeLinear of int8 behind nodes that move elements, and its QuantizeLinear does not fit",
  },
];

export function knownOf(one, message) {
  return KNOWN.find(
    ({ name = /./, message: pattern = /./, when = () => true }) =>
      (typeof name === "string" ? name === one.name : name.test(one.name)) && pattern.test(message) && when(one),
  );
}
