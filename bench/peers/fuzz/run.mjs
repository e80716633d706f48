// npm run fuzz:operators: ONNX files of one operator each, drawn at random over all operators, run here and on onnxruntime-node, and
// compared. Ends with `N agreed, N known, N new`; exits with 1 where something is new. Known differences, with who is right by
// the standard's text, are in known.mjs.
//
//   --count N, --seed N     cases, default 2,000, and what they are drawn from
//   --chain N               N more nodes behind each, of the kinds that are fused and moved here
//   --only NAME             one operator, as Conv or com.microsoft.QGemm
//   --at N                  one case again (with --only as it was drawn), with its operands
//   --all                   prints known differences and what both refuse, too
//
// Cases run in a process that is started again where one ends it.
import { fork } from "node:child_process";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { installPeers } from "../install.mjs";
import { knownOf } from "./known.mjs";

/** A case that takes longer is one that hangs. */
const MOST_MS = 60_000;

const { values: flags } = parseArgs({
  options: {
    count: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    chain: { type: "string", default: "0" },
    at: { type: "string" },
    all: { type: "boolean", default: false },
    out: { type: "string" },
  },
});
const [count, seed, chain] = [flags.count, flags.seed, flags.chain].map(Number);

if (process.send) await work();
else {
  installPeers();
  if (flags.at !== undefined) await again(Number(flags.at));
  else await main();
}

async function work() {
  const { draw, outcomeOf, told } = await import("./case.mjs");
  process.on("message", async (index) => {
    const one = draw(seed, index, flags.only);
    process.send({ index, name: one.name, told: told(one), ...(await outcomeOf(one, chain)) });
  });
  process.send({ ready: true });
}

async function again(index) {
  const { draw, outcomeOf, told } = await import("./case.mjs");
  const one = draw(seed, index, flags.only);
  console.log(told(one));
  for (const x of one.inputs) if (x) console.log(`${x.name} ${x.type}[${x.shape}]: ${x.data.slice(0, 64).join(" ")}`);
  if (flags.out) writeFileSync(flags.out, (await import("./file.mjs")).fileOf(one));
  console.log(await outcomeOf(one, chain));
  process.exit(0);
}

/** Outcomes of all cases, in order; `ended` where the process did not come back. */
async function outcomes() {
  const results = [];
  while (results.length < count) {
    await new Promise((resolve) => {
      const child = fork(new URL(import.meta.url).pathname, process.argv.slice(2), {
        stdio: ["ignore", "ignore", "ignore", "ipc"],
      });
      let timer;
      const next = () => {
        if (results.length >= count) return child.kill();
        child.send(results.length);
        timer = setTimeout(() => child.kill("SIGKILL"), MOST_MS);
        return undefined;
      };
      child.on("message", (message) => {
        clearTimeout(timer);
        if (!message.ready) results.push(message);
        next();
      });
      child.on("exit", () => {
        clearTimeout(timer);
        if (results.length < count) results.push({ index: results.length, outcome: "ended" });
        resolve();
      });
    });
  }
  return results;
}

async function main() {
  const { draw, told } = await import("./case.mjs");
  const totals = { agreed: 0, known: 0, new: 0 };
  let [refused, chains] = [0, 0];
  const groups = new Map();
  for (const result of await outcomes()) {
    if (result.outcome === "refused") refused++;
    if (result.isChain) chains++;
    if (result.outcome === "agreed" || (result.outcome === "refused" && !flags.all)) {
      totals.agreed++;
      continue;
    }
    const one = draw(seed, result.index, flags.only);
    const message = result.message ?? "the process ended or hung";
    const known = result.outcome === "refused" ? { right: "both refuse" } : knownOf(one, message);
    totals[known ? (result.outcome === "refused" ? "agreed" : "known") : "new"]++;
    if (known && !flags.all) {
      const key = `known: ${one.name}: ${known.right}: ${known.reason}`;
      groups.set(key, [...(groups.get(key) ?? []), ""]);
      continue;
    }
    const key = `${known ? `(${known.right}) ` : ""}${one.name}`;
    groups.set(key, [...(groups.get(key) ?? []), `  ${result.index}: ${told(one)}\n      ${message}`]);
  }
  for (const [key, rows] of [...groups].sort())
    console.log([`${key} (${rows.length})`, ...rows.filter(Boolean)].join("\n"));
  if (chain > 0) console.log(`${chains} with ${chain} nodes behind`);
  console.log(`refused by both: ${refused}, among those agreed`);
  console.log(`${totals.agreed} agreed, ${totals.known} known, ${totals.new} new`);
  process.exit(totals.new > 0 ? 1 : 0);
}
