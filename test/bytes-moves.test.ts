// Bytes that move: channels in turn, parts joined and taken out; on every binary.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import { concat, interleave, parts, resize, zip } from "../src/onnx/layers/int8/moves.js";
import type { Taps } from "../src/onnx/layers/resize.js";
import { INT8_BINARIES } from "./binaries.js";
import { apart, bytes, f, image, run, toByte } from "./bytes-reference.js";

/** The formula of each element. */
const of = (count: number, formula: (i: number) => number): number[] =>
  Array.from({ length: count }, (_, i) => formula(i));

describe.each(INT8_BINARIES)("moves of bytes on $name", ({ create }) => {
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

  /** Where onnxruntime reads an output position of half_pixel, in float32: two places and their weights. */
  const places = (out: number, size: number) =>
    Array.from({ length: out }, (_, o): Taps => {
      const x = Math.max(0, Math.min(size - 1, f(f(f(o + 0.5) / f(out / size)) - 0.5)));
      const [i, j] = [Math.floor(x), Math.min(Math.floor(x) + 1, size - 1)];
      return i === j
        ? { at: [i, i], weights: [0.5, 0.5] }
        : { at: [i, j], weights: [f(Math.abs(x - j)), f(Math.abs(x - i))] };
    });

  it.each([
    [
      [1, 21, 5, 7],
      [10, 14],
    ],
    [
      [2, 3, 5, 7],
      [9, 20],
    ],
    [
      [1, 16, 9, 6],
      [4, 3],
    ],
    [
      [1, 64, 4, 1],
      [8, 5],
    ],
  ] as const)("resize %j to %j, nearest and linear", (shape, [P, Q]) => {
    const [N, C, H, W] = shape;
    const x = bytes(N * C * H * W, `resize ${shape}`);
    const split = (i: number) => {
      const pixel = Math.floor(i / C);
      return [Math.floor(pixel / (P * Q)), Math.floor(pixel / Q) % P, pixel % Q, i % C] as const;
    };
    const at = (n: number, h: number, w: number, c: number) => x[((n * H + h) * W + w) * C + c] as number;
    const nearest = (out: number, size: number) => of(out, (o) => Math.floor((o * size) / out));
    const [rows, columns] = [nearest(P, H), nearest(Q, W)];
    const single = (list: readonly number[]) => list.map((place) => ({ at: [place], weights: [1] }));
    const copied = of(N * P * Q * C, (i) => {
      const [n, p, q, c] = split(i);
      return at(n, rows[p] as number, columns[q] as number, c);
    });
    expect(apart(run(rt, resize(single(rows), single(columns)), [image(rt, x, shape)])[0], copied)).toBe("");
    const reals = { xScale: f(0.037), xZero: 117, yScale: f(0.051), yZero: 90 };
    const [high, wide] = [places(P, H), places(Q, W)];
    const linear = of(N * P * Q * C, (i) => {
      const [n, p, q, c] = split(i);
      const [r, s] = [high[p], wide[q]] as [Taps, Taps];
      const [h0, h1, w0, w1] = [...r.at, ...s.at] as [number, number, number, number];
      const [v0, v1, u0, u1] = [...r.weights, ...s.weights] as [number, number, number, number];
      const real = (h: number, w: number) => f((at(n, h, w, c) - reals.xZero) * reals.xScale);
      const sum = f(
        f(f(f(f(u0 * v0) * real(h0, w0)) + f(f(u1 * v0) * real(h0, w1))) + f(f(u0 * v1) * real(h1, w0))) +
          f(f(u1 * v1) * real(h1, w1)),
      );
      return toByte(f(sum / reals.yScale), reals.yZero);
    });
    expect(apart(run(rt, resize(high, wide, reals), [image(rt, x, shape)])[0], linear)).toBe("");
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
    const halves = [{ at: [0, 1, 1], weights: [0.5, 0.25, 0.25] }];
    expect(() => run(rt, resize(halves, halves), [six()])).toThrow(/"rows" expected one tap a position, got more/);
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
