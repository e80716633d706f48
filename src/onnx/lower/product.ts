// Matrix products as layers.
import { countOf } from "../../base/shape.js";
import { writerOf } from "../../model/weights.js";
import type { Dynamic } from "../draft.js";
import { Deferred, numbers, type PlainTensor, reshaped } from "../file/plain-tensor.js";
import { broadcast, transpose } from "../host/indexing.js";
import { make } from "../host/make.js";
import { dynamicAt, madeOf, type NodeLowering, operandAt, param, type Site, tensorAt, varies } from "./site.js";

const gemm: NodeLowering = (site) => {
  const [x, w] = [dynamicAt(site, 0), tensorAt(site, 1)];
  const { c, draft, layer } = site;
  if (!x || !w || x.shape.length !== 2 || varies(site, 2)) return undefined;
  const input =
    c.int("transA", 0) === 1 ? (draft.add(layer, "transpose", [x], [], { permutation: [1, 0] })[0] as Dynamic) : x;
  const [alpha, beta] = [c.float("alpha", 1), c.float("beta", 1)];
  const weight = scaled(site, c.int("transB", 0) === 1 ? w : turned(site, w), alpha);
  const filters = weight.shape[0] as number;
  const given = tensorAt(site, 2);
  const bias = given && scaled(site, given, beta);
  // One bias a filter; anything else is added afterwards.
  const isRow =
    bias === undefined ||
    countOf(bias.shape) === 1 ||
    (bias.shape.at(-1) === filters && countOf(bias.shape) === filters);
  const row = isRow ? bias && broadcastRow(site, bias, filters) : undefined;
  const [y] = draft.add(layer, "linear", [input], [param(site, weight, "weight"), param(site, row, "bias")]);
  return isRow
    ? [y as Dynamic]
    : draft.add(layer, "add", [y as Dynamic, draft.constant(bias as PlainTensor, `${layer}.bias`)]);
};

/** The transpose of a matrix; one that lies in the file is packed as it lies. */
function turned(site: Site, w: PlainTensor): PlainTensor {
  return madeOf(site, "turned", w, (within) => transposed(within, w));
}

function transposed(site: Site, t: PlainTensor): PlainTensor {
  if (!(t instanceof Deferred) || t.dtype !== "float32") return transpose(site, t, [1, 0]);
  let whole: PlainTensor | undefined;
  const write: Deferred["write"] = (to, from) => {
    whole ??= transpose(site, t, [1, 0]);
    writerOf({ ...whole, dtype: "float32" })(to, from);
  };
  return new Deferred(t.budget, t.type, [...t.shape].reverse(), write, t.write);
}

function broadcastRow(site: Site, bias: PlainTensor, filters: number): PlainTensor {
  return broadcast(site, reshaped(bias, [countOf(bias.shape)]), [filters]);
}

function scaled(site: Site, t: PlainTensor, factor: number): PlainTensor {
  if (factor === 1) return t;
  return madeOf(site, `times ${factor}`, t, (within) => {
    const out = make(within, t.type, t.shape);
    numbers(t).forEach((value, i) => {
      numbers(out)[i] = value * factor;
    });
    return out;
  });
}

const matmul: NodeLowering = (site) => {
  const { draft, layer } = site;
  const [x, w] = [dynamicAt(site, 0), tensorAt(site, 1)];
  if (x && w?.shape.length === 2 && x.shape.length >= 2) {
    return draft.add(layer, "linear", [x], [param(site, turned(site, w), "weight"), null]);
  }
  return draft.add(layer, "matmul", [operandAt(site, 0), operandAt(site, 1)]);
};

export const PRODUCT_LAYERS: Readonly<Record<string, NodeLowering>> = {
  Gemm: gemm,
  MatMul: matmul,
};
