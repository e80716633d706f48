// npm run fuzz:integers: quantised layers in every form that exporters write, drawn at random, run here and on onnxruntime-node (and
// -web), and compared byte by byte. Ends with `N equal, N a quantum apart, N different`, with how many bytes; exits with 1 where a
// kind that has to be equal is not.
//
//   --count N, --seed N     cases, default 2,000, and what they are drawn from
//   --only REGEX            kinds, as conv-qdq
//   --at N                  one case again, told in full
//
// Where native differs, onnxruntime-web is asked, too: native fuses multiplications and sums, so that halves go another way, and is
// not what a page would run. What equals one of the two is equal. Of networks so is what equals nodes as they stand ("plain"):
// onnxruntime's optimiser takes away what is quantised twice in a row, with ranges put together, which the standard does not. What is none
// of these is told with its first layer that is not, and that alone.
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { createRuntime } from "../../../dist/index.js";
import { loadOnnx } from "../../../dist/onnx.js";
import { installPeers } from "../install.mjs";
import { networkFile } from "./file.mjs";
import { KINDS, NEAR } from "./integer-layers.mjs";
import { network } from "./integer-networks.mjs";
import { randomOf } from "./random.mjs";

const { values: flags } = parseArgs({
  options: {
    count: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    at: { type: "string" },
  },
});
installPeers();
const require = createRequire(import.meta.url);
const native = require("onnxruntime-node");
const web = require("onnxruntime-web");
web.env.logLevel = "error";
web.env.wasm.numThreads = 1;
const runtime = await createRuntime();
const ALL = { ...KINDS, network };
const names = Object.keys(ALL).filter((name) => new RegExp(flags.only).test(name));

/** Its tensor of the first output. */
async function ofPeer(ort, file, { inputs, outputs }, graphOptimizationLevel = "all") {
  // Without a name the web one would run on the native one, which is there, too.
  const executionProviders = [ort === web ? "wasm" : "cpu"];
  const options = { executionProviders, logSeverityLevel: 4, intraOpNumThreads: 1, graphOptimizationLevel };
  const session = await ort.InferenceSession.create(file, options);
  try {
    const feeds = inputs.map(({ name, type, shape, data }) => [name, new ort.Tensor(type, data, shape)]);
    const answers = await session.run(Object.fromEntries(feeds));
    return answers[outputs[0]];
  } finally {
    await session.release?.();
  }
}

async function ofOurs(file, { inputs, outputs }) {
  const model = await loadOnnx(runtime, file);
  try {
    const floats = model.summary().rows.filter(({ reason }) => /^float|JavaScript/.test(reason));
    const answers = model.run(Object.fromEntries(inputs.map(({ name, shape, data }) => [name, { data, shape }])));
    if (flags.at) console.log(String(model.summary()));
    return { data: answers[outputs[0]].toArray(), float: floats[0]?.reason };
  } finally {
    model.dispose();
  }
}

/** How many elements differ, and by how much at most: what is missing, or NaN in one alone, by any number. */
function apart(a, b) {
  let [count, most] = [0, 0];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [one, other] = [Number(a[i]), Number(b[i])];
    if (one === other || (i < a.length && i < b.length && Number.isNaN(one) && Number.isNaN(other))) continue;
    const by = Math.abs(one - other);
    count++;
    most = Number.isNaN(by) ? Infinity : Math.max(most, by);
  }
  return { count, most };
}

/** The same of another peer, which may refuse what the first one took: onnxruntime-web's optimiser some Concats. */
async function apartFrom(ours, ort, file, one, level) {
  try {
    return apart(ours.data, (await ofPeer(ort, file, one, level)).data);
  } catch {
    return { count: Infinity, most: Infinity };
  }
}

/** How many elements are none of native's, of web's, and of both with nodes as they stand; undefined where they equal one of these. */
async function judged(part) {
  const file = networkFile(part);
  const ours = await ofOurs(file, part);
  const counts = [];
  for (const [ort, level] of [[native], [web], [native, "disabled"], [web, "disabled"]])
    counts.push((await apartFrom(ours, ort, file, part, level)).count);
  return counts.includes(0) ? undefined : counts;
}

