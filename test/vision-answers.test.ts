// Decoders against references written from the models' Python (answers-reference.ts), on random tensors, and what they refuse.
import { describe, expect, it } from "vitest";
import { ModelError, ShapeError } from "../src/base/errors.js";
import { createRuntime, type Tensor } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import {
  type AnswerView,
  argmax,
  cosineSimilarity,
  type Detection,
  type DistanceHead,
  decodeBoxes,
  decodeDistances,
  decodeGrid,
  decodePoints,
  decodeRows,
  decodeSsd,
  decodeYolo,
  heatmapKeypoints,
  labelsOf,
  nonMaxSuppression,
  type Shaped,
  sigmoid,
  softmax,
  ssdAnchors,
  topK,
} from "../src/vision/answers/index.js";
import type { Ref } from "./answers-reference.js";
import * as reference from "./answers-reference.js";
import { floats, onnxFile } from "./onnx-file.js";
import { fill, type Random, random } from "./random.js";

const shaped = (data: Shaped["data"], ...shape: number[]): Shaped => ({ data, shape });
const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const uniform = (shape: readonly number[], { uniform: next }: Random, low = 0, high = 1): Float32Array =>
  Float32Array.from({ length: count(shape) }, () => next(low, high));

/** Same number, same order, all numbers to 1e-9 of the largest: both sides compute in float64 from the same float32. */
function expectSame(actual: readonly Detection[], expected: readonly Ref[], label = ""): void {
  expect(actual.length, label).toBe(expected.length);
  expect(expected.length, "something to compare").toBeGreaterThan(0);
  for (const [i, one] of actual.entries()) {
    const want = expected[i] as Ref;
    const flat = (d: Detection | Ref) => [...d.box, d.score, d.index, ...(d.points ?? []).flat()];
    const [a, b] = [flat(one), flat(want)];
    expect(a.length, `${label} numbers of ${i}`).toBe(b.length);
    const scale = Math.max(1, ...b.map(Math.abs));
    for (const [k, value] of a.entries())
      expect(Math.abs(value - (b[k] as number)), `${label} ${i}.${k}`).toBeLessThan(1e-9 * scale);
  }
}

/** Twice as large, and moved: in both directions apart. */
const view: AnswerView = {
  toImage: ([x, y]) => [2 * x + 10, 3 * y - 5],
  boxToImage: ([x0, y0, x1, y1]) => [2 * x0 + 10, 3 * y0 - 5, 2 * x1 + 10, 3 * y1 - 5],
};
const seen = (all: readonly Ref[]): Ref[] =>
  all.map((one) => ({
    ...one,
    box: [...view.boxToImage(one.box as unknown as [number, number, number, number])],
    ...(one.points && {
      points: one.points.map(([x, y, ...rest]) => [...view.toImage([x as number, y as number]), ...rest]),
    }),
  }));

/** Centre, size in a picture of `side`. */
function randomBoxes(n: number, r: Random, side: number): number[][] {
  return Array.from({ length: n }, () => [
    r.uniform(0, side),
    r.uniform(0, side),
    r.uniform(side / 20, side / 3),
    r.uniform(side / 20, side / 3),
  ]);
}

describe("scores", () => {
  it("softmax() and sigmoid() in float64, over the last axis", () => {
    const data = fill([3, 7], "softmax");
    const expected = reference.rows(data, 7).flatMap(reference.softmax);
    const same = (actual: Float32Array, wanted: readonly number[]) =>
      wanted.forEach((value, i) => void expect(actual[i]).toBe(Math.fround(value)));
    same(softmax(shaped(data, 3, 7)), expected);
    same(softmax(data), reference.softmax([...data]));
    same(softmax([1000, 1001]), reference.softmax([1000, 1001]));
    same(sigmoid(shaped(data, 3, 7)), [...data].map(reference.sigmoid));
    same(sigmoid([-800, 0, 800]), [0, 0.5, 1]);
  });

  it("topK() and argmax(): best first, the first of equals first", () => {
    expect(topK([1, 5, 3, 5, 2], 3)).toEqual([
      { index: 1, score: 5 },
      { index: 3, score: 5 },
      { index: 2, score: 3 },
    ]);
    expect(topK(Float32Array.of(1, 2), 5).map(({ index }) => index)).toEqual([1, 0]);
    expect(topK(shaped([0.1, 0.7, 0.2], 1, 3), 2, { labels: ["a", "b", "c"], threshold: 0.5 })).toEqual([
      { index: 1, score: 0.7, label: "b" },
    ]);
    const data = fill([1, 40], "topK");
    const all = reference.softmax([...data]);
    const order = all.map((_, i) => i).sort((a, b) => (all[b] as number) - (all[a] as number));
    for (const [rank, one] of topK(shaped(data, 1, 40, 1, 1), 40, { activation: "softmax" }).entries()) {
      expect(one.index).toBe(order[rank]);
      expect(one.score).toBeCloseTo(all[one.index] as number, 12);
    }
    expect(topK([0, 2], 1, { activation: "sigmoid" })[0]?.score).toBeCloseTo(reference.sigmoid(2), 14);
    expect(argmax([3, 9, 9])).toBe(1);
    expect(argmax(BigInt64Array.of(3n, 9n) as never)).toBe(1);
  });

  it("cosineSimilarity()", () => {
    expect(cosineSimilarity([3, 4], [4, 3])).toBeCloseTo(24 / 25, 14);
    expect(cosineSimilarity(shaped(Float32Array.of(1, 0), 1, 2), [-5, 0])).toBe(-1);
    expect(cosineSimilarity([0, 0], [1, 2])).toBe(0);
    expect(() => cosineSimilarity([1, 2], [1])).toThrow(new ShapeError(`"b" expected 2 numbers, as "a" has, got 1`));
    expect(() => cosineSimilarity([1, Number.NaN], [1, 2])).toThrow(RangeError);
  });

  it("refuses labels that are not one a class, and says what 1,001 against 1,000 means", () => {
    const names = (n: number) => Array.from({ length: n }, (_, i) => `class ${i}`);
    const scores = (n: number) => new Float32Array(n);
    const expected = (text: string) => new ShapeError(`"labels" expected ${text}`);
    expect(() => topK(scores(1000), 5, { labels: names(1001) })).toThrow(
      expected("1000 names, one a class, got 1001; if one of them counts the background as class 0: labels.slice(1)"),
    );
    expect(() => topK(scores(1001), 5, { labels: names(1000) })).toThrow(
      expected(
        `1001 names, one a class, got 1000; if one of them counts the background as class 0: ["background", ...labels]`,
      ),
    );
    expect(() => topK(scores(80), 5, { labels: names(91) })).toThrow(expected("80 names, one a class, got 91"));
  });

  it("refuses what is no row of numbers", () => {
    for (const bad of [undefined, null, {}, 3, "text", [], shaped([1, 2, 3], 1, 4), shaped([1, 2, 3, 4], 2, 2)])
      expect(() => topK(bad as never, 1), String(bad)).toThrow(ShapeError);
    for (const bad of [[1, Number.NaN], [1, undefined], Float32Array.of(Number.NaN)])
      for (const call of [softmax, sigmoid, argmax]) expect(() => call(bad as never)).toThrow(RangeError);
    expect(() => topK([1, Number.POSITIVE_INFINITY], 1, { activation: "softmax" })).toThrow(RangeError);
    expect(() => topK([1], 0)).toThrow(RangeError);
    expect(() => topK([1], 1, { threshold: Number.NaN })).toThrow(RangeError);
    expect(() => topK([1], 1, { activation: "tanh" as never })).toThrow(RangeError);
    expect(() => topK([1], 1, { label: ["a"] } as never)).toThrow(TypeError);
  });
});

