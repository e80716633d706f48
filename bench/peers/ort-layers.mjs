// onnxruntime as a side of the comparison of layers: see sides.mjs. Runs in Node and in a page.
import { onnxModel } from "./onnx.mjs";
import { swapped } from "./operands.mjs";

/** How sessions of onnxruntime-web are made. */
export const WEB_OPTIONS = { executionProviders: ["wasm"], graphOptimizationLevel: "all", logSeverityLevel: 3 };

/** [top, left, bottom, right] */
const sides4 = (padding) => [...padding, ...padding];

function model({ operator, N, C, H, W, M, P, Q, R, S, groups, stride, dilation, padding, kernel }, { w, bias }) {
  const io = { input: [N, C, H, W], output: [N, M, P, Q] };
  const weights =
    operator === "linear" || operator === "conv"
      ? [
          { name: "w", shape: operator === "linear" ? [M, C] : [M, C / groups, R, S], data: w },
          { name: "b", shape: [M], data: bias },
        ]
      : [];
  const pool = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: padding && sides4(padding) };
  return onnxModel(
    {
      conv: {
        ...io,
        op: "Conv",
        weights,
        attributes: {
          kernel_shape: [R, S],
          strides: [stride, stride],
          dilations: [dilation, dilation],
          pads: padding && sides4(padding),
          group: groups,
        },
      },
      linear: { input: [N, C], output: [N, M], op: "Gemm", weights, attributes: { transB: 1 } },
      max: { ...io, op: "MaxPool", attributes: pool },
      average: { ...io, op: "AveragePool", attributes: { ...pool, count_include_pad: 1 } },
      global: { ...io, op: "GlobalAveragePool" },
    }[operator],
  );
}

/** onnxruntime computes NCHW; its copies in and out are part of a run, as they are for who uses it. */
export function onnxruntime({ ort, options }) {
  return async (layer, data) => {
    const { operator, N, C, H, W, M, P, Q } = layer;
    const session = await ort.InferenceSession.create(model(layer, data), options);
    const shape = operator === "linear" ? [N, C] : [N, C, H, W];
    const feeds = { x: new ort.Tensor("float32", swapped(data.x, N, H * W, C), shape) };
    let result;
    return {
      isAsync: true,
      run: async () => {
        result = await session.run(feeds);
      },
      output: () => swapped(result.y.data, N, M, P * Q),
      dispose: () => session.release(),
    };
  };
}