/** The nodes of layer i alone: what it reads is an input of the graph, as native computes it of the nodes as they stand. */
async function alone(one, i) {
  const [from, to] = [one.layers[i].from, one.layers[i + 1]?.from];
  const nodes = one.nodes.slice(from, to);
  const own = new Set([...nodes.flatMap(({ outputs }) => outputs), ...one.constants.map(({ name }) => name)]);
  const read = [...new Set(nodes.flatMap(({ inputs }) => inputs))].filter((name) => name && !own.has(name));
  const inputs = [];
  for (const name of read) {
    const given = one.inputs.find((input) => input.name === name);
    const part = { ...one, outputs: [name] };
    if (given) inputs.push(given);
    else {
      const { type, dims: shape, data } = await ofPeer(native, networkFile(part), part, "disabled");
      inputs.push({ name, type, shape, data });
    }
  }
  const used = one.constants.filter(({ name }) => nodes.some((node) => node.inputs.includes(name)));
  return { ...one, nodes, inputs, constants: used, outputs: [one.layers[i].y] };
}

/** The first layer of a network whose answers are no peer's: behind those before it as they stand, and alone. */
async function firstApart(one) {
  for (const [i, { name, y }] of one.layers.entries()) {
    const counts = await judged({ ...one, outputs: [y] });
    if (!counts) continue;
    const own = await alone(one, i);
    const apartAlone = await judged(own);
    return `${name} ${y}: ${counts}; alone ${apartAlone ?? "equal"}${apartAlone ? `\n${told(own)}` : ""}`;
  }
  return "the whole alone";
}

const told = ({ nodes, constants, inputs }) =>
  [
    ...inputs.map(({ name, type, shape }) => `${name} ${type}[${shape}]`),
    ...constants.map(({ name, type, shape, data }) => `${name} ${type}[${shape}] ${data.slice(0, 6)}`),
    ...nodes.map(
      ({ op, inputs: of, outputs, attributes }) => `${op} ${of} > ${outputs} ${JSON.stringify(attributes ?? {})}`,
    ),
  ].join("\n");

const tally = new Map(
  names.map((name) => [
    name,
    { cases: 0, equal: 0, near: 0, bytes: 0, apart: 0, most: 0, web: 0, plain: 0, refused: 0, float: 0 },
  ]),
);
let wrong = 0;
const [first, last] = flags.at ? [Number(flags.at), Number(flags.at) + 1] : [0, Number(flags.count)];
for (let index = first; index < last; index++) {
  const kind = names[index % names.length];
  const row = tally.get(kind);
  const one = ALL[kind](randomOf(Number(flags.seed) * 1_000_003 + index));
  const file = networkFile(one);
  if (flags.at) console.log(told(one));
  row.cases++;
  let theirs;
  try {
    theirs = (await ofPeer(native, file, one)).data;
  } catch (error) {
    row.refused++;
    if (flags.at) console.log(`onnxruntime: ${error.message}`);
    continue;
  }
  let ours;
  try {
    ours = await ofOurs(file, one);
  } catch (error) {
    wrong++;
    console.log(`${kind} at ${index}: lanewise refuses: ${error.message}`);
    continue;
  }
  if (ours.float) row.float++;
  let { count, most } = apart(ours.data, theirs);
  if (count > 0) {
    const other = await apartFrom(ours, web, file, one);
    if (other.count < count) ({ count, most } = other);
    if (other.count === 0) row.web++;
  }
  for (const ort of one.layers ? [native, web] : []) {
    if (count === 0) break;
    const plain = await apartFrom(ours, ort, file, one, "disabled");
    if (plain.count < count) ({ count, most } = plain);
    if (plain.count === 0) row.plain++;
  }
  row.bytes += theirs.length;
  row.apart += count;
  row.most = Math.max(row.most, most);
  if (count === 0) row.equal++;
  else if (most <= (NEAR[kind] ?? one.near)) row.near++;
  else {
    wrong++;
    console.log(
      `${kind} at ${index}: ${count} of ${theirs.length} differ, by up to ${most}${ours.float ? ` (${ours.float})` : ""}`,
    );
    if (one.layers) console.log(`  ${one.layers.map(({ name }) => name).join(" > ")}; first ${await firstApart(one)}`);
  }
  if (flags.at)
    for (let i = 0; i < theirs.length && i < 64; i++)
      if (ours.data[i] !== theirs[i]) console.log(i, ours.data[i], theirs[i]);
}
console.table(Object.fromEntries(tally));
const all = [...tally.values()];
const sum = (of) => all.reduce((total, row) => total + of(row), 0);
console.log(
  `${sum((row) => row.equal)} equal, ${sum((row) => row.near)} a quantum apart, ${wrong} different; ${sum((row) => row.apart)} of ${sum((row) => row.bytes)} elements`,
);
process.exit(wrong > 0 ? 1 : 0);