describe("nonMaxSuppression()", () => {
  const boxes = (seed: string, n = 200): Ref[] => {
    const r = random(seed);
    return randomBoxes(n, r, 100).map(([x, y, w, h]) => {
      const [cx, cy, cw, ch] = [x, y, w, h] as [number, number, number, number];
      const corner = [cx - cw / 2, cy - ch / 2, cx + cw / 2, cy + ch / 2];
      const points = [corner.slice(0, 2), corner.slice(2)];
      return { box: corner, score: r.uniform(0.01, 1), index: r.integer(0, 2), points };
    });
  };
  const given = boxes("nms") as unknown as Detection[];
  for (const iou of [0, 0.3, 0.45, 0.9, 1]) {
    for (const perClass of [true, false])
      it(`keeps what torchvision keeps: iou ${iou}, ${perClass ? "a class at a time" : "all classes"}`, () =>
        expectSame(
          nonMaxSuppression(given, { iou, perClass }),
          reference.nms(given as unknown as Ref[], iou, perClass),
        ));
    it(`weighted as MediaPipe has it: iou ${iou}`, () =>
      expectSame(
        nonMaxSuppression(given, { iou, perClass: false, method: "weighted" }),
        reference.weightedNms(given as unknown as Ref[], iou),
      ));
  }

  it("soft as the paper has it", () => {
    for (const sigma of [0.1, 0.5])
      expectSame(
        nonMaxSuppression(given, { method: "soft", sigma, score: 0.05 }),
        reference.softNms(given as unknown as Ref[], sigma, 0.05),
      );
  });

  it("answers the same objects, at most `max`, and changes none", () => {
    const before = structuredClone(given);
    const kept = nonMaxSuppression(given, { max: 5 });
    expect(kept.length).toBe(5);
    for (const one of kept) expect(given).toContain(one);
    nonMaxSuppression(given, { method: "soft" });
    nonMaxSuppression(given, { method: "weighted" });
    expect(given).toEqual(before);
    expect(nonMaxSuppression([])).toEqual([]);
    expect(nonMaxSuppression([{ box: [0, 0, 1, 1], score: 0.5, mine: 1 }])[0]).toEqual({
      box: [0, 0, 1, 1],
      score: 0.5,
      mine: 1,
    });
  });

  it("refuses NaN and options out of range", () => {
    const one = { box: [0, 0, 1, 1] as const, score: 0.5, index: 0 };
    expect(() => nonMaxSuppression([{ ...one, score: Number.NaN }])).toThrow(
      new RangeError(`"scores" expected numbers, got NaN at 0`),
    );
    expect(() => nonMaxSuppression([{ ...one, box: [0, 0, 1, Number.NaN] }])).toThrow(RangeError);
    expect(() => nonMaxSuppression([{ ...one, box: [0, 0, 1] as never }])).toThrow(ShapeError);
    expect(() => nonMaxSuppression({} as never)).toThrow(TypeError);
    for (const options of [
      { iou: 1.1 },
      { iou: Number.NaN },
      { max: 0 },
      { sigma: 0 },
      { method: "hard" },
      { perclass: true },
    ])
      expect(() => nonMaxSuppression([one], options as never), JSON.stringify(options)).toThrow();
  });
});

