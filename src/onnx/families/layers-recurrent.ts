export { RECURRENT_LAYERS as FLOATS } from "../lower/recurrent.js";
