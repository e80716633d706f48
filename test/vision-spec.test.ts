// Specs of lanewise/vision: presets by their sources' numbers, roundings, views, Hugging Face's files, words, and what is refused.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createModel, createRuntime, Graph, type Runtime } from "../src/index.js";
import { PACK } from "../src/kernels/gen/vision/pack.js";
import {
  applyMask,
  createPreprocessor,
  fromPreprocessorConfig,
  mergeLuma,
  type Picture,
  type Point,
  type PreprocessOptions,
  type PreprocessSpec,
  preprocess,
  presets,
  resizeImage,
  toImage,
} from "../src/vision/index.js";
import { noise, visionBinary } from "./vision-pictures.js";

let rt: Runtime;
beforeAll(async () => {
  rt = await createRuntime();
});
afterAll(() => {
  expect(rt.report().bytesInUse).toBe(0);
  rt.dispose();
});

/** A picture of one colour, and the values of it in the middle of what a preset makes. */
function middle(spec: PreprocessSpec, size: [number, number], [width, height]: [number, number] = [64, 48]): number[] {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => [200, 100, 50][i % 3] as number);
  using x = preprocess(rt, { data, width, height }, { ...spec, size, memoryFormat: "channelsLast" });
  const at = ((size[0] >> 1) * size[1] + (size[1] >> 1)) * 3;
  return [...x.data.slice(at, at + 3)].map((v) => Number(Number(v).toPrecision(5)));
}
const five = (...values: number[]): number[] => values.map((v) => Number(v.toPrecision(5)));

describe("presets, by what their sources compute of a pixel (200, 100, 50)", () => {
  const torch = five((200 / 255 - 0.485) / 0.229, (100 / 255 - 0.456) / 0.224, (50 / 255 - 0.406) / 0.225);
  const paddle = five((50 / 255 - 0.485) / 0.229, (100 / 255 - 0.456) / 0.224, (200 / 255 - 0.406) / 0.225);
  const clip = five(
    (200 / 255 - 0.48145466) / 0.26862954,
    (100 / 255 - 0.4578275) / 0.26130258,
    (50 / 255 - 0.40821073) / 0.27577711,
  );
  const signed = five(200 / 127.5 - 1, 100 / 127.5 - 1, 50 / 127.5 - 1);
  const want: Readonly<Record<keyof typeof presets, readonly number[]>> = {
    imagenet: torch,
    imagenetBicubic: torch,
    clip,
    unit: five(200 / 255, 100 / 255, 50 / 255),
    signed,
    raw: [200, 100, 50],
    yolo: five(200 / 255, 100 / 255, 50 / 255),
    yolox: [50, 100, 200],
    nanodet: five((50 - 103.53) / 57.375, (100 - 116.28) / 57.12, (200 - 123.675) / 58.395),
    picodet: torch,
    ultraface: five((200 - 127) / 128, (100 - 127) / 128, (50 - 127) / 128),
    yunet: [50, 100, 200],
    blazeface: signed,
    ppocrDet: paddle,
    ppocrRec: five((50 / 255 - 0.5) / 0.5, (100 / 255 - 0.5) / 0.5, (200 / 255 - 0.5) / 0.5),
  };
  it.each(Object.keys(presets) as (keyof typeof presets)[])("%s", (name) => {
    middle(presets[name], [40, 48]).forEach((value, c) => {
      expect(value).toBeCloseTo((want[name] as number[])[c] as number, 4);
    });
    expect(JSON.parse(JSON.stringify(presets[name]))).toEqual(presets[name]);
  });

  it("have margins as their sources: 114, zeros, and zeros behind a line of text", () => {
    const corner = (spec: PreprocessSpec, size: [number, number]) => {
      using x = preprocess(rt, noise(40, 40, 3, 0), { ...spec, size });
      return x.data[size[1] - 1];
    };
    expect(corner(presets.yolo, [32, 64])).toBe(Math.fround(114 * Math.fround(1 / 255)));
    expect(corner(presets.yolox, [32, 64])).toBe(114);
    expect(corner(presets.yunet, [32, 64])).toBe(0);
    expect(corner(presets.blazeface, [32, 64])).toBe(-1);
    expect(Math.abs(Number(corner(presets.ppocrRec, [48, 320])))).toBeLessThan(1e-7);
  });
});

