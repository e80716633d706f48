import { CONV_ALGORITHMS, createRuntime } from "lanewise";

const rt = await createRuntime();
const shape = { input: [1, 64, 56, 56], memoryFormat: "channelsLast", padding: 1 };
const weight = rt.zeros([64, 64, 3, 3]);
const x = rt.zeros(shape.input, { memoryFormat: "channelsLast" });
for (const algorithm of CONV_ALGORITHMS.filter((name) => name !== "depthwise")) {
  const plan = rt.plan.conv2d({ ...shape, weight, algorithm }); // packs the weights
  const y = rt.empty(plan.outputs[0]);
  const start = performance.now();
  for (let i = 0; i < 7; i++) plan.run(x, y); // allocates nothing
  console.log(algorithm, (performance.now() - start) / 7, plan.describe().workspaceBytes);
}
