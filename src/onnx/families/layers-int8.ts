export { INT8_LAYERS as WHOLE } from "../lower/int8/layers.js";
export { INT8_RULES as RULES } from "../lower/int8/rules.js";
