export { PICKING_LAYERS as OTHERS } from "../lower/picking.js";
