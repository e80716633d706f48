import { createModel, createRuntime, lenet5, readSafetensors } from "lanewise";

const rt = await createRuntime();
const file = await fetch("lenet5-float32.safetensors"); // examples/lenet5 has it
const model = createModel(rt, lenet5(), readSafetensors(await file.arrayBuffer()));
const pixels = new Float32Array(28 * 28); // 0 to 1, from your canvas
for (let x = 8; x < 20; x++) pixels[7 * 28 + x] = pixels[8 * 28 + x] = 1; // a bar
for (let y = 8; y < 22; y++) pixels[y * 28 + 18] = pixels[y * 28 + 19] = 1; // and a stem
model.input("image").set(pixels);
const logits = model.run().logits.toArray();
console.log(logits.indexOf(Math.max(...logits))); // 7
