// A cold start of onnxruntime-web on the equal model.
import { readFileSync } from "node:fs";
import { report } from "../start/report.mjs";

const [, , model, image] = process.argv;
const clock = report();
const ort = await import("onnxruntime-web/wasm");
clock.mark("import");
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(model)), {
  executionProviders: ["wasm"],
});
clock.mark("session");
const pixels = new Float32Array(Uint8Array.from(readFileSync(image)).buffer);
const { y } = await session.run({ x: new ort.Tensor("float32", pixels, [1, 1, 28, 28]) });
clock.finish(y.data);
