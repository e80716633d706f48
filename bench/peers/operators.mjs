// Layers of the comparison: shapes, and the operations they count.
import { readFileSync } from "node:fs";
import { readSets } from "../layers.mjs";

/** Convolutions of the sets of bench/shapes, each shape once, then, beside the set "peers", others.txt's operators. */
export function readLayers(sets) {
  const convolutions = readSets(sets).map((layer) => ({ ...layer, operator: "conv" }));
  if (!sets.includes("peers")) return convolutions;
  const lines = readFileSync(new URL("others.txt", import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line && !line.startsWith("#"));
  return [...convolutions, ...lines.map(parse)];
}

function parse(line) {
  const [name, input, window] = line.split("|").map((part) => part.trim());
  const [operator, ...sizes] = input.split(/\s+/);
  const [N, C, H, W] = sizes.map(Number);
  const [kernel, stride, pad] = window.split(/\s+/).map(Number);
  if (operator === "linear") return { name, operator, N, C, H, W, M: kernel, P: 1, Q: 1, macs: N * C * kernel };
  const size = (pixels) => Math.floor((pixels + 2 * pad - kernel) / stride) + 1;
  const [P, Q] = [size(H), size(W)];
  return {
    name,
    operator,
    N,
    C,
    H,
    W,
    M: C,
    P,
    Q,
    kernel,
    stride,
    padding: [pad, pad],
    macs: (N * C * P * Q * kernel * kernel) / 2,
  };
}
