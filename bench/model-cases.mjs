// The networks of bench:models: those of the conformance runner with the names of their inputs and their first case. A
// network without a case is given ramps, and onnxruntime-web's answer is what the others are held to.
import { readFileSync } from "node:fs";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import * as cases from "../scripts/model-cases.mjs";

export { ramp, readTensor } from "../scripts/model-cases.mjs";

/**
 * [{ name, file, isFloat, inputs: [{ name, shape, file }], outputs: files }] of a data folder and of folders of .onnx files; an
 * input without a file is a ramp(). `error` in place of inputs and outputs: why it does not load.
 */
export async function findModels(dir, { light = false, only = /(?:)/, folders = [] } = {}) {
  const found = [
    ...cases.findModels(dir, { light, only }),
    ...folders.flatMap((folder) => cases.filesIn(folder, only)),
  ];
  const models = [];
  for (const { name, file, isFloat, cases: known } of found) {
    const { inputs, outputs } = known[0] ?? { inputs: [], outputs: [] };
    try {
      const named = (await inputsOf(file)).map((input, i) => ({ ...input, file: inputs[i] }));
      models.push({ name, file, isFloat, inputs: named, outputs });
    } catch (error) {
      models.push({ name, error });
    }
  }
  return models;
}

/** What a file says of its inputs. */
async function inputsOf(file) {
  const rt = await createRuntime();
  const { inputs } = await loadOnnx(rt, readFileSync(file));
  rt.dispose();
  return inputs.map(({ name, shape }) => ({ name, shape }));
}

/** The largest difference, as a share of the largest of all outputs. Throws where shapes differ. */
export function difference(answers, expected) {
  const found = expected.map((wanted, i) => cases.difference(answers[i], wanted));
  const [most, off] = ["most", "off"].map((key) => Math.max(...found.map((entry) => entry[key])));
  return most > 0 ? off / most : off;
}
