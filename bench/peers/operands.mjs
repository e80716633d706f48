// Seeded operands of a layer, in both orders. Runs in Node and in a page.
import { normals } from "../data.mjs";

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
