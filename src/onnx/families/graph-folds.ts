// Rewrites around constants and padding: no operators.
export { exporterRules as FOLDS } from "../rewrite/rules.js";
