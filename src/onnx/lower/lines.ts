// Layer, RMS, group and instance normalisation as layers.
import { countOf } from "../../base/shape.js";
import type { Dynamic } from "../draft.js";
import { numbers, type PlainTensor, reshaped } from "../file/plain-tensor.js";
import { broadcast } from "../host/indexing.js";
import { make } from "../host/make.js";
import { type Normalisation, normalise } from "../layers/normalise.js";
import { dynamicAt, type NodeLowering, param, type Site, tensorAt, varies } from "./site.js";

/** What is left to say where the lines, factors and shifts are known. */
type Lines = Pick<Normalisation, "length" | "inner" | "period"> & { readonly isCentered?: boolean };

function normalised(site: Site, x: Dynamic, lines: Lines, gamma: PlainTensor, beta?: PlainTensor): readonly Dynamic[] {
  const { c, draft, layer } = site;
  const epsilon = c.float("epsilon", 1e-5);
  const operator = normalise({ name: c.node.opType, epsilon, isCentered: true, ...lines });
  return draft.add(layer, operator, [x], [param(site, gamma, "gamma"), param(site, beta, "beta")]);
}

/** Over the last axes, with a factor for each of their elements. */
function byAxes(isCentered: boolean): NodeLowering {
  return (site) => {
    const { c } = site;
    const [x, scale, bias] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
    if (!x || !scale || varies(site, 2) || c.outputs > 1) return undefined;
    const line = x.shape.slice(c.axis("axis", c.int("axis", -1), x.shape.length));
    const whole = (t: PlainTensor) => reshaped(broadcast(site, t, line), [countOf(line)]);
    const lines = { length: countOf(line), inner: 1, period: 1, isCentered };
    return normalised(site, x, lines, whole(scale), bias && whole(bias));
  };
}

/** Over groups of channels, with a factor for each channel. */
function byChannels(groupsOf: (site: Site, channels: number) => number): NodeLowering {
  return (site) => {
    const [x, scale, bias] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
    if (!x || !scale || !bias || x.shape.length < 3) return undefined;
    const channels = x.shape[1] as number;
    const groups = groupsOf(site, channels);
    if (!(groups >= 1 && channels % groups === 0)) return undefined;
    const inner = countOf(x.shape.slice(2));
    /** Before operator set 21 there was one a group. */
    const each = (t: PlainTensor): PlainTensor => {
      const given = numbers(t);
      const all = make(site, t.type, [channels]);
      const share = channels / given.length;
      for (let i = 0; i < channels; i++) numbers(all)[i] = given[Math.floor(i / share)] as number;
      return all;
    };
    const lines = { length: (channels / groups) * inner, inner, period: groups };
    return [scale, bias].every((t) => channels % countOf(t.shape) === 0)
      ? normalised(site, x, lines, each(scale), each(bias))
      : undefined;
  };
}

export const LINE_LAYERS: Readonly<Record<string, NodeLowering>> = {
  LayerNormalization: byAxes(true),
  RMSNormalization: byAxes(false),
  InstanceNormalization: byChannels((_, channels) => channels),
  GroupNormalization: byChannels(({ c }) => c.int("num_groups", 1)),
};
