// npm run bench:select: what auto picks against what is fastest, on every layer of bench/shapes.
// --set NAME, --layer NAME (both repeatable), --json FILE-PREFIX; --replay FILE (repeatable) judges the cost model as it
// now stands in src/kernels/table.ts on times measured before, in milliseconds instead of minutes.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ALGORITHMS } from "./conv.mjs";
import { readSets, SETS } from "./layers.mjs";
import { buildLimit } from "./limit.mjs";
import { buildDist, node24, runChild, writeResults } from "./machine.mjs";
import { ms, percent, table } from "./table.mjs";

const WITHIN = 1.1;
const TARGET = 0.95;
/** Offered, never chosen: its error is 4 to 7 times that of F(4,3). */
const NOT_CHOSEN = "winograd63";
/** Direct and im2col are left out of layers above this. */
const PLAIN_FLOPS = 5e8;
const TIMING = { rounds: 9, turnMs: 2, budgetMs: 150, warmupMs: 15 };

const { values: flags } = parseArgs({
  options: {
    set: { type: "string", multiple: true },
    layer: { type: "string", multiple: true },
    json: { type: "string" },
    replay: { type: "string", multiple: true },
  },
});

buildDist();
if (flags.replay) {
  const { select } = await import("../build/js/kernels/select.js");
  for (const file of flags.replay) {
    const result = JSON.parse(readFileSync(file, "utf8"));
    for (const row of result.rows) {
      const { row: picked, reason } = select(convShape(row.layer), result.variant);
      Object.assign(row, { pick: picked.algorithm, reason });
    }
    print(result);
  }
} else {
  await buildLimit();
  const newer = node24();
  const layers = readSets(flags.set ?? SETS).filter(
    ({ name }) => flags.layer === undefined || flags.layer.includes(name),
  );
  const runs = [[process.execPath, "simd"], ...(newer === undefined ? [] : [[newer, "relaxed"]])];
  for (const [node, variant] of runs) {
    const result = await runChild(node, "child.mjs", {
      variant,
      layers,
      algorithms: ALGORITHMS,
      timing: TIMING,
      plainFlops: PLAIN_FLOPS,
    });
    print(result);
    console.log(
      `written: ${writeResults(`select-${variant}`, result, flags.json && `${flags.json}-${variant}.json`)}\n`,
    );
  }
}

function print({ variant, node, noise, rows, failures }) {
  const judged = rows.map(({ layer, pick, reason, algorithms }) => {
    const order = Object.entries(algorithms).sort(([, a], [, b]) => a.min - b.min);
    const allowed = order.find(([name]) => name !== NOT_CHOSEN);
    const loss = (best) => (algorithms[pick]?.min ?? Infinity) / best[1].min;
    return { layer, pick, reason, order, loss: loss(allowed), lossOfAll: loss(order[0]) };
  });
  const missed = judged.filter(({ loss }) => loss > WITHIN).sort((a, b) => b.loss - a.loss);
  console.log(`\n${variant}, Node ${node}: picks that cost over ${percent(WITHIN - 1)}, worst first\n`);
  console.log(
    table(
      ["layer", "set", "picked", "fastest", "times slower", "all, ms"],
      missed.map(({ layer, pick, order, loss }) => [
        layer.name,
        layer.set,
        pick,
        order[0][0],
        loss.toFixed(2),
        order.map(([name, { min }]) => `${name} ${ms(min)}`).join(", "),
      ]),
    ),
  );
  const shareOf = (field) => judged.filter((one) => one[field] <= WITHIN).length / judged.length;
  const mean = Math.exp(judged.reduce((sum, { loss }) => sum + Math.log(loss), 0) / judged.length);
  console.log(
    `\n${variant}: within ${percent(WITHIN - 1)} of the fastest on ${percent(shareOf("loss"))} of ${judged.length} layers (target ${percent(TARGET)}; with ${NOT_CHOSEN}, which auto leaves out for its error, ${percent(shareOf("lossOfAll"))}); geometric mean of the loss ${mean.toFixed(3)}`,
  );
  for (const failure of failures) console.log(`FAILED ${failure}`);
  if (noise) console.log(`NOISY: ${noise}`);
}

/** A layer as src/base/shape.ts has it. */
function convShape({ stride, padding: [h, w], dilation, ...shape }) {
  return {
    ...shape,
    strideH: stride,
    strideW: stride,
    dilationH: dilation,
    dilationW: dilation,
    padding: [h, w, h, w],
  };
}
