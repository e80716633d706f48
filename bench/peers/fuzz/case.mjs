// One case: drawn from a seed and a number, so that it can be drawn again; run on both sides; compared.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createRuntime } from "../../../dist/index.js";
import { loadOnnx } from "../../../dist/onnx.js";
import { chainOf } from "./chain.mjs";
import { ELEMENTS } from "./elements.mjs";
import { fileOf } from "./file.mjs";
import { IMAGES } from "./images.mjs";
import { MOVEMENT } from "./movement.mjs";
import { NETWORK } from "./network.mjs";
import { OTHERS } from "./others.mjs";
import { randomOf } from "./random.mjs";

// Node 24 has an array for halves, which onnxruntime's JavaScript takes and its native side does not.
globalThis.Float16Array = undefined;
const ort = createRequire(import.meta.url)("onnxruntime-node");
const SINCE = JSON.parse(readFileSync(new URL("../../../scripts/onnx-since.json", import.meta.url)));
/** Operator sets that onnxruntime 1.30 has kernels of. */
const [OLDEST, NEWEST] = [7, 24];
/** onnxruntime's own, in the standard's domain. */
Object.assign(SINCE, { SimplifiedLayerNormalization: 1 });
/** Operators that a later set took away, and the last that has them. */
const UNTIL = { Upsample: 9, Scatter: 10 };

const DRAWS = { ...ELEMENTS, ...MOVEMENT, ...NETWORK, ...IMAGES, ...OTHERS };
const SPECIAL = [Infinity, -Infinity, NaN, 0, -0];
/** Of these the first operand is none that may be anything, or the text leaves open what becomes of it. */
const TAME =
  /Quantize|QLinear|QGemm|DeformConv|STFT|DFT|GridSample|Resize|Upsample|AffineGrid|Range|Det|RoiAlign|NonMax/;

export const NAMES = Object.keys(DRAWS);

/** Case `index` of a seed: operators take turns. only: one operator, or undefined. */
export function draw(seed, index, only) {
  const name = only ?? NAMES[index % NAMES.length];
  const r = randomOf(seed * 1_000_003 + index);
  const isStandard = !name.includes(".");
  const opset = isStandard ? r.int(Math.max(SINCE[name], OLDEST), UNTIL[name] ?? NEWEST) : 17;
  const { inputs, attributes, outputs = 1, domain, K = 1, quanta = 0 } = DRAWS[name](r, opset);
  if (/float(32|64)/.test(inputs[0]?.type) && !TAME.test(name) && r.chance(0.04))
    inputs[0].data.forEach((_, i, data) => {
      if (r.chance(0.1)) data[i] = r.pick(SPECIAL);
    });
  const areConstant = r.pick(["none", "none", "most", "most", "random", "random", "all"]); // all: folded, so in JavaScript here
  const named = inputs.map(
    (input, i) =>
      input && {
        ...input,
        name: `x${i}`,
        constant:
          areConstant === "all" || (i > 0 && (areConstant === "most" || (areConstant === "random" && r.chance(0.5)))),
      },
  );
  while (named.length > 0 && named.at(-1) === null) named.pop();
  const op = name.split(".").at(-1);
  const names = Array.from({ length: outputs }, (_, i) => `y${i}`);
  return { name, op, domain, opset, attributes, inputs: named, outputs: names, K, quanta };
}

export function told({ name, opset, attributes, inputs }) {
  const operands = inputs.map((x) => (x ? `${x.type}[${x.shape}]${x.constant ? " constant" : ""}` : "none"));
  return `${name}-${opset} ${JSON.stringify(attributes, (_, value) => (ArrayBuffer.isView(value) ? `${value}` : value))} (${operands.join(", ")})`;
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);
function ofHalf(half) {
  const exponent = (half >>> 10) & 31;
  if (exponent === 0) return (half & 0x8000 ? -1 : 1) * (half & 1023) * 2 ** -24;
  bits[0] = ((half & 0x8000) << 16) | ((exponent === 31 ? 255 : exponent + 112) << 23) | ((half & 1023) << 13);
  return float[0];
}

/** A message on one line, without the file and line of onnxruntime's source. */
const lineOf = (error) =>
  String(error?.message ?? error)
    .split("\n")[0]
    .replaceAll(/\/\S+\/(\w+\.\w+):\d+/g, "$1")
    .slice(0, 240);

