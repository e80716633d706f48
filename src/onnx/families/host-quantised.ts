export { QUANTISED as HOST } from "../host/quantised.js";
