export { PICKING as HOST } from "../host/picking.js";
