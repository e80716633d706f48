// What every file may need: kernels of float32, what moves elements, and in JavaScript what shapes are computed with. Arithmetic by
// element, too: rewriting evaluates activations on sample points (src/onnx/rewrite/pointwise.ts).
import { ARRANGING } from "../host/arranging.js";
import type { HostOp } from "../host/context.js";
import { ELEMENTWISE } from "../host/elementwise.js";
import { ARITHMETIC_LAYERS } from "../lower/arithmetic.js";
import { NORMALISATION_LAYERS } from "../lower/normalisation.js";
import { PRODUCT_LAYERS } from "../lower/product.js";
import { MOVING_LAYERS, SHAPE_LAYERS } from "../lower/shape.js";
import type { NodeLowering } from "../lower/site.js";
import { WINDOW_LAYERS } from "../lower/window.js";

export const HOST: Readonly<Record<string, HostOp>> = { ...ELEMENTWISE, ...ARRANGING };

export const FLOATS: Readonly<Record<string, NodeLowering>> = {
  ...WINDOW_LAYERS,
  ...PRODUCT_LAYERS,
  ...ARITHMETIC_LAYERS,
  ...NORMALISATION_LAYERS,
  ...SHAPE_LAYERS,
};

export const OTHERS: Readonly<Record<string, NodeLowering>> = MOVING_LAYERS;
