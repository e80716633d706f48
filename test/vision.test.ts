// lanewise/vision: photos to tensors and back, against Pillow's and OpenCV's numbers and those of plain loops.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createModel, createRuntime, Graph, type Runtime, type Tensor } from "../src/index.js";
import {
  applyMask,
  createPreprocessor,
  mergeLuma,
  type PreprocessOptions,
  preprocess,
  resizeImage,
  toImage,
} from "../src/vision/index.js";
import { lumaMerged, yCbCrOf } from "../src/vision/picture/ycbcr.js";
import { channelsOf, digest, noise, type Picture } from "./vision-pictures.js";
import { resizeReference } from "./vision-reference.js";

const { conversions } = JSON.parse(readFileSync(new URL("pillow/digests.json", import.meta.url), "utf8"));
let rt: Runtime;
beforeAll(async () => {
  rt = await createRuntime();
});
afterAll(() => {
  expect(rt.report().bytesInUse).toBe(0);
  rt.dispose();
});

/** The bytes of what preprocess() makes, in memory order. */
function bytes(image: Picture, options: Omit<PreprocessOptions, "scale">): Uint8Array {
  using x = preprocess(rt, image, { dtype: "uint8", memoryFormat: "channelsLast", scale: 1, ...options });
  return (x.data as Uint8Array).slice();
}

const ramp = Uint8Array.from({ length: 3 * 65536 }, (_, k) => {
  const i = Math.floor(k / 3);
  return k % 3 === 0 ? i >> 8 : k % 3 === 1 ? i & 255 : (i * 7 + (i >> 9)) & 255;
});
const colours: Picture = { data: ramp, width: 256, height: 256, channels: 3 };

describe("what Pillow does", () => {
  it("to grey: convert('L')", () => {
    expect(digest(bytes(colours, { size: 256, channels: "gray" }))).toBe(conversions.L);
  });

  it("to YCbCr and back", () => {
    expect(digest(yCbCrOf(colours).data as Uint8Array)).toBe(conversions.YCbCr);
    const rgba = resizeImage(rt, colours, 256);
    const luma = ramp.filter((_, i) => i % 3 === 0);
    expect(digest(channelsOf(new Uint8Array(lumaMerged(luma, rgba).data), 3))).toBe(conversions["RGB of YCbCr"]);
  });

  it("paste(mask=alpha), where there is a background", () => {
    const image = noise(61, 47, 4, 5);
    expect(digest(bytes(image, { size: [47, 61], background: [250, 128, 3] }))).toBe(conversions.pasted);
  });

  it("resize(NEAREST)", () => {
    const sides = [
      ...[[1, 7], [7, 1], [10, 3], [3, 10], [97, 61]],
      ...[[61, 97], [500, 224], [224, 500], [333, 110], [1000, 999]],
    ] as [number, number][]; // biome-ignore format: one line each five
    const got = sides.map(([a, b], k) => digest(bytes(noise(a, b, 3, k), { size: [a, b], filter: "nearest" })));
    expect(got).toEqual(conversions.nearest);
  });

  it("exif_transpose, then resize", () => {
    const got = [1, 2, 3, 4, 5, 6, 7, 8].map((orientation) =>
      digest(bytes(noise(53, 37, 3, 0), { size: [15, 20], filter: "bicubic", orientation })),
    );
    expect(got).toEqual(conversions.orientations);
  });

  it("drops alpha without a background, and keeps RGBA times alpha", () => {
    const image = noise(40, 30, 4, 1);
    const rgb = { data: new Uint8Array(40 * 30 * 3), width: 40, height: 30, channels: 3 };
    rgb.data.forEach((_, i) => {
      rgb.data[i] = image.data[4 * Math.floor(i / 3) + (i % 3)] as number;
    });
    expect(Buffer.compare(bytes(image, { size: [11, 13] }), bytes(rgb, { size: [11, 13] }))).toBe(0);
    // As it is, where nothing is resized.
    expect(Buffer.compare(bytes(image, { size: [30, 40], channels: "rgba" }), image.data)).toBe(0);
    const small = resizeImage(rt, image, [9, 17]);
    expect(Buffer.compare(bytes(image, { size: [9, 17], channels: "rgba" }), new Uint8Array(small.data))).toBe(0);
  });

  it("resizeImage: RGBA of pictures of 1, 3 and 4 channels", () => {
    for (const channels of [1, 3, 4]) {
      const image = noise(33, 21, channels, 4);
      const { data, width, height } = resizeImage(rt, image, [12, 50], { filter: "lanczos" });
      expect([width, height]).toEqual([50, 12]);
      if (channels === 4) continue;
      const want = resizeReference(image.data, [33, 21], channels, [50, 12], "lanczos");
      expect(Buffer.compare(channelsOf(new Uint8Array(data), channels), want)).toBe(0);
      expect(data.every((byte, i) => i % 4 !== 3 || byte === 255)).toBe(true);
    }
  });
});

