// How an ONNX node becomes layers: the one table of all lowerings.
import { FLOATS, MOVERS } from "./lower.js";
import { MICROSOFT, QUANTISED } from "./lower-quantized.js";
import type { NodeProto } from "./proto.js";
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
