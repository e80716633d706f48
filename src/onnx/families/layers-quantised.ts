export { QUANTISATION as HOST } from "../host/quantisation.js";
export { QUANTISED_LAYERS as OTHERS } from "../lower/quantised.js";
