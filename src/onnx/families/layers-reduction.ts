export { REDUCTION_LAYERS as FLOATS } from "../lower/reduction.js";
