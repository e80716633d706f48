export { SIGNAL_LAYERS as FLOATS } from "../lower/signal.js";
export { spectraRules as RULES } from "../rewrite/spectra.js";
