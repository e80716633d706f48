// The comparison in a page of Chromium: lanewise beside LiteRT.js on its CPU accelerator (XNNPACK), in one thread.
import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { limitMeter } from "../limit-meter.mjs";
import { lanewise } from "../side.mjs";
import { compareSides } from "./compare.mjs";
import { tfliteModel, withNamedPadding } from "./tflite.mjs";

/** Chromium's clock steps by 5 us in an isolated page: 2 % of a sample, 1 % of a measurement of the limit. */
const SAMPLE_MS = 0.25;
const LIMIT_TURNS = 300_000;

async function litert(layer, data) {
  const { operator, N, C, H, W } = layer;
  const model = await loadAndCompile(tfliteModel(layer, data), {
    accelerator: "wasm",
    cpuOptions: { numThreads: 1 },
  });
  const x = new Tensor(data.x, operator === "linear" ? [N, C] : [N, H, W, C]);
  let y;
  return {
    isAsync: true,
    run: async () => {
      y?.delete();
      [y] = await model.run([x]);
    },
    output: () => y.toTypedArray().slice(),
    dispose: () => [x, y, model].forEach((one) => void one.delete()),
  };
}

const compiled = (path) => WebAssembly.compileStreaming(fetch(path));
const measureLimit = limitMeter(await compiled("/build/bench/limit-relaxed.wasm"), LIMIT_TURNS);
await loadLiteRt("/bench/peers/node_modules/@litertjs/core/wasm/", { threads: false });
const sides = {
  "lanewise-relaxed": lanewise("relaxed", await compiled("/dist/wasm/relaxed.wasm")),
  litert,
};

/** Answers what child.mjs answers. */
globalThis.compare = async ({ layer, timing }) => {
  try {
    const result = await compareSides(sides, withNamedPadding(layer), { ...timing, sampleMs: SAMPLE_MS });
    return { ...result, limit: measureLimit() };
  } catch (error) {
    return { failure: error.message };
  }
};
