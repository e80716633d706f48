// npm run bench:operators: every operator of operator-cases.mjs beside onnxruntime-web, one thread each, in one process, outputs
// compared before they are timed; `relaxed` under Node 24. --only REGEX, --variant simd (this Node), --json FILE, --quick (one
// short pass, ends with "N passed, N failed").
import { parseArgs } from "node:util";
import { buildDist, node24, runChild, writeResults } from "./machine.mjs";
import { operatorsText } from "./operator-tables.mjs";
import { installPeers, peerVersions } from "./peers/install.mjs";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    variant: { type: "string", default: "relaxed" },
    json: { type: "string" },
    quick: { type: "boolean", default: false },
  },
});
if (!["simd", "relaxed"].includes(flags.variant))
  throw new RangeError(`"variant" expected simd or relaxed, got ${flags.variant}`);
const timing = flags.quick
  ? { rounds: 3, turnMs: 1, budgetMs: 10, warmupMs: 1 }
  : { rounds: 12, turnMs: 3, budgetMs: 150, warmupMs: 60 };

buildDist();
installPeers();
const node = flags.variant === "simd" ? process.execPath : node24();
if (node) {
  const job = { variant: flags.variant, timing, only: flags.only };
  const { rows, failures, ...rest } = await runChild(node, "operators-child.mjs", job);
  if (rows.length + failures.length === 0) throw new RangeError(`"only" expected names of cases, got ${flags.only}`);
  const results = { variant: flags.variant, versions: peerVersions(["onnxruntime-web"]), ...rest, failures, rows };
  console.log(operatorsText(results));
  for (const failure of failures) console.log(`FAILED ${failure}`);
  if (!flags.quick && (flags.json || flags.only === ""))
    console.log(`written: ${writeResults("operators", results, flags.json)}`);
  console.log(`${rows.length} passed, ${failures.length} failed`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}
