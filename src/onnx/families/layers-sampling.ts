export { SAMPLING_LAYERS as OTHERS } from "../lower/sampling.js";