describe("decodeYolo()", () => {
  const rows5 = (n: number, classes: number, r: Random, side = 320) =>
    randomBoxes(n, r, side).map((box) => [...box, r.uniform(), ...Array.from({ length: classes }, () => r.uniform())]);

  it("version 5: [1, N, 5 + C]", () => {
    for (const [n, classes] of [
      [300, 7],
      [64, 1],
      [333, 80],
    ] as const) {
      const data = Float32Array.from(rows5(n, classes, random(`yolo5 ${n}`)).flat());
      const expected = reference.nms(reference.yolo5(reference.rows(data, 5 + classes), 0.4), 0.45);
      expectSame(decodeYolo(shaped(data, 1, n, 5 + classes), { version: 5, score: 0.4 }), expected);
      expectSame(decodeYolo(shaped(data, n, 5 + classes), { version: 5, score: 0.4, view }), seen(expected));
    }
  });

  it("version 8: [1, 4 + C, N], also channels-last, with masks and points", () => {
    const [n, classes, masks, points] = [300, 5, 4, 3];
    const r = random("yolo8");
    const columns = 4 + classes + masks + points * 3;
    const data = new Float32Array(columns * n);
    for (const [i, box] of randomBoxes(n, r, 320).entries()) {
      const all = [...box, ...Array.from({ length: columns - 4 }, () => r.uniform())];
      for (const [c, value] of all.entries()) data[c * n + i] = value;
    }
    const all = reference.yolo8(reference.transposed(data, n), classes, 0.6);
    const expected = reference.nms(
      all.map(({ rest, ...one }) => ({ ...one, points: reference.rows(rest.slice(masks), 3), rest })),
      0.5,
      false,
    );
    const options = { version: 8, score: 0.6, iou: 0.5, perClass: false, masks, points: [points, 3] } as const;
    const found = decodeYolo(shaped(data, 1, columns, n), options);
    expectSame(found, expected);
    for (const [i, { coefficients }] of found.entries())
      expect([...(coefficients as Float32Array)]).toEqual(
        (expected[i] as Ref & { rest: number[] }).rest.slice(0, masks),
      );
    expectSame(decodeYolo(shaped(data, 1, columns, n), { ...options, view }), seen(expected));
    // The same tensor as kernels leave it: elements of a place together.
    const last = Float32Array.from(reference.transposed(data, n).flat());
    const tensor: Shaped = { data: last, shape: [1, columns, n], memoryFormat: "channelsLast" };
    expectSame(decodeYolo(tensor, options), expected);
  });

  it('version "x": cells of strides, of squares and of what `size` says', () => {
    for (const [size, strides, given] of [
      [[64, 64], [8, 16, 32], undefined],
      [
        [96, 64],
        [8, 16, 32],
        [96, 64],
      ],
      [
        [128, 64],
        [8, 16, 32, 64],
        [128, 64],
      ],
    ] as const) {
      const n = strides.reduce((sum, s) => sum + (size[0] / s) * (size[1] / s), 0);
      const r = random(`yolox ${size}`);
      const data = Float32Array.from(
        Array.from({ length: n }, () => [
          ...Array.from({ length: 4 }, () => r.uniform(-1, 1.5)),
          ...Array.from({ length: 7 }, () => r.uniform()),
        ]).flat(),
      );
      const expected = reference.nms(
        reference.yolo5(reference.yolox(reference.rows(data, 11), size, strides), 0.3),
        0.45,
      );
      const options = { version: "x", score: 0.3, strides, ...(given && { size: given }) } as const;
      expectSame(decodeYolo(shaped(data, 1, n, 11), options), expected, `${size}`);
      if (given) {
        const model = { ...view, modelHeight: size[0], modelWidth: size[1] };
        expectSame(
          decodeYolo(shaped(data, 1, n, 11), { version: "x", score: 0.3, strides, view: model }),
          seen(expected),
        );
        expect(() => decodeYolo(shaped(data, 1, n, 11), { version: "x", strides })).toThrow(ShapeError);
      }
    }
  });

  it("names classes, and refuses what does not fit", () => {
    const data = Float32Array.from(rows5(100, 3, random("names")).flat());
    const output = shaped(data, 1, 100, 8);
    const labels = ["cat", "dog", "bird"];
    for (const { label, index } of decodeYolo(output, { version: 5, labels })) expect(label).toBe(labels[index]);
    expect(() => decodeYolo(output, { version: 5, labels: ["cat"] })).toThrow(ShapeError);
    expect(() => decodeYolo(output, {} as never)).toThrow(
      new RangeError(`"version" expected 5, 8 or "x", got undefined`),
    );
    expect(() => decodeYolo(shaped(data, 2, 50, 8), { version: 5 })).toThrow(
      new ShapeError(`"output" expected [1, N, 5 + classes], got [2, 50, 8]`),
    );
    // The other version's way round.
    const planes = new Float32Array(84 * 8400);
    expect(() => decodeYolo(shaped(planes, 1, 84, 8400), { version: 5 })).toThrow(ShapeError);
    expect(() => decodeYolo(shaped(planes, 1, 8400, 84), { version: 8 })).toThrow(ShapeError);
    expect(() => decodeYolo(shaped(planes, 1, 84, 8401), { version: 8 })).toThrow(ShapeError);
    expect(() => decodeYolo({ data: planes } as never, { version: 8 })).toThrow(TypeError);
    planes[5 * 8400 + 77] = Number.NaN;
    expect(() => decodeYolo(shaped(planes, 1, 84, 8400), { version: 8 })).toThrow(
      new RangeError(`"output" expected numbers, got NaN at 77`),
    );
    data[4] = Number.NaN;
    expect(() => decodeYolo(output, { version: 5 })).toThrow(RangeError);
    data[4] = 1;
    data[5] = Number.NaN;
    expect(() => decodeYolo(output, { version: 5 })).toThrow(RangeError);
    data.fill(1, 5, 8);
    data[2] = Number.NaN;
    expect(() => decodeYolo(output, { version: 5 })).toThrow(RangeError);
    expect(() => decodeYolo(output, { version: 5, view: {} as never })).toThrow(TypeError);
    expect(() => decodeYolo(output, { version: 5, threshold: 1 } as never)).toThrow(TypeError);
  });
});

