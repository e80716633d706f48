export { FUSED as PARTS } from "../parts/fused.js";
