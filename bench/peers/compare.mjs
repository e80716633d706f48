// Opens a layer on every side, compares their outputs, then times them, all taking turns. Runs in Node and in a page.
import { timeInTurns } from "../harness.mjs";
import { makeData } from "./operands.mjs";

/** Every output against the first side's: the bound of the loosest, F(4,3) on thousands of products. */
const TOLERANCE = 2e-5;

/** sides: name -> open(layer, data). Answers { times: name -> { min, median, runs }, notes: name -> algorithm }. */
export async function compareSides(sides, layer, timing) {
  const data = makeData(layer);
  const opened = [];
  const notes = {};
  try {
    let first;
    for (const [name, open] of Object.entries(sides)) {
      const side = await open(layer, data);
      if (side === undefined) continue;
      opened.push({ name, ...side });
      await side.run();
      notes[name] = side.note;
      const values = side.output();
      first ??= { name, values };
      check(values, first.values, `${name} against ${first.name}`);
    }
    return { times: Object.fromEntries(await timeInTurns(opened, timing)), notes };
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
