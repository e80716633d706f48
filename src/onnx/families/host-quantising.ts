export { QUANTISATION as HOST } from "../host/quantisation.js";
