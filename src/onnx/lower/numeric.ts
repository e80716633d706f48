// ONNX operators that compute by element, reduce or resample as layers: see lower.ts.

import { countOf } from "../../base/shape.js";
import { UnaryCode } from "../../kernels/gen/constants.js";
import { isKept, type ResizeAxis, resizePlan, tapsOf } from "../host/image.js";
import { ELEMENT_TYPES, type HostTensor, reshaped, scalar, toNumbers } from "../host/tensor.js";
import { gather, runsOf } from "../layers/gather.js";
import { type Reduction, reduce } from "../layers/reduce.js";
import { resize, type Taps } from "../layers/resize.js";
import { unary } from "../layers/unary.js";
import type { Dynamic } from "../network.js";
import { dynamicAt, isConstant, type Lowering, list, operand, type Site, tensorAt, varies } from "./site.js";

type Function = keyof typeof UnaryCode;

/** f(x) as a layer. */
export function apply(site: Site, name: Function, x: Dynamic): Dynamic {
  return site.network.add(site.layer, "custom", [x], [], unary(name))[0] as Dynamic;
}

export function binary(site: Site, op: "add" | "sub" | "mul" | "div", a: Dynamic, b: Dynamic | number): Dynamic {
  const right = typeof b === "number" ? site.network.constant(scalar("float32", b), `${site.layer}.${op}`) : b;
  return site.network.add(site.layer, op, [a, right])[0] as Dynamic;
}

const byName = (name: Function): Lowering => {
  return (site) => {
    const x = dynamicAt(site, 0);
    return x && [apply(site, name, x)];
  };
};

const negate: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  return x && [binary(site, "mul", x, -1)];
};

/** Powers that are a few products, a root, or their reciprocal. */
const POWERS: Readonly<Record<number, (site: Site, x: Dynamic) => Dynamic>> = {
  1: (_, x) => x,
  2: (site, x) => binary(site, "mul", x, x),
  3: (site, x) => binary(site, "mul", binary(site, "mul", x, x), x),
  0.5: (site, x) => apply(site, "Sqrt", x),
};

const pow: Lowering = (site) => {
  const [x, exponent] = [dynamicAt(site, 0), tensorAt(site, 1)];
  if (!x || exponent?.data.length !== 1 || exponent.shape.length > x.shape.length) return undefined;
  const e = Number(exponent.data[0]);
  const power = POWERS[Math.abs(e)]?.(site, x);
  if (power === undefined) return undefined;
  return [e < 0 ? apply(site, "Reciprocal", power) : power];
};

/** Between the types that are held as float32: only to float16 is there anything to do. */
const cast: Lowering = (site) => {
  const x = dynamicAt(site, 0);
  const type = x && site.c.opset >= 6 ? ELEMENT_TYPES[site.c.int("to", 0)] : undefined;
  if (!x || (type !== x.type && type !== "float32" && type !== "float16")) return undefined;
  return [{ ...(type === "float16" && x.type !== type ? apply(site, "Half", x) : x), type }];
};

/** The most runs of indices that are still fewer copies than elements are worth a step in JavaScript. */
const MOST_RUNS = 64;

/** Elements at constant indices: a slice where they are evenly spaced. */
export const gatherAt: Lowering = (site) => {
  const { c, network, layer } = site;
  const [x, indices] = [dynamicAt(site, 0), tensorAt(site, 1)];
  if (!x || !indices || indices.data.length === 0) return undefined;
  const axis = c.axis("axis", c.int("axis", 0), x.shape.length);
  const size = x.shape[axis] as number;
  const places = toNumbers(indices).map((i) => (i < 0 ? i + size : i));
  if (places.some((i) => !(i >= 0 && i < size))) return undefined;
  const runs = runsOf(places);
  const [first] = runs;
  if (!first || runs.length > MOST_RUNS) return undefined;
  const { start, step, count } = first;
  const end = start + count * step;
  const [picked] =
    runs.length === 1 && step !== 0
      ? network.add(layer, "slice", [x], [], {
          axes: [axis],
          starts: [start],
          // Below the first element: a negative end would count from the back.
          ends: [end < 0 ? end - size : end],
          steps: [step],
        })
      : network.add(layer, "custom", [x], [], gather(axis, runs));
  const shape = x.shape.toSpliced(axis, 1, ...indices.shape);
  return indices.shape.length === 1
    ? [picked as Dynamic]
    : network.add(layer, "reshape", [picked as Dynamic], [], { shape });
};

