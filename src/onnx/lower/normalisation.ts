// Normalisation and softmax as layers.
import { countOf } from "../../base/shape.js";
import { dynamicAt, type NodeLowering, param, tensorAt, through } from "./site.js";

const batchNorm: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => tensorAt(site, i));
  if (!x || !scale || !bias || !mean || !variance || x.shape.length < 2) return undefined;
  const affine = [param(site, scale, "gamma"), param(site, bias, "beta")];
  const options = { epsilon: site.c.float("epsilon", 1e-5) };
  if (site.c.isTraining) {
    // Its running variance is PyTorch's, the standard's is not divided by n - 1.
    return site.c.outputs > 1
      ? undefined
      : site.draft.add(site.layer, "batchNormTrain", [x], affine, options).slice(0, 1);
  }
  const params = [param(site, mean, "mean"), param(site, variance, "variance"), ...affine];
  return site.draft.add(site.layer, "batchNorm", [x], params, options);
};

function softmax(op: "softmax" | "logSoftmax"): NodeLowering {
  return (site) => {
    const x = dynamicAt(site, 0);
    if (!x) return undefined;
    const { c, draft, layer } = site;
    const rank = x.shape.length;
    if (c.opset >= 13) return draft.add(layer, op, [x], [], { axis: c.axis("axis", c.int("axis", -1), rank) });
    const axis = c.axis("axis", c.int("axis", 1), rank);
    if (countOf(x.shape.slice(axis + 1)) === 1) return draft.add(layer, op, [x], [], { axis });
    const flat = draft.add(layer, "reshape", [x], [], {
      shape: [countOf(x.shape.slice(0, axis)), countOf(x.shape.slice(axis))],
    });
    return draft.add(layer, "reshape", draft.add(layer, op, flat, [], { axis: 1 }), [], { shape: x.shape });
  };
}

const lrn: NodeLowering = through("localResponseNorm", ({ c }) => ({
  size: c.int("size", 0),
  alpha: c.float("alpha", 1e-4),
  beta: c.float("beta", 0.75),
  bias: c.float("bias", 1),
}));

export const NORMALISATION_LAYERS: Readonly<Record<string, NodeLowering>> = {
  BatchNormalization: batchNorm,
  LRN: lrn,
  Softmax: softmax("softmax"),
  LogSoftmax: softmax("logSoftmax"),
};
