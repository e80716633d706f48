// One process of the comparison: opens every side, then times the layers it is sent.
import { makeLimit } from "../limit.mjs";
import { compareSides } from "./compare.mjs";
import { openSides } from "./sides.mjs";

const variant = Number(process.versions.node.split(".")[0]) < 22 ? "simd" : "relaxed";
const measureLimit = makeLimit(variant);
const sides = await openSides();
process.send({ ready: true, version: process.versions.node });
process.on("message", async ({ layer, timing }) => {
  if (layer === undefined) process.exit(0);
  try {
    process.send({ ...(await compareSides(sides, layer, timing)), limit: measureLimit() });
  } catch (error) {
    process.send({ failure: error.message });
  }
});
