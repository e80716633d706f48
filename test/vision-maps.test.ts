// Segmentation maps, text, and drawing: against references in the plainest words, and what they refuse.
import { describe, expect, it } from "vitest";
import { ShapeError } from "../src/base/errors.js";
import {
  colourize,
  ctcDecode,
  drawDetections,
  labelMap,
  type Shaped,
  type TextRegion,
  textRegions,
} from "../src/vision/answers/index.js";
import { minAreaRect } from "../src/vision/answers/rectangle.js";
import * as reference from "./answers-reference.js";
import { fill, random } from "./random.js";

const shaped = (data: Shaped["data"], ...shape: number[]): Shaped => ({ data, shape });

describe("labelMap() and colourize()", () => {
  it("is the largest channel of each pixel, channels first and last", () => {
    const [c, h, w] = [21, 5, 7];
    const data = fill([c, h, w], "labels");
    const expected = reference.transposed(data, h * w).map((row) => row.indexOf(Math.max(...row)));
    const last = Float32Array.from(reference.transposed(data, h * w).flat());
    for (const map of [
      labelMap(shaped(data, 1, c, h, w)),
      labelMap(shaped(data, c, h, w)),
      labelMap(shaped(last, 1, h, w, c), { axis: -1 }),
      labelMap({ data: last, shape: [1, c, h, w], memoryFormat: "channelsLast" }),
    ]) {
      expect([...map.data]).toEqual(expected);
      expect([map.width, map.height, map.data.constructor]).toEqual([w, h, Uint8Array]);
    }
    const wide = new Float32Array(300 * 4);
    wide[299 * 4 + 2] = 1;
    expect(labelMap(shaped(wide, 1, 300, 2, 2)).data).toEqual(Uint16Array.of(0, 0, 299, 0));
  });

  it("of one channel: a threshold of floats, integers as they are", () => {
    expect([...labelMap(shaped(Float32Array.of(0.4, 0.5, 0.6, -1), 1, 1, 2, 2)).data]).toEqual([0, 0, 1, 0]);
    expect([...labelMap(shaped(Float32Array.of(-1, 2), 1, 1, 2, 1), { axis: -1, threshold: 0 }).data]).toEqual([0, 1]);
    expect([...labelMap(shaped(BigInt64Array.of(3n, 7n), 1, 1, 2)).data]).toEqual([3, 7]);
    expect(labelMap(shaped(Int32Array.of(3, 700), 1, 2)).data).toEqual(Uint16Array.of(3, 700));
    expect(() => labelMap(shaped(Int32Array.of(3, -1), 1, 2))).toThrow(RangeError);
    expect(() => labelMap(shaped(Float32Array.of(3, Number.NaN), 1, 2))).toThrow(RangeError);
    expect(() => labelMap(shaped(Float32Array.of(1, 2, 3, Number.NaN), 1, 2, 1, 2))).toThrow(RangeError);
    expect(() => labelMap(shaped(new Float32Array(8), 2, 2, 1, 2))).toThrow(ShapeError);
    expect(() => labelMap(shaped(new Float32Array(4), 1, 2, 1, 2), { labels: ["a"] })).toThrow(ShapeError);
    expect(() => labelMap(shaped(Int32Array.of(0, 2), 1, 2), { labels: ["a", "b"] })).toThrow(ShapeError);
  });

  it("colours of PASCAL VOC, and of a palette", () => {
    const map = { data: Uint8Array.of(0, 1, 2, 15, 20, 255), width: 3, height: 2 };
    // From VOCdevkit's VOClabelcolormap.
    const voc = [0, 0, 0, 128, 0, 0, 0, 128, 0, 192, 128, 128, 0, 64, 128, 224, 224, 192];
    const { data, width, height } = colourize(map);
    expect([...data]).toEqual(reference.rows(voc, 3).flatMap((colour) => [...colour, 255]));
    expect([width, height]).toEqual([3, 2]);
    const two = { data: Uint8Array.of(1, 0), width: 2, height: 1 };
    expect([
      ...colourize(two, [
        [1, 2, 3, 0],
        [4, 5, 6],
      ]).data,
    ]).toEqual([4, 5, 6, 255, 1, 2, 3, 0]);
    expect(() => colourize(undefined as never)).toThrow('"labels" expected what labelMap() answers, got undefined');
    expect(() => colourize(two, [[1, 2, 3]])).toThrow(
      new RangeError(`"palette" expected a colour for class 1, got 1 colours`),
    );
    expect(() => colourize({} as never)).toThrow(TypeError);
  });
});