describe("sides and offsets", () => {
  const steps = (spec: Partial<PreprocessSpec>, size: [number, number], width: number, height: number) => {
    using pre = createPreprocessor(rt, { scale: 1, ...spec, size });
    return pre.explain({ width, height }).split(" -> ").slice(1, 3).join(", ");
  };
  it("torchvision: trunc of the longer side, offsets by round half to even", () => {
    const crop = { fit: "crop", resize: 256 } as const;
    expect(steps(crop, [224, 224], 1920, 1080)).toBe("455x256 bilinear antialiased, crop 224x224 at (116, 16)");
    expect(steps(crop, [224, 224], 333, 500)).toBe("256x384 bilinear antialiased, crop 224x224 at (16, 80)");
    // (453 - 224) / 2 = 114.5: 114
    expect(steps(crop, [224, 224], 1062, 600)).toBe("453x256 bilinear antialiased, crop 224x224 at (114, 16)");
    expect(steps({ fit: "crop" }, [64, 48], 200, 100)).toBe("128x64 bilinear antialiased, crop 48x64 at (40, 0)");
    expect(steps({ ...crop, align: "top-left" }, [224, 224], 300, 256)).toMatch(/at \(0, 0\)$/);
  });

  it("transformers: offsets are floored", () => {
    const crop = { fit: "crop", resize: 256, rounding: "transformers" } as const;
    expect(steps(crop, [224, 224], 1920, 1080)).toBe("455x256 bilinear antialiased, crop 224x224 at (115, 16)");
  });

  it("ultralytics: round half to even, and a margin that leans to the top left", () => {
    const { yolo } = presets;
    expect(steps(yolo, [640, 640], 1920, 1080)).toBe("640x360 bilinear, letterbox 640x640 at (0, 140), 114 around");
    // 427 * 640 / 640 = 427: margins of 106.5, 106 and 107
    expect(steps(yolo, [640, 640], 640, 427)).toBe("640x427 bilinear, letterbox 640x640 at (0, 106), 114 around");
    // 810x1080: r = 0.59259, 480
    expect(steps(yolo, [640, 640], 810, 1080)).toBe("480x640 bilinear, letterbox 640x640 at (80, 0), 114 around");
  });

  it("yolox: truncated, in the corner", () => {
    expect(steps(presets.yolox, [416, 416], 500, 333)).toBe(
      "416x277 bilinear, letterbox 416x416 at (0, 0), 114 around",
    );
  });

  it("paddleocr: all of the height, columns rounded up, at most what there is", () => {
    expect(steps(presets.ppocrRec, [48, 320], 100, 31)).toBe(
      "155x48 bilinear, letterbox 320x48 at (0, 0), 127.5 around",
    );
    expect(steps(presets.ppocrRec, [48, 320], 1000, 31)).toBe(
      "320x48 bilinear, letterbox 320x48 at (0, 0), 127.5 around",
    );
  });
});

describe("explain", () => {
  it("says every step", () => {
    const g = new Graph();
    g.output("y", g.relu(g.input("image", [1, 3, 224, 224])));
    using model = createModel(rt, g, {});
    const format = model.inputs[0]?.memoryFormat === "channelsLast" ? " channels-last" : "";
    using pre = createPreprocessor(rt, { ...presets.imagenet, model });
    expect(() => pre.explain()).toThrow('"size" expected { width, height } before the first run, got none');
    pre.run(noise(192, 108, 3, 0));
    expect(pre.explain()).toBe(
      `192x108 -> 455x256 bilinear antialiased -> crop 224x224 at (116, 16) -> RGB -> (x/255 - [0.485,0.456,0.406])/[0.229,0.224,0.225] -> [1,3,224,224]${format}`,
    );
    using other = createPreprocessor(rt, {
      ...{ size: 32, scale: 1, channels: "gray", dtype: "int8", mean: 128, filter: "area", orientation: 6 },
      ...{
        background: [1, 2, 3],
        region: { x: 1, y: 2, width: 30, height: 20, angle: 0.5 },
        memoryFormat: "channelsLast",
      },
    } as const);
    expect(other.explain({ width: 90, height: 80 })).toBe(
      "90x80 -> region 30x20 at (1, 2), turned by 0.5 -> orientation 6, 20x30 -> transparent pixels on [1,2,3] -> 32x32 bilinear -> grey -> x - 128 -> [1,1,32,32] channels-last int8",
    );
  });
});