describe("heads whose boxes are ready", () => {
  it("decodeRows(): orders of columns, shares, pictures of a batch, what follows the box", () => {
    const r = random("rows");
    const all = Array.from({ length: 50 }, (_, i) => {
      const [x, y] = [r.uniform(0, 0.5), r.uniform(0, 0.5)];
      const box = [x, y, x + r.uniform(0.1, 0.5), y + r.uniform(0.1, 0.5)].map(Math.fround);
      return { box, score: i > 40 ? 0 : Math.fround(r.uniform(0.1, 1)), index: r.integer(0, 4) };
    });
    const kept = all.filter(({ score }) => score > 0.25).sort((a, b) => b.score - a.score);
    const rows = (of: (one: Ref, i: number) => number[]) => Float32Array.from(all.flatMap(of));
    const six = rows(({ box, score, index }) => [...box, score, index]);
    expectSame(decodeRows(shaped(six, 1, 50, 6)), kept);
    expectSame(decodeRows(shaped(six, 1, 50, 6), { view }), seen(kept));
    const pixels = kept.map((one) => ({ ...one, box: one.box.map((share, k) => share * (k % 2 ? 100 : 200)) }));
    const seven = rows(({ box, score, index }, i) => [i > 45 ? -1 : 0, index, score, ...box]);
    expectSame(decodeRows(shaped(seven, 1, 1, 50, 7), { size: [100, 200] }), pixels);
    expect(decodeRows(shaped(seven, 1, 1, 50, 7), { image: 1 })).toEqual([]);
    const paddle = rows(({ box, score, index }) => [index, score, ...box]);
    expectSame(decodeRows(shaped(paddle, 50, 6), { columns: ["class", "score", "x0", "y0", "x1", "y1"] }), kept);
    const pose = rows(({ box, score, index }) => [...box, score, index, 7, 8, 0.1, 0.2, 0.9]);
    const [first] = decodeRows(shaped(pose, 1, 50, 11), { size: [100, 200], masks: 2, points: [1, 3] });
    expect(first?.coefficients).toEqual(Float32Array.of(7, 8));
    expect(first?.points?.[0]?.map((v) => Math.round(v * 1000) / 1000)).toEqual([20, 20, 0.9]);
    expect(decodeRows(shaped(new Float32Array(0), 0, 6))).toEqual([]);
    expect(decodeRows(shaped(six, 1, 50, 6), { labels: ["a", "b", "c", "d", "e"] })[0]?.label).toMatch(/^[a-e]$/);
    expect(() => decodeRows(shaped(six, 1, 50, 6), { labels: ["a"] })).toThrow(ShapeError);
    expect(() => decodeRows(shaped(six, 1, 60, 5))).toThrow(ShapeError);
    expect(() => decodeRows(shaped(six, 1, 50, 6), { columns: ["x0", "y0"] })).toThrow(RangeError);
    six[4] = Number.NaN;
    expect(() => decodeRows(shaped(six, 1, 50, 6))).toThrow(RangeError);
    six[4] = 0.9;
    six[5] = 1.5;
    expect(() => decodeRows(shaped(six, 1, 50, 6))).toThrow(ShapeError);
  });

  it("decodeBoxes(): formats, logits, a background, classes that are chosen", () => {
    const r = random("boxes");
    const [n, classes] = [60, 4];
    const corner = Float32Array.from(
      Array.from({ length: n }, () => {
        const [x, y] = [r.uniform(0, 0.6), r.uniform(0, 0.6)];
        return [x, y, x + r.uniform(0.1, 0.4), y + r.uniform(0.1, 0.4)];
      }).flat(),
    );
    const logits = fill([n, classes], "boxes");
    const boxes = reference.rows(corner, 4);
    const made = (scores: number[][], from = 0) =>
      scores.map((row, i): Ref => {
        const classesOf = row.slice(from);
        const best = classesOf.indexOf(Math.max(...classesOf));
        const box = (boxes[i] as number[]).map((share, k) => share * (k % 2 ? 240 : 320));
        return { box, score: classesOf[best] as number, index: best + from };
      });
    const above = (all: Ref[]) =>
      reference.nms(
        all.filter(({ score }) => score > 0.25),
        0.45,
      );
    const soft = above(made(reference.rows(logits, classes).map(reference.softmax), 1));
    const sigmoids = above(made(reference.rows(logits, classes).map((row) => row.map(reference.sigmoid))));
    const [b, s] = [shaped(corner, 1, n, 4), shaped(logits, 1, n, classes)];
    const size = [240, 320] as const;
    expectSame(decodeBoxes(b, s, { size, activation: "softmax", background: 0 }), soft);
    expectSame(decodeBoxes(b, s, { size, activation: "sigmoid" }), sigmoids);
    expectSame(decodeBoxes(b, s, { size, activation: "sigmoid", view }), seen(sigmoids));
    const as = (of: (box: number[]) => number[]) => shaped(Float64Array.from(boxes.flatMap(of)), n, 4);
    const yx = as(([x0 = 0, y0 = 0, x1 = 0, y1 = 0]) => [y0, x0, y1, x1]);
    const centre = as(([x0 = 0, y0 = 0, x1 = 0, y1 = 0]) => [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]);
    expectSame(decodeBoxes(yx, s, { size, activation: "sigmoid", format: "yx" }), sigmoids);
    expectSame(decodeBoxes(centre, s, { size, activation: "sigmoid", format: "centre" }), sigmoids);
    const best = made(reference.rows(logits, classes).map((row) => row.map(reference.sigmoid)));
    const chosen = shaped(
      BigInt64Array.from(best, ({ index }) => BigInt(index)),
      n,
    );
    const scores = shaped(
      Float64Array.from(best, ({ score }) => score),
      n,
    );
    expectSame(decodeBoxes(b, scores, { size, classes: chosen, labels: ["a", "b", "c", "d"] }), sigmoids);
    expect(() => decodeBoxes(b, scores, { classes: chosen, labels: ["a"] })).toThrow(ShapeError);
    expect(() => decodeBoxes(b, shaped(new Float32Array(61), 61))).toThrow(ShapeError);
    expect(() => decodeBoxes(s, b, { labels: ["a"] })).toThrow(ShapeError);
    expect(() => decodeBoxes(b, s, { background: 4 })).toThrow(RangeError);
    logits[9] = Number.NaN;
    expect(() => decodeBoxes(b, s)).toThrow(RangeError);
    expect(decodeBoxes(shaped([], 0, 4), shaped([], 0, 3))).toEqual([]);
  });
});

