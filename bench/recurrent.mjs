// npm run bench:recurrent: recurrent layers, and networks that go on when a run has decided something, beside onnxruntime-web, one
// thread each, in one process, outputs compared before they are timed; both binaries under Node 24. --json FILE.
import { parseArgs } from "node:util";
import { buildDist, node24, runChild, writeResults } from "./machine.mjs";
import { installPeers, peerVersions } from "./peers/install.mjs";
import { table } from "./table.mjs";

const { values: flags } = parseArgs({ options: { json: { type: "string" } } });
buildDist();
installPeers();
const node = node24();
if (node) {
  const variants = {};
  for (const variant of ["simd", "relaxed"]) {
    const timing = { rounds: 60, turnMs: 3, budgetMs: 900, warmupMs: 60 };
    variants[variant] = await runChild(node, "recurrent-child.mjs", { variant, timing });
    const ms = ({ min, median }) => [min.toFixed(2), median.toFixed(2)];
    console.log(
      table(
        [variant, "min", "median", "ort-web min", "median", "times"],
        variants[variant].rows.map(({ name, times }) => [
          name,
          ...ms(times.lanewise),
          ...ms(times["ort-web"]),
          (times["ort-web"].min / times.lanewise.min).toFixed(2),
        ]),
      ),
    );
  }
  const results = { versions: peerVersions(["onnxruntime-web"]), variants };
  console.log(`written: ${writeResults("recurrent", results, flags.json)}`);
}