describe("views", () => {
  const cases: Record<string, Partial<PreprocessSpec>> = {
    stretch: {},
    crop: { fit: "crop", resize: 80 },
    letterbox: { fit: "letterbox" },
    region: { region: { x: -10, y: 20, width: 50, height: 40 } },
    "turned region": { fit: "letterbox", region: { x: 30, y: 20, width: 50, height: 30, angle: 0.7 } },
    ...Object.fromEntries(
      [2, 3, 4, 5, 6, 7, 8].map((orientation) => [
        `orientation ${orientation}`,
        { orientation, fit: "crop", resize: 70, region: { x: 5, y: 6, width: 80, height: 60 } } as const,
      ]),
    ),
  };

  /** Red is the column, green the row, blue nothing: what a pixel shows says where it was. */
  const [width, height] = [100, 90];
  const map: Picture = {
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => {
      const pixel = Math.floor(i / 3);
      return i % 3 === 0 ? 2 * (pixel % width) : i % 3 === 1 ? 2 * Math.floor(pixel / width) : 0;
    }),
    width,
    height,
  };

  it.each(Object.entries(cases))("lead to the pixel that was shown, and back: %s", (_, spec) => {
    using pre = createPreprocessor(rt, { scale: 1, size: [60, 64], ...spec });
    const view = pre.run(map);
    const data = pre.tensor?.toArray() as Float32Array;
    let seen = 0;
    for (let y = 0; y < 60; y++)
      for (let x = 0; x < 64; x++) {
        const [u, v] = view.toImage([x + 0.5, y + 0.5]);
        const back = view.toModel([u, v]);
        expect(Math.hypot(back[0] - x - 0.5, back[1] - y - 0.5)).toBeLessThan(1e-9);
        if (u < 4 || v < 4 || u > width - 4 || v > height - 4) continue;
        const [red, green] = [data[y * 64 + x] as number, data[3840 + y * 64 + x] as number];
        if (red === 0 && green === 0) continue; // a margin
        seen++;
        // The middle of pixel i is i + 0.5; a level is half a pixel.
        expect(Math.abs(red / 2 + 0.5 - u)).toBeLessThan(1.1);
        expect(Math.abs(green / 2 + 0.5 - v)).toBeLessThan(1.1);
      }
    expect(seen).toBeGreaterThan(500);
  });

  it("map boxes: of a turned region the box around", () => {
    using pre = createPreprocessor(rt, { scale: 1, size: 20 });
    const region = { x: 40, y: 30, width: 20, height: 20, angle: Math.PI / 4 };
    const box = pre.run(map, { region }).boxToImage([0, 0, 20, 20]);
    const reach = 10 * Math.SQRT2;
    [50 - reach, 40 - reach, 50 + reach, 40 + reach].forEach((want, i) => {
      expect(box[i]).toBeCloseTo(want, 9);
    });
    const plain = pre.run(map, { region: { x: -20, y: 10, width: 40, height: 40 } });
    expect(plain.boxToImage([10, 0, 20, 10])).toEqual([0, 10, 20, 30]);
    const ends: Point[] = [plain.toModel([0, 10]), plain.toModel([20, 50])];
    expect(ends).toEqual([
      [10, 0],
      [20, 20],
    ]);
  });

  it("a region over the edge has fill there", () => {
    using x = preprocess(rt, map, { scale: 1, fill: 9, size: 20, region: { x: -10, y: -10, width: 20, height: 20 } });
    const data = x.toArray();
    expect([data[0], data[199], data[9], data[10 * 20 + 10], data[10 * 20 + 11]]).toEqual([9, 9, 9, 0, 2]);
    using turned = preprocess(rt, map, {
      ...{ scale: 1, fill: 9, size: 20, region: { x: -30, y: -30, width: 40, height: 40, angle: 0.1 } },
    });
    expect(turned.toArray()[0]).toBe(9);
  });
});