describe("values", () => {
  const image = noise(90, 70, 3, 1);
  const mean = [0.485, 0.456, 0.406];
  const std = [0.229, 0.224, 0.225];

  it("are (x * scale - mean) / std, as factor and addend in float32, in both formats", () => {
    const plain = resizeReference(image.data, [90, 70], 3, [31, 29], "bilinear");
    for (const memoryFormat of ["contiguous", "channelsLast"] as const)
      for (const channels of ["rgb", "bgr"] as const) {
        using x = preprocess(rt, image, { size: [29, 31], scale: 1 / 255, mean, std, memoryFormat, channels });
        expect(x.spec).toEqual({ shape: [1, 3, 29, 31], dtype: "float32", memoryFormat });
        const got = x.toArray() as Float32Array;
        let worst = 0;
        for (let c = 0; c < 3; c++)
          for (let i = 0; i < 29 * 31; i++) {
            const byte = plain[3 * i + (channels === "bgr" ? 2 - c : c)] as number;
            const [factor, addend] = [1 / 255 / (std[c] as number), -(mean[c] as number) / (std[c] as number)];
            const folded = Math.fround(Math.fround(byte * Math.fround(factor)) + Math.fround(addend));
            expect(got[c * 29 * 31 + i]).toBe(folded);
            worst = Math.max(worst, Math.abs(folded - (byte / 255 - (mean[c] as number)) / (std[c] as number)));
          }
        expect(worst).toBeLessThan(4 * 2 ** -23 * 2.7); // factor, addend, product and sum, each rounded once
      }
  });

  it("are rounded, halves to even, and saturated in uint8 and int8", () => {
    const grey = { data: Uint8Array.from({ length: 256 }, (_, i) => i), width: 256, height: 1, channels: 1 };
    const of = (dtype: "uint8" | "int8", scale: number, mean: number) => {
      using x = preprocess(rt, grey, { size: [1, 256], channels: "gray", dtype, scale, mean });
      return [...(x.data as Uint8Array)];
    };
    const even = (v: number) => (v % 1 === 0.5 || v % 1 === -0.5 ? 2 * Math.round(v / 2) : Math.round(v));
    const want = (low: number, high: number, scale: number, mean: number) =>
      Array.from(grey.data, (x) => Math.min(high, Math.max(low, even(x * scale - mean) + 0)));
    expect(of("uint8", 1, 0)).toEqual([...grey.data]);
    expect(of("uint8", 0.5, -140)).toEqual(want(0, 255, 0.5, -140));
    expect(of("int8", 1, 128)).toEqual(want(-128, 127, 1, 128));
    expect(of("int8", 1.5, 192)).toEqual(want(-128, 127, 1.5, 192));
  });

  it("have the same bits at widths that end anywhere, in every layout", () => {
    for (const width of [1, 2, 3, 4, 5, 7, 8, 9])
      for (const channels of ["gray", "rgb", "bgr", "rgba"] as const)
        for (const dtype of ["float32", "uint8", "int8"] as const) {
          const options = { size: [3, width], channels, dtype, scale: 0.5, mean: 3 } as const;
          using planar = preprocess(rt, image, options);
          using mixed = preprocess(rt, image, { ...options, memoryFormat: "channelsLast" });
          expect([...planar.toArray()].join()).toBe([...mixed.toArray()].join());
        }
  });

  it("of margins are fill, in the model's numbers", () => {
    for (const memoryFormat of ["contiguous", "channelsLast"] as const)
      for (const dtype of ["float32", "uint8", "int8"] as const) {
        const options = { size: [20, 30], fit: "letterbox", fill: 114, scale: 0.5, mean: [1, 2, 3] } as const;
        using x = preprocess(rt, noise(10, 20, 3, 1), { ...options, dtype, memoryFormat });
        const got = x.toArray() as Float32Array;
        for (let c = 0; c < 3; c++)
          for (let i = 0; i < 600; i++) if (i % 30 < 10 || i % 30 >= 20) expect(got[c * 600 + i]).toBe(57 - (c + 1));
      }
  });
});

