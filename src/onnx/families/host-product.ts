export { PRODUCT as HOST } from "../host/product.js";