describe("fromPreprocessorConfig", () => {
  const std = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };
  const rest = { do_resize: true, do_normalize: true, do_rescale: true, rescale_factor: 1 / 255, ...std };
  const common = { rounding: "transformers", scale: 1 / 255, mean: std.image_mean, std: std.image_std };

  it("reads size in its three forms", () => {
    const vit = { ...rest, image_processor_type: "ViTImageProcessor", resample: 2, size: { height: 224, width: 192 } };
    expect(fromPreprocessorConfig(vit)).toEqual({ ...common, filter: "bilinear", size: [224, 192] });
    const crop = { ...rest, do_center_crop: true, crop_size: { height: 224, width: 224 }, resample: 3 };
    const cropped = { ...common, filter: "bicubic", size: [224, 224], fit: "crop" };
    expect(fromPreprocessorConfig({ ...crop, size: { shortest_edge: 256 } })).toEqual({ ...cropped, resize: 256 });
    expect(fromPreprocessorConfig({ ...crop, size: { height: 256, width: 256 } })).toEqual({
      ...cropped,
      resize: [256, 256],
    });
    expect(
      fromPreprocessorConfig({ ...crop, size: 224, crop_size: 224, feature_extractor_type: "CLIPFeatureExtractor" }),
    ).toEqual({ ...cropped, resize: 224 });
    const deit = { ...crop, size: 256, crop_size: 224, feature_extractor_type: "DeiTFeatureExtractor" };
    expect(fromPreprocessorConfig(deit)).toEqual({ ...cropped, resize: [256, 256] });
    expect(fromPreprocessorConfig({ ...rest, size: 224 })).toEqual({ ...common, filter: "bilinear", size: [224, 224] });
  });

  it("reads crop_pct, resample 0 to 5, and what is not done", () => {
    const convnext = { ...rest, image_processor_type: "ConvNextImageProcessor", resample: 3, crop_pct: 0.875 };
    expect(fromPreprocessorConfig({ ...convnext, size: { shortest_edge: 224 } })).toEqual({
      ...common,
      ...{ filter: "bicubic", size: [224, 224], fit: "crop", resize: 256 },
    });
    expect(fromPreprocessorConfig({ ...convnext, size: { shortest_edge: 384 } })).toEqual({
      ...common,
      ...{ filter: "bicubic", size: [384, 384] },
    });
    const filters = [0, 1, 2, 3, 4, 5].map((resample) => fromPreprocessorConfig({ size: 8, resample }).filter);
    expect(filters).toEqual(["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]);
    const bare = { size: 8, do_normalize: false, do_rescale: false, do_pad: true, do_center_crop: false };
    expect(fromPreprocessorConfig(bare)).toEqual({
      filter: "bilinear",
      rounding: "transformers",
      size: [8, 8],
      scale: 1,
    });
  });

  it("gives what preprocess takes, with transformers' offsets", () => {
    const spec = fromPreprocessorConfig({
      ...rest,
      do_center_crop: true,
      crop_size: 224,
      size: { shortest_edge: 256 },
    });
    using pre = createPreprocessor(rt, spec);
    expect(pre.explain({ width: 1920, height: 1080 })).toMatch(/crop 224x224 at \(115, 16\)/);
  });

  it("refuses by name what it would ignore", () => {
    const refused = (config: object) => () => fromPreprocessorConfig(config as Record<string, unknown>);
    expect(refused({ size: 8, do_reduce_labels: true })).toThrow(
      /^"json" expected keys among .*, got "do_reduce_labels"$/,
    );
    expect(refused({ size: { shortest_edge: 800, longest_edge: 1333 } })).toThrow(/got "longest_edge"$/);
    expect(refused({ size: { shortest_edge: 224 }, image_processor_type: "CLIPImageProcessor" })).not.toThrow(
      TypeError,
    );
    expect(refused({ size: { shortest_edge: 224 } })).toThrow(
      /got a shorter side of 224, whose result has no fixed size$/,
    );
    expect(refused({ size: 8, resample: 9 })).toThrow('"resample" expected 0 to 5, got 9');
    expect(refused({ size: 8, do_resize: false })).toThrow(/"do_resize" expected true/);
    expect(refused({ do_resize: true })).toThrow(/"size.height" expected integer >= 1, got undefined/);
    expect(refused([])).toThrow(/"json" expected the object/);
  });
});

describe("the binary", () => {
  it("may be given, compiled or as bytes, to a runtime of either variant", async () => {
    const bytes = visionBinary("vision");
    for (const variant of ["simd", "relaxed"] as const)
      for (const wasm of [bytes, bytes.buffer, new WebAssembly.Module(bytes)]) {
        using other = await createRuntime({ variant });
        using x = preprocess(other, noise(4, 4, 3, 0), { scale: 1, size: 2, wasm });
        expect(x.size).toBe(12);
      }
  });

  it("of another version, or none, is refused in a sentence; then the own one does", async () => {
    using other = await createRuntime();
    const make = (wasm: unknown) => () => resizeImage(other, noise(4, 4, 3, 0), 2, { wasm } as never);
    expect(make(new Uint8Array(8))).toThrow(/^"wasm" expected a binary this engine compiles, got /);
    expect(make("vision.wasm")).toThrow('"wasm" expected a WebAssembly.Module or bytes, got "vision.wasm"');
    const empty = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0]);
    expect(make(empty)).toThrow(
      `"wasm" expected the vision kernels of this version (ABI ${PACK.abi}), got ABI undefined`,
    );
    expect(other.report().bytesInUse).toBe(0);
    expect(make(undefined)().width).toBe(2);
  });
});