describe("decodeSsd() and ssdAnchors()", () => {
  it("anchors of RetinaFace, BlazeFace, palm detection and TensorFlow's SSD", () => {
    const same = (actual: Float32Array, expected: readonly number[]) => {
      expect(actual.length).toBe(expected.length);
      expected.forEach((value, i) => void expect(actual[i]).toBe(Math.fround(value)));
    };
    const sizes = [
      [16, 32],
      [64, 128],
      [256, 512],
    ];
    same(
      ssdAnchors({ size: [100, 76], strides: [8, 16, 32], sizes }),
      reference.priorBox([100, 76], [8, 16, 32], sizes),
    );
    const media = {
      minScale: 0.1484375,
      maxScale: 0.75,
      aspectRatios: [1],
      interpolated: true,
      reduce: false,
      fixed: true,
    };
    same(
      ssdAnchors({
        size: 128,
        strides: [8, 16],
        sizes: [
          [128, 128],
          [128, 128, 128, 128, 128, 128],
        ],
      }),
      reference.mediapipeAnchors({ ...media, size: 128, strides: [8, 16, 16, 16] }),
    );
    const tensorflow = { size: 300, strides: [16, 32, 64, 100, 150, 300] };
    const ratios = [1, 2, 0.5, 3, 0.3333];
    for (const reduce of [true, false])
      same(
        ssdAnchors({ ...tensorflow, scales: [0.2, 0.95], aspectRatios: ratios, fewerInFirst: reduce }),
        reference.mediapipeAnchors({
          ...tensorflow,
          minScale: 0.2,
          maxScale: 0.95,
          aspectRatios: ratios,
          interpolated: true,
          reduce,
          fixed: false,
        }),
      );
    expect(ssdAnchors({ ...tensorflow, scales: [0.2, 0.95] }).length / 4).toBe(1917); // as ssd_mobilenet has them
    expect(() => ssdAnchors({ size: 128, strides: [8] })).toThrow(TypeError);
    expect(() => ssdAnchors({ size: 128, strides: [8, 16], sizes: [[1]] })).toThrow(ShapeError);
    expect(() => ssdAnchors({ size: 128, strides: [0], sizes: [[1]] })).toThrow(RangeError);
  });

  const size = [64, 96] as const;
  const anchors = ssdAnchors({ size, strides: [16, 32], sizes: [[20, 30], [40]] });
  const n = anchors.length / 4;
  const offsets = fill([n, 4], "ssd boxes");
  const anchorRows = reference.rows(anchors, 4);

  it("exp of sizes, softmax with a background, points of their own (RetinaFace)", () => {
    const logits = fill([n, 3], "ssd scores");
    const land = fill([n, 10], "ssd points");
    const expected = reference.nms(
      reference.rows(logits, 3).flatMap((row, i): Ref[] => {
        const scores = reference.softmax(row);
        const index = (scores[1] as number) >= (scores[2] as number) ? 1 : 2;
        if (!((scores[index] as number) > 0.3)) return [];
        const anchor = anchorRows[i] as [number, number, number, number];
        const box = reference.retina(reference.rows(offsets, 4)[i] as number[], anchor, [0.1, 0.2]);
        const points = reference
          .rows(land.subarray(10 * i, 10 * i + 10), 2)
          .map(([x = 0, y = 0]) => [(anchor[0] + x * 0.1 * anchor[2]) * 96, (anchor[1] + y * 0.1 * anchor[3]) * 64]);
        return [{ box: box.map((edge, k) => edge * (k % 2 ? 64 : 96)), score: scores[index] as number, index, points }];
      }),
      0.45,
    );
    const options = {
      anchors,
      size,
      score: 0.3,
      activation: "softmax",
      background: 0,
      points: shaped(land, 1, n, 10),
    } as const;
    expectSame(decodeSsd(shaped(logits, 1, n, 3), shaped(offsets, 1, n, 4), options), expected);
    expectSame(decodeSsd(shaped(logits, 1, n, 3), shaped(offsets, 1, n, 4), { ...options, view }), seen(expected));
  });

  it("linear sizes, points behind boxes, a tensor a level, weighted (BlazeFace)", () => {
    const [side, points] = [128, 6];
    const cells = ssdAnchors({
      size: side,
      strides: [8, 16],
      sizes: [
        [128, 128],
        [128, 128, 128, 128, 128, 128],
      ],
    });
    const r = random("blaze");
    const scores = uniform([896], r, -4, 1);
    const raw = uniform([896, 16], r, -10, 10);
    for (let i = 0; i < 896; i++) raw.set([r.uniform(20, 60), r.uniform(20, 60)], 16 * i + 2);
    const expected = reference.weightedNms(
      reference.rows(raw, 16).flatMap((row, i): Ref[] => {
        const score = reference.sigmoid(scores[i] as number);
        if (!(score > 0.5)) return [];
        const { box, points: all } = reference.blazeface(row, reference.rows(cells, 4)[i] as number[], side, points);
        return [
          {
            box: box.map((v) => v * side),
            score,
            index: 0,
            points: (all as number[][]).map((p) => p.map((v) => v * side)),
          },
        ];
      }),
      0.3,
    );
    const level = (data: Float32Array, columns: number) => [
      shaped(data.subarray(0, 512 * columns), 1, 512, columns),
      shaped(data.subarray(512 * columns), 1, 384, columns),
    ];
    const options = {
      anchors: cells,
      size: side,
      variances: [1 / side, 1 / side],
      sizes: "linear",
      points,
      activation: "sigmoid",
      score: 0.5,
      iou: 0.3,
      method: "weighted",
    } as const;
    const found = decodeSsd(level(scores, 1), level(raw, 16), options);
    expect(found.length).toBe(expected.length);
    expectSame(found, expected);
  });

  it("refuses counts that do not fit", () => {
    const [scores, boxes] = [shaped(new Float32Array(n), 1, n, 1), shaped(offsets, 1, n, 4)];
    expect(() => decodeSsd(scores, boxes, { anchors: anchors.subarray(4), size })).toThrow(
      new ShapeError(`"anchors" expected ${4 * n} numbers, 4 for each row of "boxes", got ${4 * n - 4}`),
    );
    expect(() => decodeSsd(shaped(new Float32Array(n + 1), 1, n + 1, 1), boxes, { anchors, size })).toThrow(ShapeError);
    expect(() => decodeSsd(scores, boxes, { anchors, size, points: 1 })).toThrow(ShapeError);
    expect(() => decodeSsd(scores, boxes, { anchors } as never)).toThrow(TypeError);
    expect(() => decodeSsd(scores, boxes, { anchors, size, labels: ["a", "b"] })).toThrow(ShapeError);
    expect(() => decodeSsd(scores, boxes, { anchors, size, background: 1 })).toThrow(RangeError);
    expect(() => decodeSsd(shaped(new Float32Array(n).fill(Number.NaN), 1, n, 1), boxes, { anchors, size })).toThrow(
      RangeError,
    );
  });
});

