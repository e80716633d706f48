export { INT8_LAYERS as WHOLE } from "../lower/int8/layers.js";
