// The networks of bench:models and what they are given: DIR/models/NAME.onnx with DIR/refs/NAME/CASE/{input,output}_K.npy,
// and DIR/light/NAME.onnx with NAME_output_0.pb, whose input is arange(n) / n. A model without either is given the same, and
// onnxruntime-web's answer is what the others are held to.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createRuntime } from "lanewise";
import { loadOnnx, readTensorFile } from "lanewise/onnx";

/** Operators whose presence makes a network a quantised one. */
const QUANTIZED = /QLinear|QuantizeLinear|ConvInteger|MatMulInteger/;

/** [{ name, file, isFloat, inputs: [{ name, shape, file? }], outputs: files }]; an input without a file is a ramp(). */
export async function findModels(dir, { light = false, only = /(?:)/ } = {}) {
  const files = (folder) => (existsSync(folder) ? readdirSync(folder) : []);
  const models = [];
  for (const kind of ["models", ...(light ? ["light"] : [])]) {
    for (const entry of files(join(dir, kind))) {
      const name = entry.replace(/\.onnx$/, "");
      if (name === entry || !only.test(name)) continue;
      const file = join(dir, kind, entry);
      const refs = join(dir, "refs", name);
      const first = files(refs).find((folder) => existsSync(join(refs, folder, "meta.json")));
      const answer = file.replace(/\.onnx$/, "_output_0.pb");
      const meta = first && JSON.parse(readFileSync(join(refs, first, "meta.json"), "utf8"));
      const located = (tensor) => ({ ...tensor, file: join(refs, first, tensor.file) });
      models.push({
        name,
        file,
        isFloat: !QUANTIZED.test(readFileSync(file, "latin1")),
        inputs: meta ? meta.inputs.map(located) : await inputsOf(file),
        outputs: meta ? meta.outputs.map((tensor) => located(tensor).file) : existsSync(answer) ? [answer] : [],
      });
    }
  }
  return models;
}

/** What a file says of its inputs; sizes that it leaves open are 1. */
async function inputsOf(file) {
  const rt = await createRuntime();
  const { inputs } = await loadOnnx(rt, readFileSync(file));
  rt.dispose();
  return inputs.map(({ name, shape }) => ({ name, shape: shape.map((size) => (size > 0 ? size : 1)) }));
}

const TYPES = { "<f4": Float32Array, "<i4": Int32Array, "<i8": BigInt64Array, "|u1": Uint8Array, "|i1": Int8Array };

/** { shape, data } of a .npy or .pb file. */
export function readTensor(file) {
  const bytes = readFileSync(file);
  if (file.endsWith(".pb")) return readTensorFile(bytes);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString("latin1", 10, start);
  const [, descr] = /'descr': '([^']+)'/.exec(header);
  const [, sizes] = /'shape': \(([^)]*)\)/.exec(header);
  if (TYPES[descr] === undefined || header.includes("'fortran_order': True"))
    throw new TypeError(`${file} expected one of ${Object.keys(TYPES)} in C order, got ${header.trim()}`);
  const shape = sizes.split(",").filter((size) => size.trim() !== "");
  return { shape: shape.map(Number), data: new TYPES[descr](Uint8Array.from(bytes.subarray(start)).buffer) };
}

/** arange(n) / n */
export function ramp(shape) {
  const count = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float32Array.from({ length: count }, (_, i) => i / count) };
}

/** The largest difference, as a share of the largest value of the output it is in. Throws where shapes differ. */
export function difference(answers, expected) {
  return expected.reduce((worst, { shape, data }, i) => {
    if (answers[i].shape.join() !== shape.join())
      throw new Error(`output ${i} has shape [${answers[i].shape}], expected [${shape}]`);
    let [most, off] = [0, 0];
    for (let at = 0; at < data.length; at++) {
      most = Math.max(most, Math.abs(Number(data[at])));
      off = Math.max(off, Math.abs(Number(data[at]) - Number(answers[i].data[at])));
    }
    return Math.max(worst, most > 0 ? off / most : off);
  }, 0);
}
