import { alexnet, createRuntime, summarize } from "lanewise";

const rt = await createRuntime();
const { rows, totals } = summarize(rt, alexnet()); // no weights, nothing allocated
for (const { layer, op, outputShape, macs, parameters } of rows)
  console.log(layer, op, outputShape.join("x"), macs, parameters);
console.log(totals.macs, totals.ungroupedMacs, totals.parameters); // 724 M, 1,135 M, 61 M