describe("minAreaRect()", () => {
  it("is as small as the best of 9,000 angles, and has all points inside", () => {
    const r = random("rect");
    for (let round = 0; round < 40; round++) {
      const points = Array.from({ length: r.integer(3, 40) }, () => [r.uniform(0, 50), r.uniform(0, 20)] as const);
      const { x, y, width, height, angle } = minAreaRect(points);
      const spans = (a: number) => {
        const us = points.map(([px, py]) => px * Math.cos(a) + py * Math.sin(a));
        const vs = points.map(([px, py]) => py * Math.cos(a) - px * Math.sin(a));
        return [Math.max(...us) - Math.min(...us), Math.max(...vs) - Math.min(...vs)] as const;
      };
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 9000; i++) {
        const [u, v] = spans((i / 9000) * (Math.PI / 2));
        least = Math.min(least, u * v);
      }
      expect(width * height).toBeLessThanOrEqual(least * (1 + 1e-9));
      expect(width * height).toBeGreaterThan(least * 0.99);
      expect(Math.abs(angle)).toBeLessThanOrEqual(Math.PI / 4 + 1e-12);
      for (const [px, py] of points) {
        const [dx, dy] = [px - x, py - y];
        expect(Math.abs(dx * Math.cos(angle) + dy * Math.sin(angle))).toBeLessThanOrEqual(width / 2 + 1e-9);
        expect(Math.abs(dy * Math.cos(angle) - dx * Math.sin(angle))).toBeLessThanOrEqual(height / 2 + 1e-9);
      }
    }
  });

  it("of one point and of points in a line has no area", () => {
    expect(minAreaRect([[3, 4]])).toMatchObject({ x: 3, y: 4, width: 0, height: 0 });
    const { width, height, angle } = minAreaRect([
      [0, 0],
      [3, 4],
      [6, 8],
    ]);
    expect([Math.max(width, height), Math.min(width, height)].map((v) => Math.round(1e9 * v) / 1e9)).toEqual([10, 0]);
    expect(Math.abs(angle)).toBeLessThanOrEqual(Math.PI / 4);
  });
});

/** A map with rectangles drawn in it: pixels whose middles are inside have `value`. */
function drawn(
  [height, width]: readonly [number, number],
  rects: readonly { x: number; y: number; w: number; h: number; angle?: number; value?: number }[],
): Float32Array {
  const map = new Float32Array(height * width);
  for (const { x, y, w, h, angle = 0, value = 0.9 } of rects)
    for (let i = 0; i < map.length; i++) {
      const [dx, dy] = [(i % width) + 0.5 - x, Math.floor(i / width) + 0.5 - y];
      const [u, v] = [dx * Math.cos(angle) + dy * Math.sin(angle), dy * Math.cos(angle) - dx * Math.sin(angle)];
      if (Math.abs(u) < w / 2 && Math.abs(v) < h / 2) map[i] = value;
    }
  return map;
}

