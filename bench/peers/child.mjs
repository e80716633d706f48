// One process of the comparison: opens every side, then times the layers it is sent, all sides taking turns.
import { timeInTurns } from "../harness.mjs";
import { makeLimit } from "../limit.mjs";
import { makeData } from "./operators.mjs";
import { openSides } from "./sides.mjs";

/** Every output against the first side's: the bound of the loosest, F(4,3) on thousands of products. */
const TOLERANCE = 2e-5;

const variant = Number(process.versions.node.split(".")[0]) < 22 ? "simd" : "relaxed";
const measureLimit = makeLimit(variant);
const sides = await openSides();
process.send({ ready: true, node: process.versions.node });
process.on("message", async ({ layer, timing }) => {
  if (layer === undefined) process.exit(0);
  try {
    process.send(await compare(layer, timing));
  } catch (error) {
    process.send({ failure: `${layer.name} under Node ${process.versions.node}: ${error.message}` });
  }
});

async function compare(layer, timing) {
  const data = makeData(layer);
  const opened = [];
  const notes = {};
  try {
    let first;
    for (const [name, open] of Object.entries(sides)) {
      const side = await open(layer, data);
      opened.push({ name, ...side });
      await side.run();
      notes[name] = side.note;
      const values = side.output();
      first ??= { name, values };
      check(values, first.values, `${name} against ${first.name}`);
    }
    const times = await timeInTurns(opened, timing);
    return { times: Object.fromEntries(times), notes, limit: measureLimit() };
  } finally {
    for (const side of opened) side.dispose();
  }
}

function check(values, expected, label) {
  if (values.length !== expected.length) throw new Error(`${label}: ${values.length} outputs, not ${expected.length}`);
  let [largest, worst] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    worst = Math.max(worst, Math.abs(values[i] - expected[i]));
  }
  if (!(worst <= TOLERANCE * largest))
    throw new Error(`${label}: differs by ${worst} where the largest value is ${largest}`);
}