describe("decodeDistances()", () => {
  it("two anchors a cell, distances from corners of cells, points (SCRFD)", () => {
    const r = random("scrfd");
    const heads: DistanceHead[] = [];
    const all: Ref[] = [];
    for (const stride of [8, 16, 32]) {
      const n = (64 / stride) * (96 / stride) * 2;
      const [scores, boxes, points] = [uniform([n], r, 0, 0.6), uniform([n, 4], r, 0, 3), uniform([n, 10], r, -2, 2)];
      heads.push({ scores: shaped(scores, n, 1), boxes: shaped(boxes, n, 4), points: shaped(points, n, 10) });
      const made = reference.scrfd(reference.rows(boxes, 4), reference.rows(points, 10), stride, 96 / stride, 2);
      for (const [i, one] of made.entries())
        if ((scores[i] as number) > 0.5) all.push({ ...one, score: scores[i] as number, index: 0 });
    }
    const expected = reference.nms(all, 0.4);
    const options = { offset: 0, size: [64, 96], score: 0.5, iou: 0.4 } as const;
    expectSame(decodeDistances(heads, options), expected);
    expectSame(decodeDistances(heads, { ...options, view }), seen(expected));
    expect(() => decodeDistances(heads, { ...options, size: [64, 72] })).toThrow(ShapeError);
    expect(() => decodeDistances(heads, { ...options, strides: [8, 16] })).toThrow(ShapeError);
    expect(() => decodeDistances(heads.slice(1), options)).toThrow(ShapeError);
  });

  it("bins, a head a stride (PicoDet) and all in one (NanoDet)", () => {
    const [classes, bins, side] = [5, 8, 72]; // 72 / 16 is no whole number of cells
    const strides = [8, 16, 32, 64];
    const heads: DistanceHead[] = [];
    const one: number[] = [];
    const all: Ref[] = [];
    for (const stride of strides) {
      const width = Math.ceil(side / stride);
      const n = width * width;
      const r = random(`bins ${stride}`);
      const [scores, boxes] = [uniform([n, classes], r, 0, 0.5), fill([n, 4 * bins], `bins ${stride}`)];
      heads.push({ scores: shaped(scores, 1, n, classes), boxes: shaped(boxes, 1, n, 4 * bins) });
      for (let i = 0; i < n; i++) {
        const row = reference.rows(scores, classes)[i] as number[];
        const raw = reference.rows(boxes, 4 * bins)[i] as number[];
        one.push(...row, ...raw);
        const score = Math.max(...row);
        if (score > 0.4) all.push({ box: reference.picodet(raw, i, width, stride), score, index: row.indexOf(score) });
      }
    }
    const expected = reference.nms(all, 0.5);
    expectSame(decodeDistances(heads, { score: 0.4, iou: 0.5, strides }), expected);
    const output = shaped(Float32Array.from(one), 1, one.length / (classes + 4 * bins), classes + 4 * bins);
    expectSame(decodeDistances(output, { score: 0.4, iou: 0.5, bins, size: side }), expected);
    expect(() => decodeDistances(output, { bins, size: 96 })).toThrow(ShapeError);
    expect(() => decodeDistances(output, { bins: 99, size: side })).toThrow(ShapeError);
    (heads[1]?.scores.data as Float32Array)[3] = Number.NaN;
    expect(() => decodeDistances(heads, { strides })).toThrow(RangeError);
  });

  it("exp of sizes, objectness (YuNet)", () => {
    const heads: DistanceHead[] = [];
    const all: Ref[] = [];
    for (const stride of [8, 16]) {
      const width = 64 / stride;
      const n = width * width;
      const r = random(`yunet ${stride}`);
      const [cls, obj] = [uniform([n], r, -0.1, 1.1), uniform([n], r, 0, 1)];
      const [boxes, points] = [uniform([n, 4], r, -1, 1.5), uniform([n, 10], r, -1, 1)];
      heads.push({
        scores: shaped(cls, 1, n, 1),
        objectness: shaped(obj, 1, n, 1),
        boxes: shaped(boxes, 1, n, 4),
        points: shaped(points, 1, n, 10),
      });
      for (let i = 0; i < n; i++) {
        const [b, p] = [reference.rows(boxes, 4)[i], reference.rows(points, 10)[i]] as [number[], number[]];
        const ref = reference.yunet(cls[i] as number, obj[i] as number, b, p, i, width, stride);
        if (ref.score > 0.6) all.push(ref);
      }
    }
    const options = { boxes: "exp", offset: 0, score: 0.6, iou: 0.3 } as const;
    expectSame(decodeDistances(heads, options), reference.nms(all, 0.3));
    expect(() => decodeDistances([{ ...heads[0], objectness: shaped([1], 1, 1, 1) }] as never, options)).toThrow(
      ShapeError,
    );
    expect(() => decodeDistances([{ scores: heads[0]?.scores }] as never, options)).toThrow(TypeError);
  });
});

