export { RARE_FLOATS as FLOATS, RARE_OTHERS as OTHERS } from "../lower/rare.js";
