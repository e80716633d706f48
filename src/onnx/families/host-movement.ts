export { MOVEMENT as HOST } from "../host/movement.js";
