export { COMPUTED_LAYERS as FLOATS } from "../lower/computed.js";
