// Attention in one kernel: no operators.
export { joinAttention as JOIN } from "../rewrite/attention.js";
