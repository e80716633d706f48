import { createRuntime } from "lanewise";
import { describeOnnx, loadOnnx } from "lanewise/onnx";

const rt = await createRuntime();
const file = await (await fetch("model.onnx")).arrayBuffer();
const { operators } = await describeOnnx(file); // plans nothing
console.log(
  "missing:",
  operators.filter(({ supported }) => !supported).map(({ name }) => name),
);
const model = await loadOnnx(rt, file, { maxBytes: 1e9 }); // refused before a byte is taken
const [{ name, shape }] = model.inputs;
const data = new Float32Array(shape.reduce((a, b) => a * b));
console.log(String(model.profile({ [name]: { data, shape } }, { runs: 5 })));
console.log(model.summary().arena.length, "values share", model.plan.arenaBytes, "bytes");
