// Real values that bytes stand for, from where they are used back to the DequantizeLinear that they come from.
import { sameShape } from "../../../base/check.js";
import { countOf } from "../../../base/shape.js";
import type { Dynamic } from "../../draft.js";
import { operatorName } from "../../file/node.js";
import type { PlainTensor } from "../../file/plain-tensor.js";
import { ELEMENTWISE } from "../../host/elementwise.js";
import type { Point } from "../../host/quantisation.js";
import { dynamicAt, isConstant, type Site, tensorAt, varies } from "../site.js";
import { heldOf, isBytes, mappedOf, once, through } from "./held.js";
import { isByte, pointAt, quantised, real, samePoint } from "./quanta.js";
import { windowed } from "./window.js";

export type Given = Dynamic | PlainTensor | undefined;

/** A real value as bytes. */
export interface Real {
  readonly bytes: Dynamic;
  readonly point: Point;
  /** Where a run computes the zero point, of uint8: the point's is 0 then. */
  readonly zero?: Dynamic | undefined;
}

/** A real value as a function of bytes. */
interface Curve {
  readonly root: Dynamic;
  /** By the root's byte. */
  readonly reals: Float32Array;
}

/** What moves the elements of its first input, whatever they are; Concat those of all. */
const MOVES = /^(?:Reshape|Flatten|Squeeze|Unsqueeze|Transpose|Slice|Split|Gather|DepthToSpace|Identity|Concat)$/;

export const isDequantize = ({ c }: Site): boolean => /(^|\.)DequantizeLinear$/.test(operatorName(c.node));

const isConcat = ({ c }: Site): boolean => c.node.opType === "Concat";

/** A value that the layers of a node which moves elements make of bytes. */
function moved(from: Site, output: number, inputs: readonly Given[]): Dynamic | undefined {
  return from.lowering(from.c.node.opType)?.({ ...from, inputs })?.[output];
}

/** A value that is bytes times a scale, as they lie or moved; undefined for others. */
export function realOf(site: Site, value: Given): Real | undefined {
  if (value === undefined || isConstant(value)) return undefined;
  const found = site.behind(value);
  if (found === undefined) return undefined;
  const { site: from, output } = found;
  if (isDequantize(from)) {
    const x = dynamicAt(from, 0);
    const point = x && isByte(x.type) ? pointAt(from, 1, x.type, "x") : undefined;
    return isBytes(x) && point ? { bytes: heldOf(from, x), point } : undefined;
  }
  if (!MOVES.test(operatorName(from.c.node))) return undefined;
  const parts = from.inputs.map((input, i) => (i === 0 || isConcat(from) ? realOf(from, input) : undefined));
  const [first] = parts;
  if (!first || (isConcat(from) && !parts.every((part) => part && samePoint(part.point, first.point))))
    return undefined;
  const inputs = from.inputs.map((input, i) => parts[i]?.bytes ?? input);
  const bytes = once(site, `moved ${value.name}`, () => moved(from, output, inputs));
  return bytes && { bytes, point: first.point };
}

/** A value that is by element a function of bytes: evaluated for all of them, as its operators compute. */
function curveOf(site: Site, value: Given): Curve | undefined {
  if (value === undefined || isConstant(value)) return undefined;
  const given = realOf(site, value);
  if (given) {
    const { root, bytes } = mappedOf(site, given.bytes);
    return { root, reals: Float32Array.from(bytes, (b) => real(b, given.point)) };
  }
  const found = site.behind(value);
  if (!found || !isByElement(found.site)) return undefined;
  let root: Dynamic | undefined;
  const inputs: (PlainTensor | undefined)[] = [];
  for (const input of found.site.inputs) {
    if (input === undefined || isConstant(input)) {
      if (input && countOf(input.shape) !== 1) return undefined;
      inputs.push(input && { ...input, shape: [], data: input.data });
      continue;
    }
    const curve = curveOf(found.site, input);
    if (!curve || (root !== undefined && curve.root !== root)) return undefined;
    root = curve.root;
    inputs.push({ type: "float32", shape: [256], data: curve.reals });
  }
  if (!root || !sameShape(root.shape, value.shape)) return undefined;
  const answer = found.site.evaluate(inputs)[0] as PlainTensor;
  return answer.type === "float32" ? { root, reals: answer.data as Float32Array } : undefined;
}

function isByElement({ c, inputs }: Site): boolean {
  const name = operatorName(c.node);
  return Object.hasOwn(ELEMENTWISE, name) && !/^(?:Cast|Dropout|Is)/.test(name) && c.outputs === 1 && inputs.length > 0;
}

/** A real value in quanta of `to`: undefined where it is none of bytes, of which elements were moved or changed one by one. */
export function bytesFor(site: Site, value: Given, to: Point): Given {
  if (value === undefined) return undefined;
  if (isConstant(value)) {
    if (value.type !== "float32") return undefined;
    return {
      type: "uint8",
      shape: value.shape,
      data: Uint8Array.from(value.data as Float32Array, (v) => quantised(v, to)),
    };
  }
  const curve = curveOf(site, value);
  if (curve)
    return through(
      site,
      curve.root,
      Uint8Array.from(curve.reals, (v) => quantised(v, to)),
    );
  const found = site.behind(value);
  if (!found) return undefined;
  const { site: from, output } = found;
  const isMove = MOVES.test(operatorName(from.c.node));
  if (!isMove && !windowed.has(from.c.node.opType)) return undefined;
  return once(site, `${value.name} in ${to.scale} ${to.zero}`, () => {
    const inputs: Given[] = [];
    for (const [i, input] of from.inputs.entries()) {
      const isMoved = i === 0 || isConcat(from);
      const bytes = isMoved ? bytesFor(from, input, to) : input;
      if (isMoved && bytes === undefined) return undefined;
      inputs.push(bytes);
    }
    return isMove ? moved(from, output, inputs) : windowed.get(from.c.node.opType)?.({ ...from, inputs }, to);
  });
}

/** What computes a value, and what Relu and Clip on the way clamp its bytes to; each is read but once. */
export function behindClamps(site: Site, value: Given, y: Point) {
  let [low, high] = [0, 255];
  for (let at = value; at !== undefined && !isConstant(at); ) {
    const behind = site.behind(at);
    const found = behind?.whole ?? behind;
    if (!found?.isReadOnce) return undefined;
    const { site: from } = found;
    const operator = operatorName(from.c.node);
    if (operator !== "Relu" && operator !== "Clip") return { from, low, high };
    const [least, most] = operator === "Relu" ? [0, Infinity] : boundsOf(from);
    if (least === undefined || most === undefined) return undefined;
    const within = (real: number) => Math.min(high, Math.max(low, quantised(real, y)));
    [low, high] = [within(least), within(Math.max(least, most))];
    at = from.inputs[0];
  }
  return undefined;
}

/** What Clip clamps to; undefined where a run computes it. */
export function boundsOf(site: Site): readonly (number | undefined)[] {
  return (["min", "max"] as const).map((name, i) => {
    const otherwise = name === "min" ? -Infinity : Infinity;
    if (site.c.opset < 11) return site.c.float(name, otherwise);
    const bound = tensorAt(site, i + 1);
    return varies(site, i + 1) ? undefined : bound ? Number(bound.data[0]) : otherwise;
  });
}
