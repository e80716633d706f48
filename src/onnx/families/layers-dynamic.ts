export { DYNAMIC_LAYERS as OTHERS } from "../lower/int8/dynamic.js";
