import { FUNCTION_LAYERS } from "../lower/functions.js";
import { LINE_LAYERS } from "../lower/lines.js";

export const FLOATS = { ...FUNCTION_LAYERS, ...LINE_LAYERS };
export { normalisationRules as RULES } from "../rewrite/normalisation.js";
