// Who is compared. A side opens a layer on given data and answers { run, isAsync, output, dispose }: output() is the
// result in channels-last order. undefined: it has no such layer.
import { readFileSync } from "node:fs";
import { lanewise } from "../side.mjs";
import { onnxruntime, WEB_OPTIONS } from "./ort-layers.mjs";

/** The sides of this process, by name. An engine without relaxed SIMD has no lanewise relaxed. */
export async function openSides() {
  const sides = {
    "ort-web": onnxruntime(await ortWeb()),
    "tfjs-wasm": await tfjs(),
    "ort-native": onnxruntime(await ortNative()),
  };
  for (const variant of ["simd", "relaxed"]) {
    if (variant === "relaxed" && Number(process.versions.node.split(".")[0]) < 22) continue;
    const bytes = readFileSync(new URL(`../../dist/wasm/${variant}.wasm`, import.meta.url));
    sides[`lanewise-${variant}`] = lanewise(variant, new WebAssembly.Module(bytes));
  }
  return sides;
}

/** onnxruntime-web and how its sessions are made; so too native onnxruntime. */
export async function ortWeb() {
  const ort = await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  return { ort, options: WEB_OPTIONS };
}

export async function ortNative() {
  const { default: ort } = await import("onnxruntime-node");
  return {
    ort,
    options: {
      executionProviders: ["cpu"],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
    },
  };
}

async function tfjs() {
  const { default: tf } = await import("@tensorflow/tfjs-core");
  const { default: backend } = await import("@tensorflow/tfjs-backend-wasm");
  tf.env().set("IS_TEST", true); // no advertisement for tfjs-node
  backend.setThreadsCount(1);
  await tf.setBackend("wasm");
  if (!(await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT"))) throw new Error("tfjs-backend-wasm runs without SIMD");
  return async (layer, data) => {
    const { operator, N, C, H, W, M, R, S, groups, stride: strides, dilation: dilations, padding, kernel } = layer;
    if (operator === "conv" && groups !== 1 && groups !== C) return undefined; // tfjs has no other groups
    const kept = [];
    const keep = (tensor) => {
      kept.push(tensor);
      return tensor;
    };
    const x = keep(tf.tensor(data.x, operator === "linear" ? [N, C] : [N, H, W, C]));
    const bias = data.bias && keep(tf.tensor(data.bias, [M]));
    const around = (size) => [size, size];
    const pad = padding && (padding[0] === padding[1] ? padding[0] : [[0, 0], ...padding.map(around), [0, 0]]);
    const common = {
      x,
      strides,
      pad,
      dataFormat: "NHWC",
      dilations,
      dimRoundingMode: "floor",
      bias,
      activation: "linear",
    };
    const call = {
      conv() {
        const isDepthwise = groups === C;
        // [M, C/groups, R, S] to [R, S, C, M], or [R, S, C, 1]
        const order = isDepthwise ? [2, 3, 0, 1] : [2, 3, 1, 0];
        const filter = keep(tf.tidy(() => tf.transpose(tf.tensor(data.w, [M, C / groups, R, S]), order)));
        return isDepthwise
          ? () => tf.fused.depthwiseConv2d({ ...common, filter })
          : () => tf.fused.conv2d({ ...common, filter });
      },
      linear() {
        const b = keep(tf.tidy(() => tf.transpose(tf.tensor(data.w, [M, C])))); // [C, M], as tfjs keeps a dense layer's weights
        return () => tf.fused.matMul({ a: x, b, bias, activation: "linear" });
      },
      max: () => () => tf.maxPool(x, kernel, strides, pad, "floor"),
      average: () => () => tf.avgPool(x, kernel, strides, pad, "floor"),
      global: () => () => tf.mean(x, [1, 2]),
    }[operator]();
    let y;
    return {
      run() {
        y?.dispose();
        y = call();
      },
      output: () => y.dataSync().slice(),
      dispose: () => tf.dispose([...kept, y]),
    };
  };
}
