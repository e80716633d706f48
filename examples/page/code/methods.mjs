import { CONV_ALGORITHMS, createRuntime } from "lanewise";

const rt = await createRuntime();
const shape = { input: [1, 64, 56, 56], memoryFormat: "channelsLast", padding: 1 };
using weight = rt.zeros([64, 64, 3, 3]);
using x = rt.zeros(shape.input, { memoryFormat: "channelsLast" });
for (const algorithm of CONV_ALGORITHMS.filter((name) => name !== "depthwise")) {
  using plan = rt.plan.conv2d({ ...shape, weight, algorithm }); // packs the weights
  using y = rt.empty(plan.outputs[0]);
  const start = performance.now();
  for (let i = 0; i < 7; i++) plan.run(x, y); // allocates nothing
  console.log(algorithm, (performance.now() - start) / 7, plan.describe().workspaceBytes);
}
