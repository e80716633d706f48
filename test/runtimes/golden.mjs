// The golden script: the same file in every runtime. Imports the installed package, takes its data as JavaScript, and
// answers a report that run.mjs checks. Needs no permission, no file, no network.
import {
  CONV_ALGORITHMS,
  createModel,
  createRuntime,
  DisposedError,
  lenet5,
  readSafetensors,
  ShapeError,
  UnsupportedError,
} from "lanewise";
import { readIdx } from "lanewise/datasets";
import { loadOnnx } from "lanewise/onnx";
import { digits, labels, networks, weights } from "./fixtures.mjs";

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/** FNV-1a over the bytes of a float array, going on from `hash`: equal hashes, equal bits. */
function hashOf(floats, hash = 0x811c9dc5) {
  for (const byte of new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength))
    hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function assert(condition, message) {
  if (!condition) throw new Error(message);
}

/** From -0.5 to 0.5, a full mantissa, the same everywhere: Math.sin differs by engine. */
const noise = (i) => (Math.imul(i + 1, 0x9e3779b1) >>> 0) / 2 ** 32 - 0.5;

/** Every algorithm against plain loops; answers a hash of each one's output. */
function convolutions(rt) {
  const hashes = {};
  for (const algorithm of CONV_ALGORITHMS) {
    const groups = algorithm === "depthwise" ? 6 : 1;
    const [C, M, H, W] = [6, groups === 1 ? 10 : 6, 9, 11];
    const perGroup = C / groups;
    const x = Float32Array.from({ length: C * H * W }, (_, i) => noise(i));
    const w = Float32Array.from({ length: M * perGroup * 9 }, (_, i) => noise(i + 5000));
    const b = Float32Array.from({ length: M }, (_, i) => i / 8);
    const input = rt.tensor(x, [1, C, H, W]);
    const weight = rt.tensor(w, [M, perGroup, 3, 3]);
    const bias = rt.tensor(b, [M]);
    const y = rt.conv2d(input, weight, bias, { padding: 1, groups, activation: "relu", algorithm });
    const got = y.toArray();
    for (let i = 0; i < got.length; i++) {
      const [m, p, q] = [Math.floor(i / (H * W)), Math.floor(i / W) % H, i % W];
      let sum = b[m];
      for (let c = 0; c < perGroup; c++) {
        for (let tap = 0; tap < 9; tap++) {
          const [h, v] = [p + Math.floor(tap / 3) - 1, q + (tap % 3) - 1];
          if (h < 0 || h >= H || v < 0 || v >= W) continue;
          const channel = groups === 1 ? c : m;
          sum += x[(channel * H + h) * W + v] * w[(m * perGroup + c) * 9 + tap];
        }
      }
      assert(Math.abs(got[i] - Math.max(sum, 0)) < 1e-4, `${algorithm}: expected ${Math.max(sum, 0)}, got ${got[i]}`);
    }
    for (const tensor of [input, weight, bias, y]) tensor.dispose();
    hashes[algorithm] = hashOf(got);
  }
  return hashes;
}

/** LeNet-5 on ten digits, one at a time. */
async function reading(rt) {
  const { data, shape } = await readIdx(bytesOf(digits));
  const model = createModel(rt, lenet5({ batch: 1 }), readSafetensors(bytesOf(weights)));
  const logits = new Float32Array(shape[0] * 10);
  let right = 0;
  for (let i = 0; i < shape[0]; i++) {
    const image = rt.tensor(
      Float32Array.from(data.subarray(i * 784, (i + 1) * 784), (p) => p / 255),
      [1, 1, 28, 28],
    );
    const scores = model.run({ image }).logits.toArray();
    logits.set(scores, i * 10);
    if (scores.indexOf(Math.max(...scores)) === labels[i]) right++;
    image.dispose();
  }
  model.dispose();
  return { right, of: shape[0], hash: hashOf(logits) };
}

/** A network from an ONNX file, at once and in turns; answers a hash of its output. */
async function network(rt, { onnx, onnxInput, onnxOutput }) {
  const floats = (npy) => {
    const bytes = bytesOf(npy);
    return new Float32Array(bytes.slice(10 + bytes[8] + 256 * bytes[9]).buffer);
  };
  const model = await loadOnnx(rt, bytesOf(onnx));
  const [{ name, shape }] = model.inputs;
  const given = { [name]: { data: floats(onnxInput), shape } };
  const got = model.run(given)[model.outputs[0].name].toArray();
  floats(onnxOutput).forEach((wanted, i) => {
    assert(Math.abs(got[i] - wanted) < 1e-4, `onnx output ${i}: expected ${wanted}, got ${got[i]}`);
  });
  const again = (await model.runAsync(given, { yieldEvery: 0 }))[model.outputs[0].name].toArray();
  assert(got.join() === again.join(), "runAsync differs from run");
  model.dispose();
  return hashOf(got);
}

/** Every network's hash; the quantised one has operators of a family that is loaded for it. */
async function allNetworks(rt) {
  const hashes = {};
  for (const [name, files] of Object.entries(networks)) hashes[name] = await network(rt, files);
  return hashes;
}

/** Why a tuned plan has its algorithm. */
function tuned(rt) {
  const weight = rt.zeros([16, 16, 3, 3]);
  const plan = rt.plan.conv2d({ input: [1, 16, 14, 14], weight, tune: true });
  const { reason } = plan.describe();
  plan.dispose();
  weight.dispose();
  return reason;
}

function refusals(rt) {
  const refuses = (act, type) => {
    try {
      act();
    } catch (error) {
      return error instanceof type;
    }
    return false;
  };
  const x = rt.zeros([1, 3, 4, 4]);
  const w = rt.zeros([2, 3, 3, 3]);
  assert(
    refuses(() => rt.conv2d(x, w, null, { groups: 2 }), ShapeError),
    "groups that do not divide are a ShapeError",
  );
  assert(
    refuses(() => rt.conv2d(x, w, null, { stride: 0 }), RangeError),
    "a zero stride is a RangeError",
  );
  assert(
    refuses(() => rt.conv2d(x, w, null, { stride: 2, algorithm: "winograd43" }), UnsupportedError),
    "Winograd has stride 1",
  );
  w.dispose();
  assert(
    refuses(() => rt.conv2d(x, w), DisposedError),
    "a disposed tensor is a DisposedError",
  );
  x.dispose();
}

/** variants: "auto" always, and by name what this entry of the package has. */
export async function golden(variants = ["auto", "simd"]) {
  const results = [];
  for (const variant of variants) {
    const rt = await createRuntime({ variant });
    const hashes = convolutions(rt);
    const lenet = await reading(rt);
    await allNetworks(rt);
    const { memoryBytes } = rt.report();
    for (let i = 0; i < 20; i++) convolutions(rt);
    await reading(rt);
    const onnxHashes = await allNetworks(rt);
    const choice = tuned(rt);
    refusals(rt);
    const report = rt.report();
    assert(report.memoryBytes === memoryBytes, `memory grew from ${memoryBytes}: ${JSON.stringify(report)}`);
    assert(
      report.bytesInUse === 0 && report.liveTensors === 0 && report.livePlans === 0,
      `leak: ${JSON.stringify(report)}`,
    );
    rt.dispose();
    results.push({ report, hashes: { ...hashes, lenet5: lenet.hash, ...onnxHashes }, lenet, choice });
  }
  return results;
}
