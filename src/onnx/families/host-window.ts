import type { HostOp } from "../host/context.js";
import { CONVOLUTION } from "../host/convolution.js";
import { POOLING } from "../host/pooling.js";

export const HOST: Readonly<Record<string, HostOp>> = { ...CONVOLUTION, ...POOLING };
