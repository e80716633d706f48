export { RARE as HOST } from "../host/rare.js";