describe("decodeGrid()", () => {
  it("one tensor (FastestDet), also channels last", () => {
    const [classes, height, width] = [6, 7, 9];
    const channels = 5 + classes;
    const r = random("fastest");
    const data = uniform([channels, height, width], r, 0, 1);
    for (let i = height * width; i < 5 * height * width; i++) data[i] = r.uniform(-2, 2);
    const expected = reference.nms(reference.fastestdet(data, channels, height, width, 16, 0.5), 0.45);
    expectSame(decodeGrid(shaped(data, 1, channels, height, width), { score: 0.5 }), expected);
    expectSame(decodeGrid(shaped(data, channels, height, width), { score: 0.5, view }), seen(expected));
    const last = Float32Array.from(reference.transposed(data, height * width).flat());
    expectSame(decodeGrid(shaped(last, 1, height, width, channels), { score: 0.5, axis: -1 }), expected);
    const tensor: Shaped = { data: last, shape: [1, channels, height, width], memoryFormat: "channelsLast" };
    expectSame(decodeGrid(tensor, { score: 0.5 }), expected);
    expect(() => decodeGrid(shaped(data, 1, 1, channels * height, width))).toThrow(ShapeError);
    expect(() => decodeGrid(shaped(data, channels * height, width))).toThrow(ShapeError);
    data[0] = Number.NaN;
    expect(() => decodeGrid(shaped(data, channels, height, width), { score: 0 })).toThrow(RangeError);
  });

  it("peaks of heatmaps (CenterNet)", () => {
    const [classes, height, width] = [3, 8, 11];
    const heat = uniform([classes, height, width], random("heat"));
    const [sizes, offsets] = [
      uniform([2, height, width], random("wh"), 1, 5),
      uniform([2, height, width], random("reg")),
    ];
    const planes = (data: Float32Array, n: number) =>
      reference
        .rows(data, height * width)
        .slice(0, n)
        .map((plane) => reference.rows(plane, width));
    const expected = reference.centernet(planes(heat, 3), planes(sizes, 2), planes(offsets, 2), 4, 0.3);
    const heads = {
      heatmap: shaped(heat, 1, classes, height, width),
      sizes: shaped(sizes, 1, 2, height, width),
      offsets: shaped(offsets, 1, 2, height, width),
    };
    expectSame(decodeGrid(heads, { score: 0.3 }), expected);
    const logits = heat.map((p) => Math.log(p / (1 - p)));
    const found = decodeGrid(
      { ...heads, heatmap: shaped(logits, 1, classes, height, width) },
      { score: 0.3, activation: "sigmoid" },
    );
    expect(found.length).toBe(expected.length);
    expect(() => decodeGrid({ ...heads, sizes: shaped(sizes, 1, 2, width, height) })).toThrow(ShapeError);
    heat[5] = Number.NaN;
    expect(() => decodeGrid(heads)).toThrow(RangeError);
  });
});

