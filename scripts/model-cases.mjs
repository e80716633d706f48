// Whole networks with what they should answer: DIR/models/NAME.onnx with DIR/refs/NAME/CASE/{input,output}_K.npy, and
// DIR/light/NAME.onnx with NAME_output_0.pb, which is given arange(n) / n.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readTensorFile } from "lanewise/onnx";

/** Operators whose presence makes a network a quantised one. */
const QUANTIZED = ["QLinear", "QuantizeLinear", "ConvInteger", "MatMulInteger"];
const TYPES = { "<f4": Float32Array, "<i4": Int32Array, "<i8": BigInt64Array, "|u1": Uint8Array, "|i1": Int8Array };

const filesOf = (folder) => (existsSync(folder) ? readdirSync(folder).sort() : []);

/**
 * [{ name, file, isLight, isFloat, cases: [{ name, inputs, outputs }] }]: files of tensors, in order. Without inputs: ramps.
 * Without cases: nobody knows the answer.
 */
export function findModels(dir, { light = true, only = /(?:)/ } = {}) {
  return ["models", ...(light ? ["light"] : [])].flatMap((kind) =>
    filesOf(join(dir, kind))
      .filter((entry) => entry.endsWith(".onnx") && only.test(entry.slice(0, -5)))
      .map((entry) => {
        const name = entry.slice(0, -5);
        const file = join(dir, kind, entry);
        return { name, file, isLight: kind === "light", isFloat: isFloat(file), cases: casesOf(dir, kind, name) };
      }),
  );
}

/** The same of a folder of .onnx files, of which nobody knows the answers. */
export function filesIn(folder, only = /(?:)/) {
  return filesOf(folder)
    .filter((entry) => entry.endsWith(".onnx") && only.test(entry.slice(0, -5)))
    .map((entry) => {
      const file = join(folder, entry);
      return { name: entry.slice(0, -5), file, isLight: false, isFloat: isFloat(file), cases: [] };
    });
}

function isFloat(file) {
  const bytes = readFileSync(file);
  return !QUANTIZED.some((name) => bytes.includes(name));
}

function casesOf(dir, kind, name) {
  if (kind === "light") return [{ name: "ramp", inputs: [], outputs: [join(dir, kind, `${name}_output_0.pb`)] }];
  return filesOf(join(dir, "refs", name)).flatMap((entry) => {
    const folder = join(dir, "refs", name, entry);
    const numbered = (start) =>
      filesOf(folder)
        .filter((file) => file.startsWith(`${start}_`))
        .sort((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b)))
        .map((file) => join(folder, file));
    const [inputs, outputs] = [numbered("input"), numbered("output")];
    return inputs.length > 0 ? [{ name: entry, inputs, outputs }] : [];
  });
}

/** { shape, data } of a .npy or .pb file. */
export function readTensor(file) {
  const bytes = readFileSync(file);
  if (file.endsWith(".pb")) return readTensorFile(bytes);
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString("latin1", 10, start);
  const descr = /'descr': '([^']+)'/.exec(header)?.[1];
  const sizes = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  if (TYPES[descr] === undefined || sizes === undefined || header.includes("'fortran_order': True"))
    throw new TypeError(`${file} expected an array of ${Object.keys(TYPES)} in C order, got ${header.trim()}`);
  const shape = sizes.split(",").filter((size) => size.trim() !== "");
  return { shape: shape.map(Number), data: new TYPES[descr](Uint8Array.from(bytes.subarray(start)).buffer) };
}

/** arange(n) / n; sizes that a model leaves open are 1. */
export function ramp(shape) {
  const sizes = shape.map((size) => (typeof size === "number" && size > 0 ? size : 1));
  const count = sizes.reduce((a, b) => a * b, 1);
  return { shape: sizes, data: Float32Array.from({ length: count }, (_, i) => i / count) };
}

/** The largest difference of two arrays, and the largest magnitude in the expected one. Throws where shapes differ. */
export function difference(got, expected) {
  if (got.shape.join() !== expected.shape.join())
    throw new Error(`expected shape [${expected.shape}], got [${got.shape}]`);
  let [most, off] = [0, 0];
  for (let at = 0; at < expected.data.length; at++) {
    const [a, b] = [Number(got.data[at]), Number(expected.data[at])];
    most = Math.max(most, Math.abs(b));
    const distance = a === b || (Number.isNaN(a) && Number.isNaN(b)) ? 0 : Math.abs(a - b);
    off = Number.isNaN(distance) ? Infinity : Math.max(off, distance);
  }
  return { most, off };
}
