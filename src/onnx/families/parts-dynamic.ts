export { DYNAMIC as PARTS } from "../parts/dynamic.js";
