// Quantised graphs as layers of bytes: QuantizeLinear looks back at what it rounds, and the layers of real numbers that nobody reads
// then are dropped. What becomes of all other nodes stands beside this: products and elements.
import type { Dynamic } from "../../draft.js";
import { elementType } from "../../file/element-type.js";
import { dynamicAt, isConstant, type WholeLowering } from "../site.js";
import { SCALED } from "./dynamic.js";
import { combinedFor, ELEMENTS, fromReal, toReal } from "./element.js";
import { heldOf, isBytes, typedOf } from "./held.js";
import { MOVED } from "./moves.js";
import { PRODUCTS, sumsFor } from "./product.js";
import { isByte, outputAt, pointAt, typeAt } from "./quanta.js";
import { bytesFor, realOf } from "./real.js";

const quantizeLinear: WholeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const code = site.c.int("output_dtype", 0);
  const type = typeAt(site, 2, code ? (elementType(code, "output_dtype") as "uint8") : "uint8");
  if (x?.type !== "float32" || !isByte(type)) return undefined;
  const y = outputAt(site, 1, type);
  if (!y) return undefined;
  const whole = sumsFor(site, x, y) ?? combinedFor(site, x, y) ?? bytesFor(site, x, y);
  const bytes = whole && !isConstant(whole) ? whole : fromReal(site, x, y);
  return [typedOf(site, bytes as Dynamic, type)];
};

const dequantizeLinear: WholeLowering = (site) => {
  const x = dynamicAt(site, 0);
  const point = isBytes(x) && isByte(x.type) ? pointAt(site, 1, x.type, "x") : undefined;
  return x && point && [toReal(site, heldOf(site, x), point)];
};

/** Of real numbers that stand for bytes, why a layer is one of float32. */
const kept =
  (why: string): WholeLowering =>
  (site) =>
    realOf(site, site.inputs[0]) && `float: ${why}`;

/** Of a volume the images, which are pooled first. */
const volumes: WholeLowering = (site) =>
  site.c.node.part && (site.inputs[0]?.shape[2] as number) > 1 ? kept("windows of volumes")(site) : undefined;

const KEPT: Readonly<Record<string, WholeLowering>> = {
  ConvTranspose: kept("a transposed convolution"),
  AveragePool: volumes,
  ...Object.fromEntries(
    ["Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization", "GroupNormalization"].map((op) => [
      op,
      kept("no function of one byte"),
    ]),
  ),
};

export const INT8_LAYERS: Readonly<Record<string, WholeLowering>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  "com.microsoft.QuantizeLinear": quantizeLinear,
  "com.microsoft.DequantizeLinear": dequantizeLinear,
  ...PRODUCTS,
  ...ELEMENTS,
  ...MOVED,
  ...SCALED,
  ...KEPT,
};
