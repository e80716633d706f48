export { SIGNAL as HOST } from "../host/signal.js";