describe("textRegions()", () => {
  it("upright: the rectangle through the middles of edge pixels, grown by area / perimeter times unclip", () => {
    // 40 x 10 pixels: middles span 39 x 9; grows by 39 * 9 * 1.5 / (2 * 48) on each side.
    const map = drawn([50, 100], [{ x: 50, y: 25, w: 40, h: 10 }]);
    const [one, ...others] = textRegions(shaped(map, 1, 1, 50, 100)) as [TextRegion];
    expect(others).toEqual([]);
    const grow = (39 * 9 * 1.5) / (2 * 48);
    const { x, y, width, height, angle } = one.region;
    const expected = [50 - 19.5 - grow, 25 - 4.5 - grow, 39 + 2 * grow, 9 + 2 * grow, 0];
    for (const [i, value] of [x, y, width, height, angle].entries())
      expect(value).toBeCloseTo(expected[i] as number, 9);
    expect(one.score).toBeCloseTo(0.9, 6);
    expect(one.points.map((p) => p.map((v) => Math.round(v * 1e6) / 1e6))).toEqual(
      [
        [x, y],
        [x + width, y],
        [x + width, y + height],
        [x, y + height],
      ].map((p) => p.map((v) => Math.round(v * 1e6) / 1e6)),
    );
  });

  it("at any angle, in reading order, in the photo", () => {
    const rects = [
      { x: 150, y: 30, w: 60, h: 12, angle: 0.03 },
      { x: 50, y: 33, w: 60, h: 12, angle: -0.02 },
      { x: 60, y: 80, w: 70, h: 14, angle: 0.3 },
      { x: 170, y: 110, w: 50, h: 12, angle: -0.5 },
    ];
    const found = textRegions(shaped(drawn([140, 220], rects), 1, 1, 140, 220), { unclip: 0 });
    const expected = [1, 0, 2, 3].map((i) => rects[i] as (typeof rects)[number]);
    expect(found.length).toBe(4);
    for (const [i, { region }] of found.entries()) {
      const want = expected[i] as (typeof rects)[number];
      expect(region.x + region.width / 2).toBeCloseTo(want.x, -0.3);
      expect(region.y + region.height / 2).toBeCloseTo(want.y, -0.3);
      expect(Math.abs(region.width - want.w)).toBeLessThan(2.5);
      expect(Math.abs(region.height - want.h)).toBeLessThan(2.5);
      expect(Math.abs(region.angle - want.angle)).toBeLessThan(0.03);
    }
    const view = {
      toImage: ([x, y]: readonly [number, number]) => [2 * x, 2 * y + 7] as const,
      boxToImage: (box: readonly [number, number, number, number]) => box,
    };
    const seen = textRegions(shaped(drawn([140, 220], rects), 140, 220), { unclip: 0, view });
    for (const [i, { region, points }] of seen.entries()) {
      const before = found[i] as TextRegion;
      expect(region.width).toBeCloseTo(2 * before.region.width, 9);
      expect(region.angle).toBeCloseTo(before.region.angle, 9);
      expect(points[2]?.[1]).toBeCloseTo(2 * (before.points[2]?.[1] as number) + 7, 9);
    }
  });

  it("joins pixels at corners, drops what is weak, small or beyond `max`", () => {
    const rects = [
      { x: 20, y: 20, w: 20, h: 8 },
      { x: 40, y: 28, w: 20, h: 8 }, // touches the first by a corner
      { x: 80, y: 20, w: 20, h: 8, value: 0.5 },
      { x: 80, y: 50.5, w: 20, h: 4 },
      { x: 20, y: 70, w: 20, h: 8 },
    ];
    const map = shaped(drawn([90, 110], rects), 1, 1, 90, 110);
    const middles = (all: readonly TextRegion[]) => all.map(({ region }) => Math.round(region.y + region.height / 2));
    // The two that touch are one, half empty at an angle, so with a mean below 0.6.
    expect(middles(textRegions(map))).toEqual([70]);
    expect(textRegions(map, { score: 0.3 }).length).toBe(3);
    expect(textRegions(map, { score: 0.3, minSide: 2 }).length).toBe(4);
    expect(textRegions(map, { score: 0.3, max: 1 }).length).toBe(1);
    expect(textRegions(shaped(new Float32Array(100), 1, 1, 10, 10))).toEqual([]);
  });

  it("refuses what is no map", () => {
    expect(() => textRegions(shaped(new Float32Array(32), 1, 2, 4, 4))).toThrow(ShapeError);
    expect(() => textRegions(shaped(Float32Array.of(0, Number.NaN, 0, 0), 1, 1, 2, 2))).toThrow(RangeError);
    expect(() => textRegions(shaped(new Float32Array(4), 2, 2), { threshold: Number.NaN })).toThrow(RangeError);
    expect(() => textRegions(shaped(new Float32Array(4), 2, 2), { unclipRatio: 2 } as never)).toThrow(TypeError);
  });
});

