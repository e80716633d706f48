export { QUANTISED_LAYERS as OTHERS } from "../lower/quantised.js";
