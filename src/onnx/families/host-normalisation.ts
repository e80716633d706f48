export { NORMALISATION as HOST } from "../host/normalisation.js";