describe("a preprocessor", () => {
  const graph = (shape: number[]) => {
    const g = new Graph();
    g.output("y", g.add(g.input("image", shape), g.input("other", [1, 1, 1, 1])));
    return g;
  };

  it("writes where the model reads, and answers where the photo lies", () => {
    using model = createModel(rt, graph([1, 3, 24, 32]), {});
    const image = noise(64, 40, 4, 0);
    using pre = createPreprocessor(rt, { scale: 1 / 255, fit: "letterbox", model, input: "image" });
    expect(pre.tensor).toBe(undefined);
    const view = pre.run(image);
    const format = model.inputs[0]?.memoryFormat ?? "contiguous";
    using want = preprocess(rt, image, { scale: 1 / 255, fit: "letterbox", size: [24, 32], memoryFormat: format });
    expect(
      Buffer.compare(
        Buffer.from((model.input("image") as Float32Array).slice().buffer),
        Buffer.from((want.data as Float32Array).slice().buffer),
      ),
    ).toBe(0);
    expect(view.boxToImage([0, 2, 32, 22])).toEqual([0, 0, 64, 40]);
    expect([view.width, view.height, view.modelWidth, view.modelHeight]).toEqual([64, 40, 32, 24]);
    expect(pre.run(image)).toBe(view);
    model.dispose();
    expect(() => pre.run(image)).toThrow('"model" expected a live model, got a disposed one');
  });

  it("takes memory when a size is new, none else, and gives it back", () => {
    const before = rt.report().bytesInUse;
    const pre = createPreprocessor(rt, { scale: 1, size: 16 });
    const own = rt.report().bytesInUse;
    pre.run(noise(40, 30, 3, 0));
    const first = rt.report().bytesInUse;
    expect(first).toBeGreaterThan(own);
    for (let i = 0; i < 5; i++) pre.run(noise(40, 30, 3, i));
    expect(rt.report().bytesInUse).toBe(first);
    pre.run(noise(80, 30, 3, 0));
    pre.run(noise(40, 30, 3, 0));
    expect(rt.report().bytesInUse).toBe(first);
    pre.dispose();
    pre.dispose();
    expect(rt.report().bytesInUse).toBe(before);
    expect(() => pre.run(noise(4, 3, 3, 0))).toThrow("got a disposed one");
  });

  it("keeps a frame of 1920x1080 in 1.5 MB, 12 megapixels in 5 MB", () => {
    for (const [width, height, most] of [
      [1920, 1080, 1.5e6],
      [4000, 3000, 5e6],
    ] as const)
      for (const fit of ["crop", "letterbox", "stretch"] as const) {
        using pre = createPreprocessor(rt, { scale: 1 / 255, size: 224, fit });
        const before = rt.report().bytesInUse;
        pre.run({ data: new Uint8Array(width * height * 4), width, height });
        expect(rt.report().bytesInUse - before).toBeLessThan(most);
      }
    // Rows that no band can be smaller than.
    using pre = createPreprocessor(rt, { scale: 1 / 255, size: 2 });
    const image = noise(2000, 1500, 3, 0);
    pre.run(image);
    const want = resizeReference(image.data, [2000, 1500], 3, [2, 2], "bilinear");
    const got = (pre.tensor as Tensor).toArray() as Float32Array;
    for (let i = 0; i < 12; i++) expect(got[(i % 3) * 4 + Math.floor(i / 3)]).toBeCloseTo((want[i] as number) / 255, 6);
  });

  it("takes what decoders give: sharp's info, a clamped array, bytes in the middle of a buffer", () => {
    const image = noise(20, 10, 3, 2);
    const want = bytes(image, { size: 8 });
    const inside = new Uint8Array(700);
    inside.set(image.data, 41);
    const same = [
      { data: image.data, info: { width: 20, height: 10, channels: 3 } },
      { data: new Uint8ClampedArray(image.data), width: 20, height: 10 },
      { data: Buffer.from(image.data), width: 20, height: 10, depth: 8, channels: 3 },
      { data: inside.subarray(41, 641), width: 20, height: 10 },
    ];
    for (const picture of same) expect(Buffer.compare(bytes(picture as Picture, { size: 8 }), want)).toBe(0);
  });
});

