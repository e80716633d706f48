export { DYNAMIC_LAYERS as OTHERS } from "../lower/dynamic.js";
