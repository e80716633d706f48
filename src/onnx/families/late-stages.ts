// What data decides, and what small inputs do: no operators.
export { Deciding as DECIDING } from "../deciding.js";
export { Stages as STAGES } from "../stages.js";
