export { RESIZE_LAYERS as FLOATS } from "../lower/resize.js";