type Steps = (site: Site, x: Dynamic, reduced: (kind: Reduction, x: Dynamic) => Dynamic) => Dynamic;

function reduction(steps: Steps): Lowering {
  return (site) => {
    const { c, network, layer } = site;
    const x = dynamicAt(site, 0);
    if (!x || varies(site, 1)) return undefined;
    const rank = x.shape.length;
    const given = list(site, 1, "axes") ?? [];
    if (given.length === 0 && c.int("noop_with_empty_axes", 0) === 1) return undefined;
    const axes = given.length === 0 ? x.shape.map((_, i) => i) : c.axes("axes", given, rank);
    const reduced = (kind: Reduction, of: Dynamic): Dynamic =>
      isImage(of, axes) && kind !== "sum"
        ? (network.add(layer, kind === "max" ? "globalMaxPool" : "globalAvgPool", [of])[0] as Dynamic)
        : (network.add(layer, "custom", [of], [], reduce(kind, axes, c.node.opType))[0] as Dynamic);
    const answer = steps(site, x, reduced);
    if (c.int("keepdims", 1) === 1) return [answer];
    return network.add(layer, "reshape", [answer], [], { shape: x.shape.filter((_, i) => !axes.includes(i)) });
  };
}

/** Whether the axes are an image's height and width. */
const isImage = ({ shape }: Dynamic, axes: readonly number[]): boolean =>
  shape.length === 4 && [...axes].sort().join() === "2,3";

const square = (site: Site, x: Dynamic): Dynamic => binary(site, "mul", x, x);

/**
 * (x - mean) / sqrt(variance + epsilon) over rows: x as one image whose channels they are, which is what batch normalisation's
 * training phase computes; then scale and bias.
 */
function normalised(
  site: Site,
  x: Dynamic,
  rows: number,
  scale: HostTensor,
  bias: HostTensor | undefined,
): readonly Dynamic[] {
  const { c, network, layer } = site;
  const shape = [1, rows, countOf(x.shape) / rows];
  const [image] = network.add(layer, "reshape", [x], [], { shape });
  const epsilon = c.float("epsilon", 1e-5);
  const params = [null, null, null, null];
  const [normal] = network.add(layer, "batchNormTrain", [image as Dynamic], params, { epsilon });
  let [y] = network.add(layer, "reshape", [normal as Dynamic], [], { shape: x.shape }) as [Dynamic];
  const with_ = (op: "mul" | "add", t: HostTensor) => {
    [y] = network.add(layer, op, [y, network.constant(t, `${layer}.${op}`)]) as [Dynamic];
  };
  with_("mul", scale);
  if (bias) with_("add", bias);
  return [y];
}

const layerNorm: Lowering = (site) => {
  const [x, scale, bias] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
  if (!x || !scale || varies(site, 2) || site.c.node.outputs.length > 1) return undefined;
  const axis = site.c.axis("axis", site.c.int("axis", -1), x.shape.length);
  return normalised(site, x, countOf(x.shape.slice(0, axis)), scale, bias);
};

const instanceNorm: Lowering = (site) => {
  const [x, scale, bias] = [dynamicAt(site, 0), tensorAt(site, 1), tensorAt(site, 2)];
  if (!x || !scale || !bias || x.shape.length < 3) return undefined;
  const [n = 0, channels = 0] = x.shape;
  const byAxis = (t: HostTensor): HostTensor => reshaped(t, [channels, ...x.shape.slice(2).map(() => 1)]);
  return normalised(site, x, n * channels, byAxis(scale), byAxis(bias));
};

