export { ATTENTION as PARTS } from "../parts/attention.js";
