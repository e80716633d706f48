// How an ONNX node becomes layers: the one table of all lowerings.

import type { NodeProto } from "../file/proto.js";
import { FLOATS, MOVERS } from "./float.js";
import { MICROSOFT, QUANTISED } from "./quantized.js";
import type { Lowering } from "./site.js";

/** isFloat: all that varies is float32. Operators that only move elements take any type. */
export function loweringOf({ domain, opType }: NodeProto, isFloat: boolean): Lowering | undefined {
  const isStandard = domain === "" || domain === "ai.onnx";
  const tables = isStandard
    ? [MOVERS, ...(isFloat ? [FLOATS] : []), QUANTISED]
    : domain === "com.microsoft"
      ? [MICROSOFT]
      : [];
  return tables.find((table) => Object.hasOwn(table, opType))?.[opType];
}
