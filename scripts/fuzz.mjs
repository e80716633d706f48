// npm run fuzz: mutated ONNX files on the built package. Each is loaded under a limit and, where it loads, run once on
// zeros. It must work, or be refused with an error of the package in one sentence; never trap, hang, leak or grow beyond
// the limit, and the runtime must compute as before.
//
//   --count N, --seed N     mutations, by default 20,000, and what they are drawn from
//   --dir DIR               models to mutate (.onnx files in it); default our own conformance set, and quantised layers in every form
//   --at N                  one mutation again, with the whole error; --out FILE writes it
//   --variant simd|relaxed, --seconds N (for one mutation, default 120)
//
// Mutations run in a thread that is replaced when one takes too long. Exits with 1 on any finding.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { networkFile } from "../bench/peers/fuzz/file.mjs";
import { KINDS } from "../bench/peers/fuzz/integer-layers.mjs";
import { randomOf as drawnFrom } from "../bench/peers/fuzz/random.mjs";
import { mutatorOf, randomOf } from "./fuzz-mutate.mjs";

const LIMITS = { maxBytes: 2 ** 26, maxMacs: 5e8 };
/** Errors that tell what is wrong with a file, or with running it on inputs it declares. */
const REFUSALS = new Set(["ModelError", "UnsupportedError", "OutOfMemoryError"]);
/** A sentence of the package: `"what" expected ..., got ...`, with the node in front where there is one. */
const SENTENCE = /"[^"]*" expected |^"model" /;
const MOST_BYTES = 2 ** 21;
/** Larger inputs, of files that leave a size open and declare an absurd one, are not made. */
const MOST_ELEMENTS = 2 ** 24;
const mutators = new Map();
/** Findings printed; all count. */
const SHOWN = 30;

if (isMainThread) await main();
else await work(workerData);

async function main() {
  const { values: flags } = parseArgs({
    options: {
      count: { type: "string", default: "20000" },
      seed: { type: "string", default: "1" },
      dir: { type: "string" },
      at: { type: "string" },
      out: { type: "string" },
      variant: { type: "string", default: "auto" },
      seconds: { type: "string", default: "120" },
    },
  });
  const [count, seed, seconds] = [flags.count, flags.seed, flags.seconds].map(Number);
  const { dir = "test/conformance/models" } = flags;
  const files = readdirSync(dir, { recursive: true })
    .filter((file) => file.endsWith(".onnx"))
    .map((file) => join(dir, file))
    .filter((file) => readFileSync(file).length <= MOST_BYTES)
    .sort();
  if (files.length === 0) throw new RangeError(`"dir" expected a folder with .onnx files, got none in ${dir}`);
  if (flags.dir === undefined) files.push(...Object.keys(KINDS));
  const options = { files, seed, variant: flags.variant };
  if (flags.at !== undefined) {
    const index = Number(flags.at);
    const { kind, file, bytes } = mutation(options, index);
    console.log(`${index}: ${kind} of ${file}, ${bytes.length} bytes`);
    if (flags.out) writeFileSync(flags.out, bytes);
    const rt = await createRuntime({ variant: flags.variant });
    const { outcome, error } = await once(rt, bytes);
    console.log(outcome, error ?? "");
    return;
  }

  const outcomes = {};
  const findings = [];
  let next = 0;
  while (next < count) {
    next = await new Promise((resolve) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { ...options, from: next, count } });
      let current = next;
      let timer;
      const watch = () => {
        clearTimeout(timer);
        timer = setTimeout(async () => {
          findings.push({ index: current, what: `took more than ${seconds} s` });
          await worker.terminate();
          resolve(current + 1);
        }, seconds * 1000);
      };
      worker.on("message", ({ index, outcome, finding }) => {
        if (index === current) {
          outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
          if (finding) findings.push({ index, what: finding });
        }
        current = index + 1;
        watch();
      });
      worker.on("error", (error) => {
        findings.push({ index: current, what: `ended the thread: ${error.message}` });
        clearTimeout(timer);
        resolve(current + 1);
      });
      worker.on("exit", () => {
        clearTimeout(timer);
        resolve(current);
      });
    });
  }
  findings.sort((a, b) => a.index - b.index);
  for (const { index, what } of findings.slice(0, SHOWN)) {
    const { kind, file } = mutation(options, index);
    console.log(`FINDING --seed ${seed} --at ${index} (${kind} of ${file}): ${what}`);
  }
  const table = Object.entries(outcomes).sort(([, a], [, b]) => b - a);
  console.log(table.map(([outcome, times]) => `${times} ${outcome}`).join(", "));
  console.log(`${count - findings.length} passed, ${findings.length} failed`);
  process.exitCode = findings.length > 0 ? 1 : 0;
}

