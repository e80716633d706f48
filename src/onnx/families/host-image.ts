import { BOXES } from "../host/boxes.js";
import type { HostOp } from "../host/context.js";
import { RESIZE } from "../host/resize.js";
import { SAMPLING } from "../host/sampling.js";

export const HOST: Readonly<Record<string, HostOp>> = { ...RESIZE, ...SAMPLING, ...BOXES };
