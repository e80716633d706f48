// Normalisation and softmax as layers.
import { countOf } from "../../base/shape.js";
import { dynamicAt, type NodeLowering, param, tensorAt, through } from "./site.js";

const batchNorm: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => tensorAt(site, i));
  const isTraining =
    site.c.int("training_mode", 0) === 1 ||
    (site.c.opset < 7 && site.c.int("is_test", 0) === 0 && site.c.node.outputs.length > 1);
  if (!x || !scale || !bias || !mean || !variance || isTraining || x.shape.length < 2) return undefined;
  const params = [
    param(site, mean, "mean"),
    param(site, variance, "variance"),
    param(site, scale, "gamma"),
    param(site, bias, "beta"),
  ];
  return site.draft.add(site.layer, "batchNorm", [x], params, { epsilon: site.c.float("epsilon", 1e-5) });
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
