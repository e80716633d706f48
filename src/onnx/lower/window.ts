// Convolution and pooling as layers.
import type { Dynamic } from "../draft.js";
import { transposedAxes, type WindowAxis, windowAxes } from "../semantics/windows.js";
import { dynamicAt, type NodeLowering, param, type Site, tensorAt, varies } from "./site.js";

export const pairOf = (axes: readonly WindowAxis[], f: (axis: WindowAxis) => number): readonly number[] => axes.map(f);

/** Options that all windows share; [top, left, bottom, right] padding. */
export function windowOptions(axes: readonly WindowAxis[]) {
  const [h, w] = axes as [WindowAxis, WindowAxis];
  return {
    stride: pairOf(axes, (axis) => axis.stride),
    padding: [h.before, w.before, h.after, w.after],
  };
}

/** Conv with constant weights; more: options that ONNX has no word for. */
export function convLayer(site: Site, more: object = {}): readonly Dynamic[] | undefined {
  const [x, w, b] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
  if (!x || !w || varies(site, 2)) return undefined;
  const groups = site.c.int("group", 1);
  const axes = windowAxes(site.c, x.shape.slice(2), w.shape.slice(2));
  const params = [param(site, w, "weight"), param(site, b, "bias")];
  const dilation = pairOf(axes, (axis) => axis.dilation);
  if (axes.length === 2) {
    return site.draft.add(site.layer, "conv2d", [x], params, { ...windowOptions(axes), dilation, groups, ...more });
  }
  if (axes.length !== 1) return undefined;
  const [axis] = axes as [WindowAxis];
  const options = { stride: axis.stride, padding: [axis.before, axis.after], dilation: axis.dilation, groups, ...more };
  return site.draft.add(site.layer, "conv1d", [x], params, options);
}

const convTranspose: NodeLowering = (site) => {
  const [x, w, b] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
  if (!x || !w || varies(site, 2) || w.shape.length !== 4) return undefined;
  const axes = transposedAxes(site.c, x.shape.slice(2), w.shape.slice(2));
  if (axes.some((axis) => axis.before < 0 || axis.after < 0)) return undefined;
  const params = [param(site, w, "weight"), param(site, b, "bias")];
  return site.draft.add(site.layer, "convTranspose2d", [x], params, transposedOptions(site, axes));
};

export const transposedOptions = (site: Site, axes: readonly (WindowAxis & { readonly extra: number })[]) => ({
  ...windowOptions(axes),
  dilation: pairOf(axes, (axis) => axis.dilation),
  outputPadding: axes.map((axis) => axis.extra),
  groups: site.c.int("group", 1),
});

function pool(op: "maxPool2d" | "avgPool2d"): NodeLowering {
  return (site) => {
    const x = dynamicAt(site, 0);
    const kernel = site.c.ints("kernel_shape");
    if (x?.shape.length !== 4 || kernel?.length !== 2 || site.c.outputs > 1) return undefined;
    const axes = windowAxes(site.c, x.shape.slice(2), kernel);
    const dilated = axes.some((axis) => axis.dilation > 1);
    const shared = { ...windowOptions(axes), kernel, ceilMode: site.c.int("ceil_mode", 0) === 1 };
    if (op === "maxPool2d") {
      return site.draft.add(site.layer, op, [x], [], { ...shared, dilation: pairOf(axes, (axis) => axis.dilation) });
    }
    if (dilated) return undefined;
    const countIncludePad = site.c.int("count_include_pad", 0) === 1;
    return site.draft.add(site.layer, op, [x], [], { ...shared, countIncludePad });
  };
}

function globalPool(op: "globalMaxPool" | "globalAvgPool"): NodeLowering {
  return (site) => {
    const x = dynamicAt(site, 0);
    return x?.shape.length === 4 ? site.draft.add(site.layer, op, [x]) : undefined;
  };
}

export const WINDOW_LAYERS: Readonly<Record<string, NodeLowering>> = {
  Conv: (site) => convLayer(site),
  ConvTranspose: convTranspose,
  MaxPool: pool("maxPool2d"),
  AveragePool: pool("avgPool2d"),
  GlobalMaxPool: globalPool("globalMaxPool"),
  GlobalAveragePool: globalPool("globalAvgPool"),
};
