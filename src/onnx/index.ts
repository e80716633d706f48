// lanewise/onnx: networks as training tools export them.
export { loadOnnx, OnnxModel, type OnnxInput, type OnnxOptions, type OnnxSource, type OnnxTensor } from "./model.js";
