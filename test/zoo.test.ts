import { beforeAll, describe, expect, it } from "vitest";
import {
  alexnet,
  alexnetTextbook,
  createModel,
  Graph,
  lenet5,
  ModelError,
  type Runtime,
  randomWeights,
  summarize,
  type Tensor,
} from "../src/api.js";
import { createRuntime } from "../src/index.js";
import { BINARIES } from "./binaries.js";
import { fill } from "./random.js";
import { conv2d, flatten, linear, maxPool2d, type Ref, ref, relu } from "./reference.js";
import { expectClose, UNIT_ROUNDOFF } from "./tolerance.js";

const weights = randomWeights(lenet5(), 7);

function weight(name: string): Ref {
  const tensor = weights.get(name);
  if (tensor === undefined) throw new Error(`no weight ${name}`);
  return ref(tensor.shape, tensor.data as Float32Array);
}

function lenet5Reference(image: Ref): Ref {
  const pool = { kernel: [2, 2], stride: [2, 2] } as const;
  const dense = (x: Ref, layer: string) => linear(x, weight(`${layer}.weight`), weight(`${layer}.bias`));
  let x = relu(conv2d(image, weight("conv1.weight"), weight("conv1.bias"), { padding: [2, 2, 2, 2] }));
  x = maxPool2d(x, pool);
  x = maxPool2d(relu(conv2d(x, weight("conv2.weight"), weight("conv2.bias"))), pool);
  return dense(relu(dense(relu(dense(flatten(x), "fc1")), "fc2")), "fc3");
}

describe.each(BINARIES)("lenet5 on $name", (binary) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await binary.create();
  });

  it.each([1, 3])("agrees with the reference layer by layer, batch %i", (batch) => {
    const before = rt.report().bytesInUse;
    const shape = [batch, 1, 28, 28];
    const image = fill(shape, "digit");
    const model = createModel(rt, lenet5({ batch }), weights);
    const x = rt.tensor(image, shape);
    const expected = lenet5Reference(ref(shape, image));
    // Five layers of at most 400 products: their roundings add up, on values of the size of the largest.
    const largest = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (let i = 0; i < 2; i++)
      expectClose(
        model.run({ image: x })["logits"]?.data as Float32Array,
        expected,
        5 * 80 * UNIT_ROUNDOFF * largest * 4,
        "logits",
      );
    model.dispose();
    x.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });
});

describe("zoo", () => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await createRuntime();
  });

  it("lenet5 has the known size", () => {
    const { totals } = summarize(rt, lenet5());
    expect(totals.parameters).toBe(61_706);
    expect(totals.macs).toBe(28 * 28 * 6 * 25 + 10 * 10 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10);
  });

  it("alexnet has 61 million parameters, 724 million multiply-accumulates, and the textbook's 832 million", () => {
    const before = rt.report();
    const { rows, totals } = summarize(rt, alexnet());
    expect(totals.parameters).toBe(60_965_224);
    expect(totals.macs).toBe(724_406_816);
    expect(totals.ungroupedMacs).toBe(1_135_256_096);
    const textbook = alexnetTextbook(rows);
    expect(textbook.map((row) => row.textbookMillions)).toEqual([105, 223, 149, 224, 74, 37, 16, 4]);
    expect(textbook.reduce((sum, row) => sum + row.textbookMillions, 0)).toBe(832);
    expect(textbook.reduce((sum, row) => sum + row.macs, 0)).toBe(totals.macs);
    expect(
      rows.filter((row) => row.layer !== "").map(({ layer, outputShape }) => `${layer} ${outputShape.join("x")}`),
    ).toEqual([
      "conv1 1x96x55x55",
      "norm1 1x96x55x55",
      "pool1 1x96x27x27",
      "conv2 1x256x27x27",
      "norm2 1x256x27x27",
      "pool2 1x256x13x13",
      "conv3 1x384x13x13",
      "conv4 1x384x13x13",
      "conv5 1x256x13x13",
      "pool5 1x256x6x6",
      "flatten 1x9216",
      "fc6 1x4096",
      "fc7 1x4096",
      "fc8 1x1000",
      "softmax 1x1000",
    ]);
    expect(rt.report()).toEqual(before);
  });

  it("alexnet runs as its layers do one by one", () => {
    const graph = alexnet();
    const random = randomWeights(graph, 3);
    const before = rt.report().bytesInUse;
    const data = fill([1, 3, 227, 227], "photo");
    const model = createModel(rt, graph, random);
    expect(rt.report().bytesInUse - before).toBe(model.plan.totalBytes);
    expect(rt.report().peakBytes - before).toBeLessThan(1.01 * model.plan.totalBytes);
    const image = rt.tensor(data, [1, 3, 227, 227]);
    const probabilities = (model.run({ image })["probabilities"] as Tensor).toArray() as Float32Array;
    model.dispose();
    expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);

    const values = new Map<string, Tensor>([["image", image]]);
    for (const { op, inputs, params, options, outputs } of graph.nodes) {
      const operands = params.map((name) => {
        const tensor = name === null ? undefined : random.get(name);
        return tensor && rt.tensor(tensor.data, tensor.shape);
      });
      const call = rt[op] as (...args: unknown[]) => Tensor;
      values.set(outputs[0] as string, call.call(rt, ...inputs.map((name) => values.get(name)), ...operands, options));
      for (const operand of operands) operand?.dispose();
    }
    const expected = values.get("softmax") as Tensor;
    const largest = Math.max(...probabilities);
    expectClose(probabilities, ref([1, 1000], expected.data as Float32Array), 1e-4 * largest, "probabilities");
    for (const tensor of values.values()) tensor.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });

  it("randomWeights is the same for the same seed and wants declared shapes", () => {
    expect(randomWeights(lenet5(), 7)).toEqual(weights);
    expect(randomWeights(lenet5(), 8)).not.toEqual(weights);
    const g = new Graph();
    g.parameter("w");
    expect(() => randomWeights(g)).toThrow(new ModelError(`"w" expected a declared shape, got none`));
    expect(() => lenet5({ batch: 0 })).toThrow(RangeError);
    expect(() => alexnet({ batch: 1.5 })).toThrow(RangeError);
  });
});