describe("ctcDecode()", () => {
  it("joins repetitions, drops blanks, wherever the blank is", () => {
    const alphabet = [..."abcdé "];
    for (const blank of [0, 6, -1, 3]) {
      const r = random(`ctc ${blank}`);
      for (let round = 0; round < 20; round++) {
        const data = new Float32Array(30 * 7).map(() => r.uniform());
        // Long runs: few classes win.
        for (let t = 0; t < 30; t++) data[t * 7 + ((r.integer(0, 3) * 2) % 7)] = 2;
        const all = reference.rows(data, 7);
        const place = blank < 0 ? 6 : blank;
        const { text, score } = ctcDecode(shaped(data, 1, 30, 7), alphabet, { blank });
        expect(text).toBe(reference.ctc(all, alphabet, place));
        expect(text.length).toBeGreaterThan(0);
        expect(score).toBe(2);
      }
    }
  });

  it("scores, logits, [T, 1, C], nothing but blanks", () => {
    const steps = [
      [0, 5, 0],
      [0, 4, 0],
      [5, 0, 0],
      [0, 0, 3],
    ];
    const mean =
      (reference.softmax(steps[0] as number[])[1] as number) / 2 +
      (reference.softmax(steps[3] as number[])[2] as number) / 2;
    const output = shaped(Float32Array.from(steps.flat()), 4, 1, 3);
    const { text, score } = ctcDecode(output, "ab", { activation: "softmax" });
    expect(text).toBe("ab");
    expect(score).toBeCloseTo(mean, 12);
    expect(ctcDecode(shaped([1, 0, 1, 0], 1, 2, 2), "a")).toEqual({ text: "", score: 0 });
    expect(ctcDecode(shaped([], 1, 0, 2), "a")).toEqual({ text: "", score: 0 });
  });

  it("refuses alphabets of another length", () => {
    const output = shaped(new Float32Array(97 * 2), 1, 2, 97);
    expect(() => ctcDecode(output, "x".repeat(95))).toThrow(
      new ShapeError(
        `"alphabet" expected 96 characters, one a class but the blank, got 95; PaddleOCR's models have a space behind their dictionary`,
      ),
    );
    expect(() => ctcDecode(output, "x".repeat(97))).toThrow(ShapeError);
    expect(() => ctcDecode(shaped(new Float32Array(8), 2, 2, 2), "x")).toThrow(ShapeError);
    expect(() => ctcDecode(output, 5 as never)).toThrow(TypeError);
    expect(() => ctcDecode(shaped([Number.NaN, 0], 1, 1, 2), "a")).toThrow(RangeError);
  });
});

