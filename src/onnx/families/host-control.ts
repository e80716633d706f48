export { CONTROL as HOST } from "../host/control.js";
