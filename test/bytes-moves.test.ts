// Bytes that move: channels in turn, parts joined and taken out; on every binary.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import { concat, interleave, parts, zip } from "../src/onnx/layers/int8/moves.js";
import { apart, BYTE_BINARIES, bytes, image, run, toByte } from "./bytes-reference.js";

/** The formula of each element. */
const of = (count: number, formula: (i: number) => number): number[] =>
  Array.from({ length: count }, (_, i) => formula(i));

describe.each(BYTE_BINARIES)("moves of bytes on $name", ({ create }) => {
  let rt: Runtime;
  let used: number;
  beforeAll(async () => {
    rt = await create();
    used = rt.report().bytesInUse;
  });
  afterAll(() => rt.dispose());

  it.each([
    [2, [1, 58, 3, 5]],
    [2, [2, 12, 3, 5]],
    [2, [1, 116, 7, 7]],
    [2, [1, 232, 20, 20]],
    [3, [1, 51, 3, 5]],
    [4, [2, 8, 3, 5]],
    [1, [1, 5, 3, 5]],
  ] as const)("interleave %d groups of %j", (groups, shape) => {
    const [N, C, H, W] = shape;
    const x = bytes(N * C * H * W, `interleave ${shape}`);
    const [y] = run(rt, interleave(groups), [image(rt, x, shape)]);
    const from = (i: number) =>
      Math.floor(i / C) * C + ((i % C) % groups) * (C / groups) + Math.floor((i % C) / groups);
    expect(
      apart(
        y,
        of(x.length, (i) => x[from(i)] as number),
      ),
    ).toBe("");
  });

  it.each([
    [undefined, [1, 58, 3, 5]],
    [0, [2, 58, 3, 5]],
    [1, [2, 58, 3, 5]],
    [1, [1, 16, 3, 5]],
    [0, [1, 6, 5, 5]],
    [undefined, [1, 3, 2, 2]],
  ] as const)("zip, half %j, of %j", (half, shape) => {
    const [N, C, H, W] = shape;
    const [a, b] = [bytes(N * C * H * W, "a"), bytes(N * C * H * W, "b")];
    const [y] = run(rt, zip(half), [image(rt, a, shape), image(rt, b, shape)]);
    const each = half === undefined ? 2 * C : C;
    const expected = of(N * H * W * each, (i) => {
      const [pixel, c] = [Math.floor(i / each), (i % each) + (half ?? 0) * each];
      return (c % 2 === 0 ? a : b)[pixel * C + (c >> 1)] as number;
    });
    expect(apart(y as never, expected)).toBe("");
  });

  it.each([
    [
      1,
      [
        [1, 24, 5, 3],
        [1, 13, 5, 3],
        [1, 8, 5, 3],
        [1, 1, 5, 3],
      ],
    ],
    [
      1,
      [
        [2, 4, 5, 3],
        [2, 64, 5, 3],
      ],
    ],
    [
      2,
      [
        [2, 7, 5, 3],
        [2, 7, 2, 3],
      ],
    ],
    [
      3,
      [
        [2, 7, 5, 3],
        [2, 7, 5, 4],
      ],
    ],
    [
      0,
      [
        [2, 7, 5, 3],
        [1, 7, 5, 3],
      ],
    ],
    [
      1,
      [
        [3, 5],
        [3, 9],
      ],
    ],
  ] as const)("concat along %d of %j, and its parts again", (axis, shapes) => {
    const data = shapes.map((shape, i) =>
      bytes(
        shape.reduce((n: number, size) => n * size, 1),
        `${i} ${shape}`,
      ),
    );
    const entries = Uint8Array.from({ length: 256 }, (_, i) => (i * 3 + 5) & 255);
    const changes = [undefined, { type: "table", table: entries }, { type: "affine", ratio: 0.5, offset: 9 }] as const;
    const changed = data.map((x, k) =>
      x.map((v) => (k === 1 ? (entries[v] as number) : k === 2 ? toByte(v * 0.5 + 9) : v)),
    );
    const [y] = run(
      rt,
      concat(axis, changes),
      data.map((x, i) => image(rt, x, shapes[i] as readonly number[])),
    );
    const total = shapes.reduce((sum, shape) => sum + (shape[axis] as number), 0);
    const whole = [...(shapes[0] as readonly number[])];
    whole[axis] = total;
    // Memory order: N, spatial, C.
    const lying = (shape: readonly number[]) =>
      (shape.length < 3 ? [...shape] : [shape[0], ...shape.slice(2), shape[1]]) as number[];
    const place = axis === 0 || whole.length < 3 ? axis : axis === 1 ? whole.length - 1 : axis - 1;
    const inner = lying(whole)
      .slice(place + 1)
      .reduce((n, size) => n * size, 1);
    const expected: number[] = [];
    const outer = lying(whole)
      .slice(0, place)
      .reduce((n, size) => n * size, 1);
    for (let o = 0; o < outer; o++)
      changed.forEach((x, k) => {
        const run = (shapes[k]?.[axis] as number) * inner;
        expected.push(...x.subarray(o * run, (o + 1) * run));
      });
    expect(apart(y, expected)).toBe("");
    const ranges = shapes.map((shape, i) => {
      const start = shapes.slice(0, i).reduce((sum, other) => sum + (other[axis] as number), 0);
      return { start, size: shape[axis] as number };
    });
    const back = run(rt, parts(axis, ranges), [image(rt, y as Uint8Array, whole)]);
    back.forEach((x, k) => {
      expect(apart(x, changed[k] as Uint8Array)).toBe("");
    });
  });

  it("refuses what does not fit in a sentence", () => {
    const shapes = [
      [1, 6, 2, 2],
      [1, 3, 2, 2],
    ] as const;
    const six = () => image(rt, bytes(24, "x"), shapes[0]);
    const three = () => image(rt, bytes(12, "y"), shapes[1]);
    expect(() => run(rt, interleave(4), [six()])).toThrow(/"groups" expected a divisor of 6, got 4/);
    expect(() => run(rt, zip(0), [three(), three()])).toThrow(/"a" expected an even number of channels, got 3/);
    expect(() => run(rt, zip(), [six(), three()])).toThrow(/"b" expected shape \[1, 6, 2, 2\], got \[1, 3, 2, 2\]/);
    expect(() => run(rt, concat(2), [six(), three()])).toThrow(/"inputs\[1\]" expected .* but for axis 2, got /);
    expect(() => run(rt, parts(1, [{ start: 4, size: 3 }]), [six()])).toThrow(
      /"ranges" expected parts of 6, got 3 from 4 on/,
    );
  });

  it("gives back all memory", () => {
    expect(rt.report().liveTensors).toBe(0);
    expect(rt.report().bytesInUse).toBe(used);
  });
});