/** The last two axes of [N, C, H, W], or the last of [N, C, W]. */
const resizeOp: Lowering = (site) => {
  const { c, network, layer } = site;
  const x = dynamicAt(site, 0);
  if (!x || ![3, 4].includes(x.shape.length) || [1, 2, 3].some((i) => varies(site, i))) return undefined;
  // Operator set 10 has scales second; later ones roi, scales, sizes.
  const [second, third, fourth] = [1, 2, 3].map((i) => tensorAt(site, i));
  const plan =
    c.opset < 11 ? resizePlan(c, x.shape, undefined, second, undefined) : resizePlan(c, x.shape, second, third, fourth);
  const isKeptAt = (i: number) => isKept(plan, x.shape[i] as number, plan.axes[i] as ResizeAxis);
  if (!isKeptAt(0) || !isKeptAt(1)) return undefined;
  const taps = plan.axes.slice(2).map((axis, i) => tapsOf(c, plan, x.shape[i + 2] as number, axis));
  if (taps.flat().some(({ at }) => at.length === 0)) return undefined;
  const columns = taps.pop() as Taps[];
  const rows = taps.pop();
  if (rows) return network.add(layer, "custom", [x], [], resize(rows, columns, c.node.opType));
  const [n, channels, width] = x.shape as [number, number, number];
  const image = network.add(layer, "reshape", [x], [], { shape: [n, channels, 1, width] });
  const sized = network.add(layer, "custom", image, [], resize([{ at: [0], weights: [1] }], columns, c.node.opType));
  return network.add(layer, "reshape", sized, [], { shape: [n, channels, columns.length] });
};

/** The larger or smaller of any number of tensors. Against one number it is a clamp, which others may take in. */
function extreme(op: "maximum" | "minimum", bound: "min" | "max"): Lowering {
  return (site) => {
    const { network, layer, inputs } = site;
    const limits = inputs.filter(
      (given): given is HostTensor => isConstant(given) && given.data.length === 1 && !Number.isNaN(given.data[0]),
    );
    const others = inputs.filter((given) => !limits.includes(given as HostTensor));
    const rank = Math.max(...others.map((given) => given?.shape.length ?? 0));
    // A limit of more axes than the others have would add them.
    const isClamp = limits.length > 0 && limits.every(({ shape }) => shape.length <= rank);
    const [first, ...rest] = (isClamp ? others : inputs).map((given) => operand(site, inputs.indexOf(given)));
    let answer = first as Dynamic | string;
    for (const next of rest) answer = network.add(layer, op, [answer, next])[0] as Dynamic;
    if (isClamp) {
      const values = limits.map(({ data }) => Number(data[0]));
      const limit = op === "maximum" ? Math.max(...values) : Math.min(...values);
      answer = network.add(layer, "clip", [answer], [], { [bound]: limit })[0] as Dynamic;
    }
    return typeof answer === "string" || inputs.length === 1 ? undefined : [answer];
  };
}

const NAMES = Object.keys(UnaryCode) as readonly Function[];

/** Of float32. */
export const NUMERIC: Readonly<Record<string, Lowering>> = {
  ...Object.fromEntries(NAMES.map((name) => [name, byName(name)])),
  Neg: negate,
  Pow: pow,
  Cast: cast,
  Max: extreme("maximum", "min"),
  Min: extreme("minimum", "max"),
  Resize: resizeOp,
  Upsample: resizeOp,
  ReduceSum: reduction((_, x, reduced) => reduced("sum", x)),
  ReduceMean: reduction((_, x, reduced) => reduced("mean", x)),
  ReduceMax: reduction((_, x, reduced) => reduced("max", x)),
  ReduceMin: reduction((site, x, reduced) => binary(site, "mul", reduced("max", binary(site, "mul", x, -1)), -1)),
  ReduceL1: reduction((site, x, reduced) => reduced("sum", apply(site, "Abs", x))),
  ReduceL2: reduction((site, x, reduced) => apply(site, "Sqrt", reduced("sum", square(site, x)))),
  ReduceSumSquare: reduction((site, x, reduced) => reduced("sum", square(site, x))),
  ReduceLogSum: reduction((site, x, reduced) => apply(site, "Log", reduced("sum", x))),
  LayerNormalization: layerNorm,
  InstanceNormalization: instanceNorm,
};
