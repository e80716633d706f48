// Products of bytes whose scale and zero point a run computes, with what exporters write behind them: sums to float32, times both scales,
// a bias, a clamp. That is the store of one layer.
//
//   x ─▶ DynamicQuantizeLinear ─▶ MatMulInteger ─▶ Cast ─▶ Mul ─▶ Add ─▶ Relu
//                    └─ scale ─▶ Mul by the weights' ───────▲
import { countOf } from "../../../base/shape.js";
import type { Dynamic } from "../../draft.js";
import { operatorName } from "../../file/node.js";
import { quantizeDynamic } from "../../layers/int8/dynamic.js";
import { dynamicAt, isConstant, type NodeLowering, type Site, type WholeLowering } from "../site.js";
import { type Integers, integersOf } from "./product.js";
import { boundsOf, type Given } from "./real.js";

/** clamp(sums * scale * scales + offset). */
interface Scaled extends Pick<Integers, "count" | "axis" | "emit"> {
  readonly scale: Dynamic | undefined;
  readonly scales: Float32Array;
  readonly offset?: Float32Array | undefined;
  readonly low: number;
  readonly high: number;
}

/** The node that computes a value which nobody else reads. */
function before(site: Site, value: Given): Site | undefined {
  const found = value && !isConstant(value) ? site.behind(value) : undefined;
  return found?.isReadOnce ? found.site : undefined;
}

/** A constant of one number, or of one a filter, which lie along `axis` of `rank`. */
function byFilter(value: Given, { count, axis }: Scaled | Integers, rank: number): Float32Array | undefined {
  if (!value || !isConstant(value) || value.type !== "float32" || value.shape.length > rank) return undefined;
  const ahead = rank - value.shape.length;
  const fits = value.shape.every((size, i) => size === 1 || (size === count && i + ahead === axis));
  return fits ? (value.data as Float32Array) : undefined;
}

/** What multiplies sums: a scale that a run computes, times constants; or constants alone. */
function factorsAt(site: Site, value: Given, sums: Integers, rank: number) {
  if (!value) return undefined;
  if (isConstant(value)) {
    const scales = sums.isComputed ? undefined : byFilter(value, sums, rank);
    return scales && { scale: undefined, scales };
  }
  if (!sums.isComputed || value.type !== "float32" || value.shape.length > rank) return undefined;
  const from = site.behind(value)?.site;
  if (from && operatorName(from.c.node) === "Mul")
    for (const i of [0, 1]) {
      const scale = dynamicAt(from, i);
      const scales = byFilter(from.inputs[1 - i], sums, rank);
      if (scale?.type === "float32" && countOf(scale.shape) === 1 && scales) return { scale, scales };
    }
  return countOf(value.shape) === 1 ? { scale: value, scales: Float32Array.of(1) } : undefined;
}

/** What a node computes, where that is such a product. */
function scaledOf(site: Site): Scaled | undefined {
  const operator = operatorName(site.c.node);
  if (operator === "Mul") return timesScale(site);
  if (operator === "Add") {
    for (const i of [0, 1]) {
      const [from, bias] = [before(site, site.inputs[i]), site.inputs[1 - i]];
      const sums = from && isConstant(bias) ? scaledOf(from) : undefined;
      const isPlain = sums && !sums.offset && sums.low === -Infinity && sums.high === Infinity;
      const offset = isPlain && byFilter(bias, sums, dynamicAt(site, i)?.shape.length as number);
      if (offset) return { ...sums, offset };
    }
    return undefined;
  }
  if (operator !== "Relu" && operator !== "Clip") return undefined;
  const from = before(site, site.inputs[0]);
  const sums = from && scaledOf(from);
  const [low, high] = operator === "Relu" ? [0, Infinity] : boundsOf(site);
  if (!sums || low === undefined || high === undefined || !(low <= high)) return undefined;
  return sums.low === -Infinity && sums.high === Infinity ? { ...sums, low, high } : undefined;
}

function timesScale(site: Site): Scaled | undefined {
  for (const i of [0, 1]) {
    const cast = before(site, site.inputs[i]);
    if (!cast || operatorName(cast.c.node) !== "Cast" || cast.c.int("to", 0) !== 1) continue;
    const product = before(cast, cast.inputs[0]);
    if (!product || !/^(?:MatMul|Conv)Integer$/.test(operatorName(product.c.node))) continue;
    const sums = integersOf(product);
    const factors =
      typeof sums === "object"
        ? factorsAt(site, site.inputs[1 - i], sums, dynamicAt(site, i)?.shape.length as number)
        : undefined;
    if (typeof sums === "object" && factors) return { ...sums, ...factors, low: -Infinity, high: Infinity };
  }
  return undefined;
}

const scaled: WholeLowering = (site) => {
  const sums = scaledOf(site);
  if (!sums) return undefined;
  const { scale, scales, offset, low, high } = sums;
  const answer = sums.emit({ type: "float32", scale: scales, offset, low, high }, scale);
  return typeof answer === "object" ? [answer] : undefined;
};

export const SCALED: Readonly<Record<string, WholeLowering>> = { Mul: scaled, Add: scaled, Relu: scaled, Clip: scaled };

const dynamicQuantize: NodeLowering = (site) => {
  const x = dynamicAt(site, 0);
  if (x?.type !== "float32") return undefined;
  const [y, scale, zero] = site.draft.add(site.layer, quantizeDynamic(), [x]) as [Dynamic, Dynamic, Dynamic];
  return [{ ...y, type: "uint8" }, scale, { ...zero, type: "uint8" }];
};

export const DYNAMIC_LAYERS: Readonly<Record<string, NodeLowering>> = { DynamicQuantizeLinear: dynamicQuantize };
