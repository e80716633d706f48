// Convolutions whose weights a run computes, as layers.
import { convTranspose2d } from "../../ops/conv/conv-transpose2d.js";
import { conv2d } from "../../ops/conv/conv2d.js";
import { computed } from "../layers/computed.js";
import { transposedAxes, windowAxes } from "../semantics/windows.js";
import { dynamicAt, type NodeLowering, operandAt } from "./site.js";
import { pairOf, transposedOptions, windowOptions } from "./window.js";

const [CONV, CONV_TRANSPOSE] = [computed(conv2d, "Conv"), computed(convTranspose2d, "ConvTranspose")];

/** Panels are packed in every run: an algorithm that transforms weights would cost more than it saves. */
const conv: NodeLowering = (site) => {
  const [x, w] = [operandAt(site, 0), dynamicAt(site, 1)];
  const shape = site.inputs[0]?.shape ?? [];
  if (!w || shape.length !== 4 || site.inputs[2]) return undefined;
  const axes = windowAxes(site.c, shape.slice(2), w.shape.slice(2));
  const groups = site.c.int("group", 1);
  const isDepthwise = w.shape[1] === 1 && groups > 1 && w.shape[0] === groups;
  const options = {
    ...windowOptions(axes),
    dilation: pairOf(axes, (axis) => axis.dilation),
    groups,
    algorithm: isDepthwise ? "depthwise" : "implicit-gemm",
  };
  return site.draft.add(site.layer, CONV, [x, w], [], options);
};

const convTranspose: NodeLowering = (site) => {
  const [x, w] = [operandAt(site, 0), dynamicAt(site, 1)];
  const shape = site.inputs[0]?.shape ?? [];
  if (!w || shape.length !== 4 || site.inputs[2]) return undefined;
  const axes = transposedAxes(site.c, shape.slice(2), w.shape.slice(2));
  if (axes.some((axis) => axis.before < 0 || axis.after < 0)) return undefined;
  return site.draft.add(site.layer, CONV_TRANSPOSE, [x, w], [], transposedOptions(site, axes));
};

export const COMPUTED_LAYERS: Readonly<Record<string, NodeLowering>> = {
  ConvOfTwo: conv,
  ConvTransposeOfTwo: convTranspose,
};