describe("drawDetections()", () => {
  const grey = { data: new Uint8Array(20 * 10).fill(50), width: 20, height: 10, channels: 1 };
  const at = ({ data }: { data: Uint8ClampedArray }, x: number, y: number) => [
    ...data.subarray(4 * (y * 20 + x), 4 * (y * 20 + x) + 4),
  ];
  const red = [255, 0, 0] as const;
  const palette = [red];
  const under = [50, 50, 50, 255];
  /** Pixels that are red. */
  const reds = (picture: { data: Uint8ClampedArray }) =>
    Array.from({ length: 200 }, (_, i) => i)
      .filter((i) => picture.data[4 * i] === 255)
      .map((i) => [i % 20, Math.floor(i / 20)]);

  it("rectangles, lines and dots, cut off at edges, on a copy", () => {
    const picture = drawDetections(grey, [{ box: [2, 2, 6, 5] }], { palette, thickness: 1 });
    const frame = reds(picture);
    for (let x = 2; x <= 6; x++) expect(frame).toContainEqual([x, 2]);
    for (let y = 2; y <= 5; y++) expect(frame).toContainEqual([6, y]);
    expect(frame.length).toBe(14);
    expect(at(picture, 4, 3)).toEqual(under);
    expect(grey.data.every((v) => v === 50)).toBe(true);
    expect(reds(drawDetections(grey, [{ line: [0, 0, 9, 9] }], { palette, thickness: 1 })).length).toBe(10);
    const far = drawDetections(grey, [{ line: [-1e12, 5, 1e12, 5] }], { palette, thickness: 2 });
    expect(reds(far).length).toBe(40);
    expect(reds(drawDetections(grey, [{ box: [-50, -50, 500, 500] }], { palette }))).toEqual([]);
    expect(reds(drawDetections(grey, [{ points: [[10.5, 5.5, 0.9]] }], { palette, thickness: 1 })).length).toBe(9);
    // A strip: lines of a 200th of its length, 5, would leave nothing of what is in the box.
    const strip = { data: new Uint8ClampedArray(40000).fill(50), width: 1000, height: 10 };
    const boxed = drawDetections(strip, [{ box: [0, 3, 999, 6] }], { palette });
    expect([3, 4].map((y) => [...boxed.data.subarray(4000 * y + 2000, 4000 * y + 2004)])).toEqual([
      [255, 0, 0, 255],
      [50, 50, 50, 50],
    ]);
    const triangle = drawDetections(
      grey,
      [
        {
          polygon: [
            [1, 1],
            [8, 1],
            [8, 8],
          ],
        },
      ],
      { palette, thickness: 1 },
    );
    expect(reds(triangle)).toContainEqual([8, 4]);
    expect(reds(triangle)).toContainEqual([4, 4]);
  });

  it("masks in bytes and floats, RGB and RGBA, classes by colour", () => {
    const mask = { data: Uint8Array.from({ length: 200 }, (_, i) => (i === 0 ? 255 : 0)), width: 20, height: 10 };
    expect(at(drawDetections(grey, [{ mask }], { palette }), 0, 0)).toEqual([152, 25, 25, 255]);
    const floats = { ...mask, data: Float32Array.from(mask.data, (v) => v / 255) };
    expect(at(drawDetections(grey, [{ mask: floats }], { palette, opacity: 1 }), 0, 0)).toEqual([255, 0, 0, 255]);
    const rgb = { data: new Uint8ClampedArray(600).map((_, i) => i % 3), width: 20, height: 10 };
    expect(at(drawDetections(rgb, []), 7, 7)).toEqual([0, 1, 2, 255]);
    const { data, ...info } = rgb;
    expect(at(drawDetections({ data, info: { channels: 3, ...info } }, []), 7, 7)).toEqual([0, 1, 2, 255]); // sharp's
    for (const none of [undefined, null, 7])
      expect(() => drawDetections(none as never, [])).toThrow(/^"image" expected { data, width, height }, got /);
    expect(() => drawDetections({ width: 2, height: 2 } as never, [])).toThrow(/^"data" expected 1, 3 or 4 bytes for /);
    const rgba = { data: new Uint8ClampedArray(800).map((_, i) => i % 4), width: 20, height: 10 };
    expect(at(drawDetections(rgba, []), 7, 7)).toEqual([0, 1, 2, 3]);
    const two = drawDetections(
      grey,
      [
        { points: [[1.5, 1.5]], index: 0 },
        { points: [[9.5, 5.5]], index: 1 },
      ],
      { thickness: 1 },
    );
    expect([at(two, 1, 1), at(two, 9, 5)]).toEqual([
      [255, 0, 0, 255],
      [0, 255, 0, 255],
    ]);
  });

  it("refuses what does not fit", () => {
    expect(() => drawDetections({ ...grey, channels: 3 }, [])).toThrow(ShapeError);
    expect(() => drawDetections({ ...grey, width: 0 }, [])).toThrow(RangeError);
    expect(() => drawDetections(grey, [{ box: [0, 0, Number.NaN, 1] }])).toThrow(RangeError);
    expect(() => drawDetections(grey, [{ mask: { data: [1], width: 1, height: 1 } }])).toThrow(ShapeError);
    expect(() => drawDetections(grey, {} as never)).toThrow(TypeError);
    expect(() => drawDetections(grey, [], { thickness: 0.5 })).toThrow(RangeError);
  });
});
