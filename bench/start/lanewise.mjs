// A cold start of ours: LeNet-5 from safetensors. The parent reads the phases from the last line.
import { readFileSync } from "node:fs";
import { report } from "./report.mjs";

const [, , weights, image] = process.argv;
const clock = report();
const { createModel, createRuntime, lenet5, readSafetensors } = await import("lanewise");
clock.mark("import");
const rt = await createRuntime();
clock.mark("runtime");
const model = createModel(rt, lenet5(), readSafetensors(readFileSync(weights)));
clock.mark("model");
model.input("image").set(new Float32Array(Uint8Array.from(readFileSync(image)).buffer));
model.run();
clock.finish(model.output("logits"));
