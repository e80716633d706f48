export { inlined as INLINED } from "../file/functions.js";
