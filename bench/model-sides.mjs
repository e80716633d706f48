// Who runs whole networks. open() makes the engine ready; load(bytes, inputs) answers a session { run, answers, isAsync,
// release, plan? }. Inputs are plain data, given anew in every run, as who uses an engine does.
import { readFileSync } from "node:fs";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { ortNative, ortWeb } from "./peers/sides.mjs";
import { lanewiseSession, ortSession, typeOf } from "./sessions.mjs";

export const SIDES = {
  async lanewise(variant, memory = "default") {
    const wasm = new WebAssembly.Module(readFileSync(new URL(`../dist/wasm/${variant}.wasm`, import.meta.url)));
    const open = () => createRuntime({ variant, wasm });
    return {
      open,
      /** Of sizes that the file leaves open; inputs come with every run. */
      async loadOpen(rt, bytes) {
        const model = await loadOnnx(rt, bytes);
        let results;
        return {
          run: (inputs) => {
            const feeds = inputs.map(({ shape, data }, i) => [model.inputs[i].name, { shape, data }]);
            results = model.run(Object.fromEntries(feeds));
          },
          answers: () => model.outputs.flatMap(({ name }) => Array.from(results[name].toArray(), Number)),
          bytes: () => ({ held: model.plan.heldBytes, alone: model.plan.totalBytes }),
        };
      },
      load: (rt, bytes, inputs) => lanewiseSession(rt, bytes, inputs, { memory }),
    };
  },
  "ort-web": async () => onnxruntime(await ortWeb()),
  "ort-native": async () => onnxruntime(await ortNative()),
};

function onnxruntime({ ort, options }) {
  return {
    open: async () => {},
    async loadOpen(_, bytes) {
      const session = await ort.InferenceSession.create(bytes, options);
      let results;
      return {
        run: async (inputs) => {
          const feeds = inputs.map(({ data, shape }, i) => [
            session.inputNames[i],
            new ort.Tensor(typeOf(data), data, shape),
          ]);
          results = await session.run(Object.fromEntries(feeds));
        },
        answers: () => session.outputNames.flatMap((name) => Array.from(results[name].data, Number)),
      };
    },
    load: (_, bytes, inputs) => ortSession(ort, options, bytes, inputs),
  };
}
