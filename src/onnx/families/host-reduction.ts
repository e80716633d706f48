export { REDUCTION as HOST } from "../host/reduction.js";