/** The mutation of this number: the same one for the same files and seed. */
function mutation({ files, seed }, index) {
  const random = randomOf(seed * 0x10001 + index);
  const file = random.pick(files);
  if (!mutators.has(file)) mutators.set(file, mutatorOf(bytesOf(file)));
  return { file, ...mutators.get(file)(random) };
}

/** Of a file, or of a quantised layer of a kind. */
function bytesOf(file) {
  return Object.hasOwn(KINDS, file) ? networkFile(KINDS[file](drawnFrom(1))) : new Uint8Array(readFileSync(file));
}

async function work(options) {
  let rt = await createRuntime({ variant: options.variant });
  let expected = await sanity(rt);
  for (let index = options.from; index < options.count; index++) {
    const { bytes } = mutation(options, index);
    const { bytesInUse } = rt.report();
    const { outcome, finding } = await once(rt, bytes);
    let what = finding;
    const report = rt.report();
    if (report.bytesInUse !== bytesInUse) what ??= `leaked ${report.bytesInUse - bytesInUse} bytes`;
    if (what || index % 100 === 0) {
      const now = await sanity(rt).catch((error) => error.message);
      if (now !== expected) what ??= `the runtime computes something else: ${now}`;
      if (what) {
        rt.dispose();
        rt = await createRuntime({ variant: options.variant });
        expected = await sanity(rt);
      }
    }
    parentPort.postMessage({ index, outcome, finding: what });
  }
  rt.dispose();
}

/** Loads and runs one file: what came of it, and what must not have. */
async function once(rt, bytes) {
  let model;
  try {
    model = await loadOnnx(rt, bytes, LIMITS);
    if (model.inputs.some(({ shape }) => countOf(shape) > MOST_ELEMENTS)) return { outcome: "loaded" };
    const inputs = Object.fromEntries(model.inputs.map((input) => [input.name, zeros(rt, input)]));
    try {
      model.run(inputs);
    } finally {
      for (const tensor of Object.values(inputs)) if (tensor.dispose) tensor.dispose();
    }
    return { outcome: "ran" };
  } catch (error) {
    const name = error?.name ?? String(error);
    if (REFUSALS.has(name) && SENTENCE.test(error.message)) return { outcome: name, error };
    return { outcome: "wrong error", error, finding: `${name}: ${String(error?.message).slice(0, 300)}` };
  } finally {
    try {
      model?.dispose();
    } catch (error) {
      console.error(`dispose: ${error.message}`);
    }
  }
}

/** Sizes left open are 1. */
function sizesOf(shape) {
  return shape.map((size) => (typeof size === "number" ? size : 1));
}

function countOf(shape) {
  return sizesOf(shape).reduce((a, b) => a * b, 1);
}

function zeros(rt, { shape, dtype }) {
  const sizes = sizesOf(shape);
  if (sizes.includes(0)) return { data: [], shape: sizes };
  return rt.zeros(sizes, { dtype });
}

/** A convolution's bits, as text. */
async function sanity(rt) {
  const data = Float32Array.from({ length: 3 * 8 * 8 }, (_, i) => Math.sin(i));
  const x = rt.tensor(data, [1, 3, 8, 8]);
  const w = rt.tensor(
    Float32Array.from({ length: 4 * 27 }, (_, i) => Math.cos(i)),
    [4, 3, 3, 3],
  );
  const y = rt.conv2d(x, w, null, { padding: 1 });
  const bits = y.toArray().join();
  for (const tensor of [x, w, y]) tensor.dispose();
  return bits;
}
