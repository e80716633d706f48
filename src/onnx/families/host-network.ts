// What networks are made of, for shapes and types that no kernel does. One chunk: a file whose sizes are open needs most of it.
import type { HostOp } from "../host/context.js";
import { CONVOLUTION } from "../host/convolution.js";
import { NORMALISATION } from "../host/normalisation.js";
import { POOLING } from "../host/pooling.js";
import { PRODUCT } from "../host/product.js";

export const HOST: Readonly<Record<string, HostOp>> = { ...CONVOLUTION, ...POOLING, ...PRODUCT, ...NORMALISATION };