async function ofPeer(file, { inputs, outputs }) {
  let session;
  try {
    session = await ort.InferenceSession.create(file, { logSeverityLevel: 4, intraOpNumThreads: 1 });
    const given = inputs.filter((x) => x && !x.constant);
    const feeds = Object.fromEntries(
      given.map(({ name, type, shape, data }) => [name, new ort.Tensor(type, data, shape)]),
    );
    const answers = await session.run(feeds);
    return outputs.map((name) => {
      const { type, dims, data } = answers[name];
      return {
        type,
        shape: [...dims],
        data: type === "float16" && data instanceof Uint16Array ? Float32Array.from(data, ofHalf) : data,
      };
    });
  } catch (error) {
    return lineOf(error);
  } finally {
    await session?.release?.();
  }
}

async function ofOurs(rt, file, { inputs, outputs }) {
  let model;
  try {
    model = await loadOnnx(rt, file);
    const answers = model.run(
      Object.fromEntries(
        inputs.filter((x) => x && !x.constant).map(({ name, shape, data }) => [name, { data, shape }]),
      ),
    );
    return outputs.map((name) => ({
      type: answers[name].dtype,
      shape: [...answers[name].shape],
      data: answers[name].toArray(),
    }));
  } catch (error) {
    return lineOf(error);
  } finally {
    model?.dispose();
  }
}

const HALVES = { float16: "float32" };

/** What differs, or undefined. A float may be as far off as K roundings of the largest output, plus those of one of the function. */
function difference(ours, theirs, { K, quanta }) {
  for (const [i, want] of theirs.entries()) {
    const got = ours[i];
    const type = HALVES[want.type] ?? want.type;
    if (got.type !== type) return `y${i}: ${got.type} / ${type}`;
    if (got.shape.join() !== want.shape.join()) return `y${i}: shape [${got.shape}] / [${want.shape}]`;
    const unit = want.type === "float16" ? 2 ** -10 : want.type === "float64" ? 2 ** -44 : 2 ** -24;
    let largest = 0;
    for (const value of want.data)
      if (Number.isFinite(Number(value))) largest = Math.max(largest, Math.abs(Number(value)));
    const roundings = Math.min(K, 4 * Math.sqrt(K)) + 4;
    let [count, first] = [0, -1];
    for (let at = 0; at < want.data.length; at++) {
      const [a, b] = [Number(got.data[at]), Number(want.data[at])];
      const near = /float/.test(type) ? roundings * unit * (largest + 1) : quanta;
      if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= near) continue;
      count++;
      if (first < 0) first = at;
    }
    if (count > 0)
      return `y${i}: ${count} of ${want.data.length} differ, first at ${first}: ${got.data[first]} / ${want.data[first]}`;
  }
  return undefined;
}

export const runtime = await createRuntime();

/** { outcome: "agreed" | "refused" | "different", message }. refused: by both. */
async function compared(one, file) {
  const theirs = await ofPeer(file, one);
  const ours = await ofOurs(runtime, file, one);
  if (typeof ours === "string" && typeof theirs === "string")
    return { outcome: "refused", message: `${ours} | ${theirs}` };
  if (typeof ours === "string") return { outcome: "different", message: `lanewise refuses: ${ours}` };
  if (typeof theirs === "string") return { outcome: "different", message: `onnxruntime refuses: ${theirs}` };
  const message = difference(ours, theirs, one);
  return message ? { outcome: "different", message } : { outcome: "agreed", first: theirs[0] };
}

/** Of a case alone, and where it agrees and has floats, with `length` nodes behind it. */
export async function outcomeOf(one, length = 0) {
  const { first, ...alone } = await compared(one, fileOf(one));
  const isUsual = first?.type === "float32" && first.data.length > 0 && first.data.every(Number.isFinite);
  if (length === 0 || alone.outcome !== "agreed" || !isUsual || one.opset < 14) return alone;
  const chain = chainOf(
    randomOf(one.opset + 7 * first.data.length + 1000 * Math.abs(first.data[0])),
    first.shape,
    one.opset,
    length,
  );
  if (chain.nodes.length < length) return alone;
  // Layers in a row amplify what they are given.
  const both = await compared({ ...one, outputs: ["z"], K: 2 ** 12 * one.K }, fileOf(one, chain));
  const told = chain.nodes
    .map(({ op, inputs, attributes }) => `${op}(${inputs}) ${JSON.stringify(attributes)}`)
    .join(", ");
  return { outcome: both.outcome, isChain: true, message: both.message && `${both.message}; then ${told}` };
}
