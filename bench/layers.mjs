// Layers from bench/shapes/*.txt; the format is in bench/README.md.
import { readdirSync, readFileSync } from "node:fs";

const FOLDER = new URL("shapes/", import.meta.url);

export const SETS = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".txt"))
  .map((file) => file.slice(0, -4))
  .sort();

/** The layers of one set, in the file's order. */
export function readSet(set) {
  if (!SETS.includes(set)) throw new RangeError(`"set" expected one of ${SETS.join(", ")}, got "${set}"`);
  const lines = readFileSync(new URL(`${set}.txt`, FOLDER), "utf8")
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim());
  return lines.filter((line) => line !== "").map((line) => parse(line, set));
}

/** The layers of several sets, each shape once, under its first name. */
export function readSets(sets) {
  const byShape = new Map();
  for (const layer of sets.flatMap(readSet)) {
    const { name, set, ...shape } = layer;
    const key = JSON.stringify(shape);
    if (!byShape.has(key)) byShape.set(key, layer);
  }
  return [...byShape.values()];
}

function parse(line, set) {
  const parts = line.split("|").map((part) => part.trim());
  const [input, weight, options] = parts.slice(1).map((part) => part.split(/\s+/));
  const numbers = [...input, ...weight, ...options].map(Number);
  if (parts.length !== 4 || numbers.length !== 11 || numbers.some((n) => !Number.isInteger(n) || n < 0)) {
    throw new SyntaxError(
      `bench/shapes/${set}.txt expected "name | N C H W | M R S | stride padding dilation groups", got "${line}"`,
    );
  }
  const [N, C, H, W, M, R, S, stride, padding, dilation, groups] = numbers;
  const size = (pixels, kernel) => Math.floor((pixels + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
  const pad = [R === 1 ? 0 : padding, S === 1 ? 0 : padding]; // 1x3 and 3x1 are padded along their length only
  const P = size(H - 2 * (padding - pad[0]), R);
  const Q = size(W - 2 * (padding - pad[1]), S);
  return {
    name: parts[0],
    set,
    N,
    C,
    H,
    W,
    M,
    R,
    S,
    P,
    Q,
    stride,
    padding: pad,
    dilation,
    groups,
    macs: N * M * P * Q * (C / groups) * R * S,
  };
}
