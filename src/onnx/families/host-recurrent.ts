export { RECURRENT as HOST } from "../host/recurrent.js";