describe("what is refused", () => {
  const image = noise(8, 6, 3, 0);
  const good = { scale: 1, size: 4 };
  const of = (options: object) => () => preprocess(rt, image, { ...good, ...options } as PreprocessOptions).dispose();
  const picture = (change: object) => () => preprocess(rt, { ...image, ...change } as Picture, good).dispose();

  it("of specs", () => {
    expect(of({ size: undefined })).toThrow('"size" expected a number or [height, width], got none');
    expect(of({ size: 2.5 })).toThrow('"size" expected integer >= 1, got 2.5');
    expect(of({ size: [4, 0] })).toThrow('"size[1]" expected integer >= 1, got 0');
    expect(of({ size: 2 ** 31 })).toThrow(/"size" expected integer from 1 to 1048576/);
    expect(of({ scale: Number.NaN })).toThrow('"scale" expected a finite number, got NaN');
    expect(of({ scale: undefined })).toThrow(/"scale" expected a number, .* \(no such preset\?\)$/);
    expect(of({ ...(presets as unknown as Record<string, object>)["imagnet"], scale: undefined })).toThrow(
      /"scale" expected/,
    );
    expect(of({ std: 0 })).toThrow('"std" expected no 0, got 0');
    expect(of({ std: [1, 0, 1] })).toThrow('"std" expected no 0, got [1, 0, 1]');
    expect(of({ mean: [1, 2] })).toThrow('"mean" expected a number or one for each of 3 channels, got [1, 2]');
    expect(of({ mean: ["a", 1, 2] })).toThrow('"mean[0]" expected a finite number, got "a"');
    expect(of({ filter: "cubic" })).toThrow(/"filter" expected one of bilinear, .*, got "cubic"/);
    expect(of({ fit: "cover" })).toThrow(/"fit" expected one of/);
    expect(of({ resize: 8 })).toThrow('"resize" expected fit "crop", got "stretch"');
    expect(of({ fit: "crop", resize: 3 })).toThrow('"resize" expected at least the size of the crop, 4 x 4, got 4 x 3');
    expect(of({ rounding: "opencv" })).toThrow(/"rounding" expected one of torchvision, transformers, /);
    expect(of({ channels: "hsv" })).toThrow(/"channels" expected one of/);
    expect(of({ align: "left" })).toThrow(/"align" expected one of/);
    expect(of({ fill: "black" })).toThrow('"fill" expected a finite number, got "black"');
    expect(of({ antialias: 1 })).toThrow('"antialias" expected true or false, got 1');
    expect(of({ filter: "lanczos", antialias: false })).toThrow(/"antialias" expected true for the filter lanczos/);
    expect(of({ background: [1, 2] })).toThrow('"background" expected [red, green, blue], got [1, 2]');
    expect(of({ background: [1, 2, 256] })).toThrow('"background[2]" expected integer from 0 to 255, got 256');
    expect(of({ orientation: 9 })).toThrow('"orientation" expected integer from 1 to 8, got 9');
    expect(of({ region: { x: 0, y: 0, width: 0, height: 2 } })).toThrow('"region" expected an area, got 0 x 2');
    expect(of({ region: { x: 8, y: 0, width: 3, height: 2 } })).toThrow(
      '"region" expected a part of the picture\'s 8 x 6 pixels, got 3 x 2 at (8, 0)',
    );
    expect(of({ region: { x: 0, y: Number.NaN, width: 3, height: 2 } })).toThrow(/"region.y" expected a finite number/);
    expect(of({ dtype: "float64" })).toThrow(/"dtype" expected one of float32, uint8, int8/);
    expect(of({ memoryFormat: "nhwc" })).toThrow(/"memoryFormat" expected one of/);
    expect(of({ means: 1 })).toThrow(/"preprocess options" expected options among .*, got "means"/);
  });

  it("of pictures", () => {
    expect(picture({ width: 7 })).toThrow('"image.data" expected 7 x 6 pixels of 3 bytes, got 144 bytes');
    expect(picture({ channels: undefined, width: 7 })).toThrow(
      /expected 7 x 6 pixels of 1, 3 or 4 bytes, got 144 bytes/,
    );
    expect(picture({ channels: 2, width: 12 })).toThrow('"image.channels" expected 1, 3 or 4, got 2');
    expect(picture({ width: 0 })).toThrow('"image.width" expected integer from 1 to 1048576, got 0');
    expect(picture({ height: 6.5 })).toThrow('"image.height" expected integer from 1 to 1048576, got 6.5');
    expect(picture({ width: 2 ** 16, height: 2 ** 15 })).toThrow(
      /"image" expected at most 536870912 pixels, got 65536 x 32768/,
    );
    expect(picture({ data: new Uint16Array(144) })).toThrow(
      /"image.data" expected a Uint8Array or a Uint8ClampedArray, got Uint16Array/,
    );
    expect(picture({ data: new Uint8Array(new SharedArrayBuffer(144)) })).not.toThrow(); // a tensor's, with threads
    expect(picture({ palette: [] })).toThrow('"image" expected colours, got indices into a palette');
    const data = new Uint8Array(144);
    structuredClone(data, { transfer: [data.buffer] });
    expect(picture({ data })).toThrow('"image.data" expected 8 x 6 pixels of 3 bytes, got a detached buffer');
    expect(() => preprocess(rt, null as never, good)).toThrow('"image" expected { data, width, height }, got null');
    expect(() => preprocess({} as never, image, good)).toThrow('"runtime" expected a runtime, got an object');
  });

  it("of models", () => {
    const model = (shape: number[], more = false) => {
      const g = new Graph();
      g.output("y", g.relu(g.input("x", shape)));
      if (more) g.output("z", g.relu(g.input("w", [1, 3, 4, 4])));
      return createModel(rt, g, {});
    };
    const make = (options: object) => () => createPreprocessor(rt, { scale: 1, ...options } as never).dispose();
    using flat = model([1, 1960]);
    expect(make({ model: flat })).toThrow(
      '"x" expected an image, [1, C, H, W] or [1, H, W, C] with 1, 3 or 4 channels, got [1, 1960]',
    );
    using seven = model([1, 7, 8, 8]);
    expect(make({ model: seven })).toThrow(/"x" expected an image, .*, got \[1, 7, 8, 8\]/);
    using batch = model([2, 3, 8, 8]);
    expect(make({ model: batch })).toThrow(/"x" expected an image/);
    using colours = model([1, 3, 8, 8], true);
    expect(make({ model: colours })).toThrow('"input" expected one of x, w, got none');
    expect(make({ model: colours, input: "v" })).toThrow('"input" expected one of x, w, got "v"');
    expect(make({ model: colours, input: "x", channels: "gray" })).toThrow(
      '"channels" expected what the input "x" has, 3, got gray',
    );
    expect(make({ model: colours, input: "x", size: 9 })).toThrow('"size" expected the model\'s, [8, 8], got [9, 9]');
    expect(make({ model: colours, input: "x", dtype: "uint8" })).toThrow(
      '"dtype" expected the model\'s, float32, got "uint8"',
    );
    expect(make({ model: 7 })).toThrow('"model" expected a model, got 7');
    const open = {
      inputs: [{ name: "x", shape: ["n", 3, "h", null], dtype: "float32" }],
      input: () => new Float32Array(),
    };
    expect(make({ model: open })).toThrow(/"size" expected sizes, since the input "x" leaves them open, /);
    using pre = createPreprocessor(rt, { scale: 1, size: [4, 6], model: open } as never);
    expect(pre.tensor?.shape).toEqual([1, 3, 4, 6]); // for model.run({ x: pre.tensor })
  });

  it("leaves nothing allocated, and a preprocessor that runs again", () => {
    const before = rt.report().bytesInUse;
    using pre = createPreprocessor(rt, good);
    const view = pre.run(image);
    const after = rt.report().bytesInUse;
    expect(() => pre.run({ ...image, width: 7 })).toThrow(RangeError);
    expect(() => pre.run(image, { region: { x: 50, y: 0, width: 3, height: 3 } })).toThrow(RangeError);
    expect(() => pre.run(image, { orientation: 0 })).toThrow(RangeError);
    expect(() => pre.run(image, { size: 3 } as never)).toThrow(TypeError);
    expect(rt.report().bytesInUse).toBe(after);
    expect(pre.run(image)).toBe(view);
    pre.dispose();
    expect(rt.report().bytesInUse).toBe(before);
  });

  it("says where memory ends, and goes on", async () => {
    using small = await createRuntime({ maxBytes: 2 ** 19 });
    using pre = createPreprocessor(small, good);
    const big = { data: new Uint8Array(3000 * 1000 * 3), width: 3000, height: 1000 };
    expect(() => pre.run(big)).toThrow(/^"maxBytes" expected room for/);
    expect(pre.run(image).width).toBe(8);
    expect(() => preprocess(small, big, good)).toThrow(/^"maxBytes" expected room for/);
    pre.dispose();
    expect(small.report().bytesInUse).toBe(0);
  });

  it("on the way back", async () => {
    using x = rt.zeros([1, 3, 4, 4]);
    using other = await createRuntime();
    using foreign = other.zeros([1, 3, 4, 4]);
    using deep = rt.zeros([1, 7, 4, 5]);
    using pre = createPreprocessor(rt, good);
    const view = pre.run(image);
    expect(() => toImage(rt, foreign, { scale: 1 })).toThrow(
      '"tensor" expected a tensor of this runtime, got another runtime\'s',
    );
    expect(() => toImage(rt, deep, { scale: 1 })).toThrow(/"tensor" expected \[1, C, H, W\] or .*, got \[1, 7, 4, 5\]/);
    expect(() => toImage(rt, x, { scale: 1, channels: "gray" })).toThrow(
      '"channels" expected what the tensor has, 3, got gray',
    );
    expect(() => toImage(rt, x, { scale: 0 })).toThrow('"scale" expected no 0, got 0');
    expect(() => resizeImage(rt, image, 0)).toThrow('"size" expected integer >= 1, got 0');
    expect(() => mergeLuma(rt, image, x)).toThrow('"luma" expected one channel, got 3');
    expect(() => applyMask(rt, image, x, view)).toThrow('"mask" expected one channel, got 3');
    expect(() => applyMask(rt, noise(9, 6, 3, 0), x, view)).toThrow(
      '"image" expected the 8 x 6 pixels of the view, got 9 x 6',
    );
    expect(() => applyMask(rt, image, x, {} as never)).toThrow('"view" expected the view of a run, got an object');
  });
});
