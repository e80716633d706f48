// lanewise/onnx: networks as training tools export them.
export { loadOnnx, type OnnxInput, OnnxModel, type OnnxOptions, type OnnxSource, type OnnxTensor } from "./model.js";