describe("OpenCV, within a level", () => {
  const cv = JSON.parse(readFileSync(new URL("pillow/opencv.json", import.meta.url), "utf8")) as {
    readonly cases: readonly [number, number, number, number, number, Readonly<Record<string, string>>][];
  };
  const ways = {
    linear: { filter: "bilinear", antialias: false },
    area: { filter: "area" },
    cubic: { filter: "bicubic", antialias: false },
  } as const;
  it.each(Object.entries(ways))("INTER_%s", (name, options) => {
    for (const [width, height, toWidth, toHeight, channels, by] of cv.cases) {
      // Between passes there are bytes, as in Pillow; OpenCV keeps what a cubic overshoots.
      if (name === "cubic" && width !== toWidth && height !== toHeight) continue;
      const want = Buffer.from(by[name] as string, "base64");
      const got = bytes(noise(width, height, channels, 0), {
        size: [toHeight, toWidth],
        channels: channels === 1 ? "gray" : "rgb",
        ...options,
      });
      const worst = got.reduce((most, byte, i) => Math.max(most, Math.abs(byte - (want[i] as number))), 0);
      expect(worst, `${[width, height, toWidth, toHeight]}`).toBeLessThanOrEqual(1);
    }
  });
});

describe("back", () => {
  it("toImage turns values of a preset to the bytes they were, from every layout", () => {
    const image = noise(13, 9, 3, 1);
    for (const memoryFormat of ["contiguous", "channelsLast"] as const)
      for (const channels of ["rgb", "bgr"] as const) {
        const spec = { scale: 1 / 255, mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.1], channels };
        using x = preprocess(rt, image, { ...spec, size: [9, 13], memoryFormat });
        const { data, width, height } = toImage(rt, x, spec);
        expect([width, height]).toEqual([13, 9]);
        expect(Buffer.compare(channelsOf(new Uint8Array(data), 3), image.data)).toBe(0);
      }
    using grey = rt.tensor([0, 0.5, 1, 2, Number.NaN, -1], [1, 2, 3, 1]);
    expect([...toImage(rt, grey, { scale: 1 / 255 }).data].filter((_, i) => i % 4 === 1)).toEqual([
      0, 128, 255, 255, 0, 0,
    ]);
  });

  it("mergeLuma has Pillow's bicubic chroma", () => {
    // One colour keeps its chroma at every size.
    const image = {
      data: Uint8Array.from({ length: 3 * 64 }, (_, i) => [200, 100, 120][i % 3] as number),
      width: 8,
      height: 8,
    };
    using luma = rt.tensor(new Float32Array(24 * 16).fill(0.5), [1, 1, 16, 24]);
    const { data, width, height } = mergeLuma(rt, image, luma);
    expect([width, height]).toEqual([24, 16]);
    expect([...data.slice(0, 4)]).toEqual(conversions.merged);
    expect(new Set(data).size).toBe(4);
  });

  it("applyMask reaches the photo through the view, by tables and by a map", () => {
    const image = noise(60, 40, 3, 0);
    // The left half of what the model saw is in the mask.
    using mask = rt.tensor(
      Float32Array.from({ length: 256 }, (_, i) => (i % 16 < 8 ? 1 : 0)),
      [1, 1, 16, 16],
    );
    const of = (options: object) => {
      using pre = createPreprocessor(rt, { scale: 1, size: 32, ...options });
      const view = pre.run(image);
      const { data } = applyMask(rt, image, mask, view);
      expect(Buffer.compare(channelsOf(new Uint8Array(data), 3), image.data)).toBe(0);
      return (x: number, y: number) => data[4 * (y * 60 + x) + 3];
    };
    const stretched = of({});
    expect([stretched(10, 20), stretched(50, 20)]).toEqual([255, 0]);
    const boxed = of({ fit: "letterbox" });
    expect([boxed(10, 2), boxed(50, 38)]).toEqual([255, 0]);
    const cropped = of({ fit: "crop" });
    expect([cropped(5, 20), cropped(15, 20), cropped(45, 20), cropped(55, 20)]).toEqual([0, 255, 0, 0]);
    const upright = of({ orientation: 3 });
    expect([upright(10, 20), upright(50, 20)]).toEqual([0, 255]);
    const turned = of({ region: { x: 10, y: 0, width: 40, height: 40, angle: Math.PI / 2 } });
    expect([turned(30, 8), turned(30, 32), turned(5, 20)]).toEqual([255, 0, 0]);
  });
});
