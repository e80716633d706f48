// LeNet-5 by plans, so that every layer's output is a tensor that can be looked at. Weights travel as whole numbers of 4 to 8 bits
// with a scale for each output channel (scripts/page/assets.mjs) and are widened here.
import { type Plan, type Runtime, readSafetensors, type Tensor } from "lanewise";
import { type EngineOptions, fetched, options, runtimeOf, whenRestarted } from "./runtime.js";

const LAYERS = ["conv1", "conv2", "fc1", "fc2", "fc3"] as const;
type Layer = (typeof LAYERS)[number];
type Numbers = Record<Layer, { weight: Float32Array; bias: Float32Array; shape: readonly number[] }>;

let numbers: Promise<Numbers> | undefined;

async function fetchNumbers(): Promise<Numbers> {
  const response = await fetch(new URL(WEIGHTS, import.meta.url));
  if (!response.ok) throw new Error(`"lenet5.safetensors" expected a file, got status ${response.status}`);
  const file = readSafetensors(await response.arrayBuffer());
  const of = (name: string) => {
    const tensor = file.get(name);
    if (tensor === undefined) throw new Error(`"lenet5.safetensors" expected a tensor ${name}, got none`);
    return { shape: tensor.shape, data: Float32Array.from(tensor.data as Float32Array) };
  };
  const widened = LAYERS.map((layer) => {
    const { shape, data: weight } = of(`${layer}.weight`);
    const scale = of(`${layer}.scale`).data;
    const each = weight.length / scale.length;
    for (let i = 0; i < weight.length; i++) weight[i] = (weight[i] as number) * (scale[Math.floor(i / each)] as number);
    return [layer, { weight, bias: of(`${layer}.bias`).data, shape }];
  });
  return Object.fromEntries(widened);
}

function numbersOf(): Promise<Numbers> {
  numbers ??= fetchNumbers().catch((error) => {
    numbers = undefined; // offline at the first try, say
    throw error;
  });
  return numbers;
}

/** Weights of what a pixel of a map is made of. */
export async function digitWeights() {
  const { conv1, conv2 } = await numbersOf();
  return {
    conv1: conv1.weight.slice(),
    bias1: conv1.bias.slice(),
    conv2: conv2.weight.slice(),
    bias2: conv2.bias.slice(),
  };
}

interface Net {
  readonly run: (pixels: Float32Array) => void;
  readonly outputs: Readonly<Record<"conv1" | "pool1" | "conv2" | "logits" | "probabilities", Tensor>>;
}

function build(rt: Runtime, given: Numbers): Net {
  const image = rt.zeros([1, 1, 28, 28]);
  const steps: [Plan, Tensor, Tensor][] = [];
  const step = (plan: Plan, from: Tensor): Tensor => {
    const to = rt.empty(plan.outputs[0] as Plan["outputs"][number]);
    steps.push([plan, from, to]);
    return to;
  };
  const operands = (layer: Layer) => {
    const { weight, bias, shape } = given[layer];
    return { weight: rt.tensor(weight, shape), bias: rt.tensor(bias, [bias.length]) };
  };
  const activation = "relu";
  const conv = (x: Tensor, layer: Layer, padding: number) =>
    step(rt.plan.conv2d({ input: x.shape, ...operands(layer), padding, activation }), x);
  const pool = (x: Tensor) => step(rt.plan.maxPool2d({ input: x.shape, kernel: 2 }), x);
  const conv1 = conv(image, "conv1", 2);
  const pool1 = pool(conv1);
  const conv2 = conv(pool1, "conv2", 0);
  const pool2 = pool(conv2);
  let x = step(rt.plan.flatten({ input: pool2.shape }), pool2);
  for (const layer of ["fc1", "fc2"] as const)
    x = step(rt.plan.linear({ input: x.shape, ...operands(layer), activation }), x);
  const logits = step(rt.plan.linear({ input: x.shape, ...operands("fc3") }), x);
  const probabilities = step(rt.plan.softmax({ input: logits.shape }), logits);
  return {
    outputs: { conv1, pool1, conv2, logits, probabilities },
    run(pixels) {
      image.data.set(pixels);
      for (const [plan, from, to] of steps) plan.run(from, to);
    },
  };
}

let net: Promise<Net> | undefined;
whenRestarted(() => {
  net = undefined;
});

function netOf(): Promise<Net> {
  net ??= Promise.all([runtimeOf(), numbersOf()])
    .then(([rt, given]) => build(rt, given))
    .catch((error) => {
      net = undefined;
      throw error;
    });
  return net;
}

/** The first that is asked of a worker: a network that is ready when the first digit comes, of a runtime with these options. */
export async function start(given: EngineOptions): Promise<void> {
  options(given);
  await netOf();
}

/** pixels: 28 x 28, from 0 to 1. */
export async function classify({ pixels }: { readonly pixels: Float32Array }) {
  const { run, outputs } = await netOf();
  const before = performance.now();
  run(pixels);
  const ms = performance.now() - before;
  const copies = Object.entries(outputs).map(([name, tensor]) => [name, tensor.toArray()]);
  return { ms, fetchedBytes: fetched(), ...(Object.fromEntries(copies) as Record<keyof Net["outputs"], Float32Array>) };
}
