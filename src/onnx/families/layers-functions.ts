export { FUNCTION_LAYERS as FLOATS } from "../lower/functions.js";
