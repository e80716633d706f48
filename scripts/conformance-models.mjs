// npm run conformance:models -- --dir DIR: whole networks against what is known of them, on the built package.
//
//   DIR/models/NAME.onnx, DIR/refs/NAME/CASE/{input,output}_K.npy   inputs and expected outputs
//   DIR/light/NAME.onnx, NAME_output_0.pb                           input arange(n) / n
//   DIR/sets                                                        labelled images for mnist-8 and ResNet8
//
// A float network passes within 1e-4 of the largest of all outputs, by default or, where Winograd rounds more, within 1e-3
// and with `precision: "high"` within 1e-4; a quantised one within a quantum: the least distance between two different values
// of the expected output. Each also runs with `optimize: false`, and must give all memory back. --only REGEX,
// --variant simd|relaxed, --json FILE. Default DIR: our own set. Exits with 1 on a failure that conformance-expected.json does not name.
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { outcomeOf, report } from "./conformance-report.mjs";
import { difference, findModels, ramp, readTensor } from "./model-cases.mjs";

const FLOAT = 1e-4;
const WINOGRAD = 1e-3;
/** [folder's files, model, images, right answers]: what onnxruntime reaches with the same files. */
const SETS = [
  {
    model: "mnist-8",
    images: "mnist1000-images.u8",
    labels: "mnist1000-labels.u8",
    logits: "mnist1000-mnist8-logits-ort.npy",
    right: 993,
  },
  {
    model: "mlperftiny-resnet8",
    images: "cifar10-500-images-chw.u8",
    labels: "cifar10-500-labels.u8",
    logits: "cifar10-500-resnet8-probs-ort.npy",
    right: 368,
  },
];

const { values: flags } = parseArgs({
  options: {
    dir: { type: "string", default: "test/conformance" },
    json: { type: "string" },
    only: { type: "string", default: "" },
    variant: { type: "string", default: "auto" },
  },
});
const root = resolve(flags.dir);
const models = findModels(root, { only: new RegExp(flags.only) }).filter(({ cases }) => cases.length > 0);
if (models.length === 0) throw new RangeError(`"dir" expected a folder with models and refs, got none in ${root}`);

const rt = await createRuntime({ variant: flags.variant });
const tests = [];
for (const model of models) for (const test of model.cases) tests.push(await check(model, test));
for (const set of SETS) if (existsSync(join(root, "sets", set.images))) tests.push(await accuracy(set));
rt.dispose();
report(tests, { variant: rt.variant, json: flags.json });

async function check(model, test) {
  const name = `${model.name}/${test.name}`;
  return outcomeOf(name, async (seen) => {
    const before = rt.report().bytesInUse;
    const usual = await run(model, test);
    seen(usual.off);
    const plain = await run(model, test, { optimize: false });
    const notes = [`${usual.share.toExponential(1)} of the largest output`];
    if (usual.share > FLOAT && model.isFloat) {
      const high = await run(model, test, { precision: "high" });
      notes.push(`${high.share.toExponential(1)} with precision "high"`);
      if (usual.share > WINOGRAD || high.share > FLOAT) throw new Error(notes.join(", "));
    } else if (usual.share > FLOAT) {
      notes.push(`${(usual.off / usual.quantum).toFixed(3)} quanta`);
      if (usual.off > usual.quantum * (1 + FLOAT)) throw new Error(notes.join(", "));
    }
    const most = model.isFloat ? WINOGRAD * plain.most : Math.max(FLOAT * plain.most, plain.quantum * (1 + FLOAT));
    if (plain.off > most) throw new Error(`${plain.share.toExponential(1)} without optimisation`);
    if (rt.report().bytesInUse !== before) throw new Error(`${rt.report().bytesInUse - before} bytes not given back`);
    console.log(`${name}: ${notes.join(", ")}`);
    return notes.join(", ");
  });
}

/** The largest error of one case, absolute and as a share of the largest output; the quantum of that output. */
async function run({ file, isLight }, { inputs, outputs }, options) {
  const model = await loadOnnx(rt, readFileSync(file), options);
  try {
    const given = isLight ? model.inputs.map(({ shape }) => ramp(shape)) : inputs.map(readTensor);
    const answers = model.run(Object.fromEntries(model.inputs.map(({ name }, i) => [name, given[i]])));
    const worst = { off: 0, most: 0, quantum: 0 };
    outputs.map(readTensor).forEach((expected, i) => {
      const { name } = model.outputs[i];
      const { most, off } = difference({ shape: answers[name].shape, data: answers[name].toArray() }, expected);
      if (off >= worst.off) Object.assign(worst, { off, quantum: quantumOf(expected.data) });
      worst.most = Math.max(worst.most, most);
    });
    return { ...worst, share: worst.most > 0 ? worst.off / worst.most : worst.off };
  } finally {
    model.dispose();
  }
}

/** The least distance between two different values. */
function quantumOf(data) {
  const values = [...new Set(Array.from(data, Number))].sort((a, b) => a - b);
  return values.reduce((least, value, i) => (i > 0 ? Math.min(least, value - values[i - 1]) : least), Infinity);
}

/** Right answers on a labelled set, at least as many as onnxruntime's; and its logits. */
async function accuracy({ model: name, images, labels, logits, right }) {
  return outcomeOf(`sets/${name}`, async (seen) => {
    const read = (file) => readFileSync(join(root, "sets", file));
    const [pixels, answers, expected] = [read(images), read(labels), readTensor(join(root, "sets", logits))];
    const model = await loadOnnx(rt, readFileSync(join(root, "models", `${name}.onnx`)));
    try {
      const [{ name: input, shape }] = model.inputs;
      const size = shape.reduce((a, b) => a * b, 1);
      const classes = expected.data.length / answers.length;
      const got = new Float32Array(expected.data.length);
      answers.forEach((_, i) => {
        const data = Float32Array.from(pixels.subarray(i * size, (i + 1) * size));
        got.set(model.run({ [input]: { data, shape } })[model.outputs[0].name].toArray(), i * classes);
      });
      const best = (i) => {
        const row = got.subarray(i * classes, (i + 1) * classes);
        return row.indexOf(Math.max(...row));
      };
      const hits = answers.reduce((count, label, i) => count + (best(i) === label ? 1 : 0), 0);
      const { most, off } = difference({ shape: expected.shape, data: got }, expected);
      seen(off);
      const note = `${hits} of ${answers.length} right, ${(off / most).toExponential(1)} of the largest output`;
      if (hits < right || off / most > FLOAT) throw new Error(`${note}; expected ${right} right`);
      console.log(`sets/${name}: ${note}`);
      return note;
    } finally {
      model.dispose();
    }
  });
}
