// A layer as every side needs it: shapes, seeded data in both orders, and the operations it counts.
import { readFileSync } from "node:fs";
import { normals } from "../data.mjs";
import { readSet } from "../layers.mjs";

/** The convolutions of bench/shapes/peers.txt, then the other operators of others.txt. */
export function readLayers() {
  const convolutions = readSet("peers").map((layer) => ({ ...layer, operator: "conv" }));
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

/** x channels-last; weights [M, C/groups, R, S] or [M, C]; bias [M]. */
export function makeData({ name, operator, N, C, H, W, M, R, S, groups }) {
  const x = normals(N * C * H * W, `${name} x`);
  if (operator === "conv")
    return { x, w: normals(M * (C / groups) * R * S, `${name} w`), bias: normals(M, `${name} bias`) };
  if (operator === "linear") return { x, w: normals(M * C, `${name} w`), bias: normals(M, `${name} bias`) };
  return { x };
}

/** [N, C, pixels] from [N, pixels, C] with (N, pixels, C), and back with (N, C, pixels). */
export function swapped(data, N, rows, columns) {
  const out = new Float32Array(data.length);
  for (let n = 0; n < N; n++) {
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) out[(n * columns + j) * rows + i] = data[(n * rows + i) * columns + j];
  }
  return out;
}