describe("key points", () => {
  it("with offsets, y before x (PoseNet), channels first and last", () => {
    const [k, height, width] = [5, 6, 8];
    const heat = fill([k, height, width], "heat");
    const offsets = fill([2 * k, height, width], "offsets").map((v) => 10 * v);
    const found = heatmapKeypoints(shaped(heat, 1, k, height, width), shaped(offsets, 1, 2 * k, height, width), {
      stride: 16,
      activation: "sigmoid",
      labels: ["a", "b", "c", "d", "e"],
      view,
    });
    const last = (data: Float32Array) => Float32Array.from(reference.transposed(data, height * width).flat());
    const other = heatmapKeypoints(
      shaped(last(heat), 1, height, width, k),
      shaped(last(offsets), 1, height, width, 2 * k),
      { stride: 16, activation: "sigmoid", axis: -1, labels: ["a", "b", "c", "d", "e"], view },
    );
    expect(other).toEqual(found);
    for (const [i, { point, score, index, label }] of found.entries()) {
      const plane = [...heat.subarray(i * height * width, (i + 1) * height * width)];
      const best = plane.indexOf(Math.max(...plane));
      const at = (channel: number) => offsets[channel * height * width + best] as number;
      const [x, y] = [(best % width) * 16 + at(k + i), Math.floor(best / width) * 16 + at(i)];
      expect(point).toEqual(view.toImage([x, y]));
      expect(score).toBe(reference.sigmoid(plane[best] as number));
      expect([index, label]).toEqual([i, "abcde"[i]]);
    }
  });

  it("without: a quarter of a cell towards the higher neighbour (HRNet)", () => {
    const heat = Float32Array.of(0, 0, 0, 0, 0, 1, 5, 2, 0, 0, 3, 0);
    expect(heatmapKeypoints(shaped(heat, 1, 1, 3, 4))).toEqual([{ point: [9, 5], score: 5, index: 0 }]);
    const edge = Float32Array.of(9, 1, 1, 0);
    expect(heatmapKeypoints(shaped(edge, 1, 1, 2, 2), undefined, { stride: 8 })[0]?.point).toEqual([0, 0]);
    expect(() => heatmapKeypoints(shaped(heat, 1, 1, 3, 4), shaped(heat, 1, 1, 3, 4))).toThrow(ShapeError);
    expect(() => heatmapKeypoints(shaped(heat, 1, 1, 3, 4), undefined, { labels: ["a", "b"] })).toThrow(ShapeError);
    expect(() => heatmapKeypoints(shaped(heat, 1, 1, 3, 4), undefined, { axis: 2 as never })).toThrow(RangeError);
    heat[0] = Number.NaN;
    expect(() => heatmapKeypoints(shaped(heat, 1, 1, 3, 4))).toThrow(RangeError);
  });

  it("decodePoints(): coordinates as they are", () => {
    expect(decodePoints(shaped([1, 2, 3, 4, 5, 6], 1, 6, 1, 1), { values: 3, view })).toEqual([
      [12, 1, 3],
      [18, 10, 6],
    ]);
    expect(decodePoints(shaped([0.5, 0.25], 1, 2), { size: [100, 200] })).toEqual([[100, 25]]);
    expect(() => decodePoints(shaped([1, 2, 3], 1, 3))).toThrow(ShapeError);
    expect(() => decodePoints(shaped([1, Number.NaN], 1, 2))).toThrow(RangeError);
  });
});

describe("labelsOf()", () => {
  const of = (names: string) => labelsOf({ metadata: { names } });
  it("reads what Ultralytics writes: Python's dictionaries and lists, and JSON", () => {
    expect(of("{0: 'person', 1: 'bicycle', 2: 'car'}")).toEqual(["person", "bicycle", "car"]);
    expect(of(`{1: "driver's seat", 0: 'a "b"', }`)).toEqual([`a "b"`, "driver's seat"]);
    expect(of(String.raw`['it\'s', "a\\b", 'caf\xe9', '\u4e2d', 'a, b: {c}']`)).toEqual([
      "it's",
      "a\\b",
      "café",
      "中",
      "a, b: {c}",
    ]);
    expect(of(JSON.stringify(["x", "y"]))).toEqual(["x", "y"]);
    expect(of(JSON.stringify({ 0: "x", 1: "y" }))).toEqual(["x", "y"]);
    expect(of("{}")).toEqual([]);
    expect(labelsOf({ metadata: { task: "detect" } })).toBeUndefined();
  });

  it("of a file: model.metadata", async () => {
    const rt = await createRuntime();
    const graph = { nodes: [{ op: "Relu", inputs: ["x"], outputs: ["y"] }], inputs: { x: [1, 2] }, outputs: ["y"] };
    const metadata = { names: "{0: 'cat', 1: 'dog'}", task: "detect", imgsz: "[640, 640]", ["__proto__"]: "text" };
    const model = await loadOnnx(rt, onnxFile({ ...graph, metadata }));
    expect(Object.entries(model.metadata)).toEqual(Object.entries(metadata));
    expect(labelsOf(model)).toEqual(["cat", "dog"]);
    const { y } = model.run({ x: rt.tensor([1, 2], [1, 2]) });
    expect(topK(y as Tensor, 1, { labels: labelsOf(model) })).toEqual([{ index: 1, score: 2, label: "dog" }]);
    const plain = await loadOnnx(rt, onnxFile(graph));
    expect(Object.entries(plain.metadata)).toEqual([]);
    expect(labelsOf(plain)).toBeUndefined();
    rt.dispose();
  });

  it("of photos: an input [1, H, W, C] lies in that order, also where arithmetic comes before the change to channels", async () => {
    const rt = await createRuntime();
    const nodes = [
      { op: "Mul", inputs: ["x", "two"], outputs: ["y"] },
      { op: "Transpose", inputs: ["y"], outputs: ["z"], attributes: { perm: [0, 3, 1, 2] } },
    ];
    const constants = { two: floats(2) };
    const data = fill([1, 6, 5, 4], "photo");
    const model = await loadOnnx(rt, onnxFile({ nodes, inputs: { x: [1, 6, 5, 4] }, outputs: ["z"], constants }));
    expect(model.inputs[0]?.memoryFormat).toBe("contiguous");
    model.input("x").set(data as never);
    const { z } = model.run();
    const pixels = reference.rows(data, 4);
    const expected = [0, 1, 2, 3].flatMap((c) => pixels.map((pixel) => 2 * (pixel[c] as number)));
    expect([...((z as Tensor).toArray() as Float32Array)]).toEqual(expected);
    rt.dispose();
  });

  it("refuses anything else", () => {
    for (const names of [
      "",
      "person",
      "{0: 'a'",
      "{0: 'a', 2: 'b'}",
      "{0: 'a', 0: 'b'}",
      "['a' 'b']",
      "{0: 1}",
      "{'a'}",
      "[0: 'a']",
      "{0: 'a', 1}",
      "{99999999: 'a'}",
      "['a]",
    ])
      expect(() => of(names), names).toThrow(ModelError);
    expect(() => labelsOf({} as never)).toThrow(TypeError);
    expect(() => labelsOf(undefined as never)).toThrow(TypeError);
  });
});
