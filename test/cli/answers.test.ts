// What the command line answers: networks whose answers are worked out by hand, on pictures made here.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { npyOf, readNpy, readNumpy } from "../../src/cli/arrays/npy.js";
import { readPicture } from "../../src/cli/picture/read.js";
import { pngOf } from "../../src/cli/picture/write.js";
import { onnxFile } from "../onnx-file.js";
import { CMYK, jpegOf, PROGRESSIVE, PROGRESSIVE_SHA256, plainPng, pngFile, turned } from "./pictures.js";
import { BOXES, file, floatsNpy, folder, lanewise, MASK, MEANS, npy, PIXELS, SUM } from "./tool.js";

const here = folder();
afterAll(() => here.remove());

const sha256 = (data: Uint8Array | Uint8ClampedArray) => createHash("sha256").update(data).digest("hex");
const rgbOf = ({ data, width, height }: { data: Uint8Array | Uint8ClampedArray; width: number; height: number }) => {
  const rgb = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) rgb.set(data.subarray(4 * i, 4 * i + 3), 3 * i);
  return rgb;
};

describe("pictures", () => {
  const photo = (name: string) => readFileSync(new URL(`../../examples/photos/${name}`, import.meta.url));

  it.each([
    // Pillow 9.4's convert("RGB"), libjpeg-turbo.
    ["coffee.jpg", "fb8e4bc0c8769a55f2af8dcd5bfd235eba0b4064ca18076cfca4d682c5fb5046"],
    ["chelsea.jpg", "4da92108a15695ecbd32e6bb4188d14c5288adae76a94843f6a9d25489d207db"],
    ["astronaut.jpg", "bd372f2684514c03f650a80d14b2cbf47f8a58238544087f1c61845c96c8c01a"],
  ])("%s has the bytes that Pillow has", async (name, digest) => {
    expect(sha256(rgbOf(await readPicture(photo(name), name)))).toBe(digest);
  });

  it("so has a progressive one, and inks become colours", async () => {
    expect(sha256(rgbOf(await readPicture(PROGRESSIVE, "p")))).toBe(PROGRESSIVE_SHA256);
    const { data, width, height } = await readPicture(CMYK, "c");
    expect([width, height]).toEqual([16, 16]);
    const at = (x: number, y: number) => [...data.subarray(4 * (16 * y + x), 4 * (16 * y + x) + 3)];
    const near = (got: number[], expected: number[]) => {
      for (const [i, value] of expected.entries()) expect(Math.abs((got[i] as number) - value)).toBeLessThanOrEqual(4);
    };
    near(at(4, 4), [0, 255, 255]); // as Pillow has them
    near(at(12, 4), [255, 0, 255]);
    near(at(4, 12), [255, 255, 0]);
    near(at(12, 12), [127, 127, 127]);
  });

  it.each([
    [
      "1 bit",
      { width: 3, height: 1, depth: 1, colour: 0, rows: [[0b101_00000]] },
      [255, 255, 255, 255, 0, 0, 0, 255, 255, 255, 255, 255],
    ],
    ["4 bits", { width: 2, height: 1, depth: 4, colour: 0, rows: [[0x0f]] }, [0, 0, 0, 255, 255, 255, 255, 255]],
    ["16 bits", { width: 1, height: 1, depth: 16, colour: 2, rows: [[200, 0, 100, 0, 50, 0]] }, [200, 100, 50, 255]],
    ["grey and alpha", { width: 1, height: 1, depth: 8, colour: 4, rows: [[70, 30]] }, [70, 70, 70, 30]],
    ["RGBA", { width: 1, height: 1, depth: 8, colour: 6, rows: [[1, 2, 3, 4]] }, [1, 2, 3, 4]],
    [
      "a palette",
      {
        width: 2,
        height: 1,
        depth: 8,
        colour: 3,
        rows: [[1, 0]],
        palette: [9, 8, 7, 6, 5, 4],
        transparency: [255, 100],
      },
      [6, 5, 4, 100, 9, 8, 7, 255],
    ],
  ] as const)("PNG of %s", async (_, form, expected) => {
    const { data } = await readPicture(pngFile(form), "p");
    expect([...data]).toEqual(expected);
  });

  it("is written as it is read", async () => {
    const data = Uint8Array.from({ length: 4 * 5 * 3 }, (_, i) => (i * 37) % 256);
    const again = await readPicture(pngOf({ data, width: 5, height: 3 }), "p");
    expect([...again.data]).toEqual([...data]);
  });
});

describe("arrays", () => {
  it.each([1, 2, 3])("version %i", (version) => {
    const bytes = npy(
      "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }",
      new Uint8Array(BigInt64Array.of(5n, -7n).buffer),
      version,
    );
    expect(readNpy(bytes, "x")).toMatchObject({ shape: [2], dtype: "int64", data: BigInt64Array.of(5n, -7n) });
  });

  it("halves, scalars, columns in Fortran order, and what is written", () => {
    const halves = npy(
      "{'descr': '<f2', 'fortran_order': False, 'shape': (5,), }",
      new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555).buffer),
    );
    expect([...(readNpy(halves, "x").data as Float32Array)]).toEqual([
      1,
      -2,
      2 ** -24,
      Infinity,
      Math.fround(0.333251953125),
    ]);
    expect(
      readNpy(
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", new Uint8Array(Float64Array.of(2.5).buffer)),
        "x",
      ),
    ).toMatchObject({ shape: [], data: Float64Array.of(2.5) });
    expect(
      readNpy(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (3,), }", Uint8Array.of(1, 2, 3)), "x").shape,
    ).toEqual([3]);
    const written = npyOf({ shape: [2, 2], dtype: "float32", data: Float32Array.of(1, 2, 3, 4) });
    expect(Buffer.from(written).equals(floatsNpy([2, 2], [1, 2, 3, 4]))).toBe(true);
  });

  it("of an .npz by name, stored or deflated", () => {
    const zip = zipSync({ "a.npy": floatsNpy([2], [1, 2]), "b.npy": [floatsNpy([1], [3]), { level: 0 }] });
    const arrays = readNumpy(zip, "x.npz");
    expect([...arrays.keys()]).toEqual(["a", "b"]);
    expect(arrays.get("b")?.data).toEqual(Float32Array.of(3));
  });
});

describe("run", () => {
  const paths: Record<string, string> = {};
  beforeAll(() => {
    for (const [name, one] of Object.entries({ means: MEANS, boxes: BOXES, pixels: PIXELS, mask: MASK, sum: SUM }))
      paths[name] = here.write(`${name}.onnx`, file(one));
    here.write("rgb.txt", "red\ngreen\nblue\n");
    here.write("two.txt", "cup\r\nspoon\r\n");
    paths.red = here.write("red one.png", plainPng(8, 8, [255, 0, 0]));
    // Red on top, green at the bottom; stored turned, so that a camera's orientation 6 makes it so.
    paths.turned = here.write(
      "turned.jpg",
      turned(
        jpegOf(16, 16, (x) => (x < 8 ? [0, 255, 0] : [255, 0, 0])),
        8,
      ),
    );
  });
  const on = (name: string, ...more: string[]) => lanewise(["run", paths[name] as string, ...more], { cwd: here.root });
  const unit = ["--preset", "unit"];

  it("classes, by name, best first", async () => {
    const ran = await on(
      "means",
      "--image",
      "red one.png",
      ...unit,
      "--labels",
      "rgb.txt",
      "--activation",
      "none",
      "--top",
      "2",
    );
    expect(ran).toMatchObject({ code: 0, out: "red     1.0000\ngreen   0.0000\n" });
    expect(ran.err).toMatch(/^decode [\d.]+ · prepare [\d.]+ · run [\d.]+ · answers [\d.]+ ms · (simd|relaxed), Node /);
    const soft = await on("means", "--image", "red one.png", ...unit, "--json", "--activation", "softmax");
    const { classes, width, height, image } = JSON.parse(soft.out);
    expect([image, width, height]).toEqual(["red one.png", 8, 8]);
    expect(classes[0].index).toBe(0);
    expect(classes[0].score).toBeCloseTo(Math.E / (Math.E + 2), 6);
  });

  it("pictures of every form, 1 x 1 too; alpha is dropped, as Pillow's convert() has it", async () => {
    here.write("ink.jpg", CMYK);
    here.write("deep.png", pngFile({ width: 1, height: 1, depth: 16, colour: 2, rows: [[255, 255, 0, 0, 51, 51]] }));
    here.write(
      "few.png",
      pngFile({ width: 2, height: 1, depth: 8, colour: 3, rows: [[1, 1]], palette: [9, 9, 9, 0, 102, 255] }),
    );
    here.write("clear.png", pngFile({ width: 1, height: 1, depth: 8, colour: 6, rows: [[255, 51, 0, 0]] }));
    const images = ["ink.jpg", "deep.png", "few.png", "clear.png"].flatMap((name) => ["--image", name]);
    const ran = await on("means", ...images, ...unit, "--activation", "none", "--top", "3", "--json");
    expect(ran.code).toBe(0);
    const means = ran.out
      .trim()
      .split("\n")
      .map((line) => {
        const rgb = [0, 0, 0];
        for (const { index, score } of JSON.parse(line).classes) rgb[index] = score;
        return rgb;
      });
    const expected = [
      [0.625, 0.625, 0.625], // of four quarters: 0, 1, 1, 0.5 of each colour
      [1, 0, 0.2],
      [0, 0.4, 1],
      [1, 0.2, 0],
    ];
    for (const [i, row] of expected.entries())
      for (const [c, value] of row.entries()) expect(Math.abs((means[i]?.[c] as number) - value)).toBeLessThan(0.02);
  });

  it("boxes in pixels of the picture, drawn", async () => {
    here.write("wide.png", plainPng(16, 8, [0, 0, 0]));
    const ran = await on(
      "boxes",
      "--image",
      "wide.png",
      ...unit,
      "--decode",
      "boxes",
      "--labels",
      "two.txt",
      "--draw",
      "drawn.png",
    );
    expect(ran).toMatchObject({ code: 0, out: "cup     0.90   [ 2,  2, 10,  7]\nspoon   0.60   [ 8,  0, 16,  4]\n" });
    expect(ran.err).toContain("drawn.png written (16x8)");
    const drawn = await readPicture(readFileSync(here.at("drawn.png")), "d");
    const lit = (x: number, y: number) =>
      (drawn.data[4 * (16 * y + x) + 0] as number) + (drawn.data[4 * (16 * y + x) + 1] as number) > 0;
    expect([lit(2, 4), lit(5, 4), lit(13, 6)]).toEqual([true, false, false]);
    const few = await on("boxes", "--image", "wide.png", ...unit, "--decode", "boxes", "--score", "0.7");
    expect(few.out).toBe("class 0   0.90   [ 2,  2, 10,  7]\n");
  });

  it("a class a pixel, as shares and colours", async () => {
    here.write(
      "halves.png",
      pngFile({
        width: 8,
        height: 8,
        depth: 8,
        colour: 2,
        rows: Array.from({ length: 8 }, (_, y) =>
          Array.from({ length: 8 }, () => (y < 2 ? [0, 0, 255] : [255, 0, 0])).flat(),
        ),
      }),
    );
    const ran = await on(
      "pixels",
      "--image",
      "halves.png",
      ...unit,
      "--decode",
      "map",
      "--labels",
      "rgb.txt",
      "--mask",
      "map.png",
    );
    expect(ran).toMatchObject({ code: 0, out: "red    75.0 %\nblue   25.0 %\n" });
    const map = await readPicture(readFileSync(here.at("map.png")), "m");
    expect([map.width, map.height]).toEqual([8, 8]);
    expect([...map.data.subarray(0, 3)]).not.toEqual([...map.data.subarray(4 * 63, 4 * 63 + 3)]);
  });

  it("a mask as alpha", async () => {
    const ran = await on("mask", "--image", "halves.png", ...unit, "--mask", "cut.png");
    expect(ran.code).toBe(0);
    const { data } = await readPicture(readFileSync(here.at("cut.png")), "c");
    expect([...data.subarray(0, 4)]).toEqual([0, 0, 255, 0]);
    expect([...data.subarray(4 * 63)]).toEqual([255, 0, 0, 255]);
  });

  it("turns pictures as cameras say, and boxes with them", async () => {
    // Stored: left green, right red. Orientation 8: the right side is up.
    const ran = await on(
      "pixels",
      "--image",
      "turned.jpg",
      ...unit,
      "--decode",
      "map",
      "--labels",
      "rgb.txt",
      "--mask",
      "up.png",
      "--explain",
    );
    expect(ran.code).toBe(0);
    expect(ran.err).toContain("EXIF orientation 8: turned upright");
    const map = await readPicture(readFileSync(here.at("up.png")), "m");
    expect([map.width, map.height]).toEqual([16, 16]);
    const at = (x: number, y: number) => [...map.data.subarray(4 * (16 * y + x), 4 * (16 * y + x) + 3)].join();
    expect([at(2, 2), at(13, 2)]).toEqual(["0,0,0", "0,0,0"]); // red is up, class 0
    expect([at(2, 13), at(13, 13)]).toEqual(["128,0,0", "128,0,0"]); // green below, class 1
    here.write(
      "tall.jpg",
      turned(
        jpegOf(16, 8, () => [0, 0, 0]),
        6,
      ),
    ); // 8 wide, 16 high for who looks at it
    const boxes = await on(
      "boxes",
      "--image",
      "tall.jpg",
      ...unit,
      "--decode",
      "boxes",
      "--json",
      "--draw",
      "tall.png",
    );
    const found = JSON.parse(boxes.out);
    expect([found.width, found.height]).toEqual([8, 16]);
    expect(found.boxes[0].box.map(Math.round)).toEqual([1, 4, 5, 14]);
    const drawn = await readPicture(readFileSync(here.at("tall.png")), "t");
    expect([drawn.width, drawn.height]).toEqual([8, 16]);
    expect((drawn.data[4 * (8 * 9 + 1) + 0] as number) + (drawn.data[4 * (8 * 9 + 1) + 1] as number)).toBeGreaterThan(
      0,
    ); // its left side
  });

  it("a folder, standard input, several files; one that is broken stops no other", async () => {
    mkdirSync(here.at("photos of mine"), { recursive: true });
    for (const [name, colour] of [
      ["10.png", [0, 255, 0]],
      ["9.png", [0, 0, 255]],
    ] as const)
      here.write(`photos of mine/${name}`, plainPng(4, 4, colour));
    here.write("photos of mine/notes.txt", "no picture");
    const flags = [...unit, "--labels", "rgb.txt", "--top", "1", "--activation", "none"];
    const ran = await on("means", "--image", "photos of mine", ...flags);
    expect(ran).toMatchObject({
      code: 0,
      out: `${here.at("photos of mine/9.png").slice(here.root.length + 1)}\nblue   1.0000\nphotos of mine/10.png\ngreen   1.0000\n`,
    });
    here.write("photos of mine/11.png", "broken");
    const broken = await on("means", "--image", "photos of mine", "--image", "red one.png", ...flags, "--json");
    expect(broken.code).toBe(4);
    expect(
      broken.out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).classes[0].label),
    ).toEqual(["blue", "green", "red"]);
    expect(broken.err).toContain('11.png" expected a JPEG or PNG, got other bytes');
    const piped = await lanewise(["run", paths.means as string, "--image", "-", ...flags], {
      cwd: here.root,
      stdin: plainPng(1, 1, [0, 255, 0]),
    });
    expect(piped).toMatchObject({ code: 0, out: "green   1.0000\n" });
    const into = await on(
      "boxes",
      "--image",
      "photos of mine/9.png",
      "--image",
      "photos of mine/10.png",
      ...unit,
      "--decode",
      "boxes",
      "--draw",
      "out/",
    );
    expect(into.code).toBe(0);
    expect(readdirSync(here.at("out")).sort()).toEqual(["10.png", "9.png"]);
  });

  it("arrays in and out, by name or in order, from .npz too", async () => {
    const a = here.write("a.npy", floatsNpy([2, 3], [1, 2, 3, 4, 5, 6]));
    const b = here.write("b=2.npy", floatsNpy([2, 3], [10, 20, 30, 40, 50, 60]));
    for (const input of [
      ["--input", a, "--input", b],
      ["--input", `b=${b}`, "--input", `a=${a}`],
    ]) {
      const ran = await on("sum", ...input, "--output", "y.npy");
      expect(ran.code).toBe(0);
      expect([...(readNpy(readFileSync(here.at("y.npy")), "y").data as Float32Array)]).toEqual([
        12, 24, 36, 48, 60, 72,
      ]);
    }
    here.write("both.npz", zipSync({ "a.npy": readFileSync(a), "b.npy": readFileSync(b) }));
    const ran = await on("sum", "--input", "both.npz", "--json");
    expect(JSON.parse(ran.out)).toEqual({
      outputs: [{ name: "y", shape: [2, 3], least: 12, most: 72, mean: 42, first: [12, 24, 36, 48, 60, 72] }],
    });
    expect(existsSync(here.at("y.npy"))).toBe(true);
  });

  it("takes size, names and task from what Ultralytics leaves in a file", async () => {
    // [1, 4 + 2, 16]: centre and size of a box, then two scores, of which the first place has one.
    const rows = [4, 4, 4, 4, 0.9, 0].flatMap((value, i) =>
      Array.from({ length: 16 }, (_, k) => (i < 4 || k === 0 ? value : 0)),
    );
    const net = onnxFile({
      ...BOXES,
      nodes: [...BOXES.nodes.slice(0, 4), { op: "Add", inputs: ["fixed", "nothing"], outputs: ["output0"] }],
      inputs: { image: ["batch", 3, "height", "width"] },
      outputs: ["output0"],
      constants: {
        zero: { dims: [1], data: Float32Array.of(0) },
        fixed: { dims: [1, 6, 16], data: Float32Array.from(rows) },
      },
      metadata: { task: "detect", names: "{0: 'cup', 1: 'spoon'}", imgsz: "[8, 8]", stride: "8" },
    });
    here.write("yolo.onnx", net);
    const ran = await lanewise(["run", "yolo.onnx", "--image", "wide.png", "--json", "--explain"], { cwd: here.root });
    expect(ran.code).toBe(0);
    // 16 x 8 lies in 8 x 8 at half its size, two rows down.
    expect(JSON.parse(ran.out).boxes).toMatchObject([{ label: "cup", box: [4, 0, 12, 8] }]);
    expect(ran.err).toContain("8x8");
  });

  it("reads a preprocessor_config.json, and changes of keys", async () => {
    here.write(
      "preprocessor_config.json",
      JSON.stringify({
        image_processor_type: "ViTImageProcessor",
        do_resize: true,
        size: { height: 8, width: 8 },
        resample: 2,
        do_rescale: true,
        rescale_factor: 1 / 255,
        do_normalize: true,
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.5, 0.5, 0.5],
      }),
    );
    const own = await on(
      "means",
      "--image",
      "red one.png",
      "--preset",
      "preprocessor_config.json",
      "--activation",
      "none",
      "--top",
      "3",
      "--json",
    );
    expect(JSON.parse(own.out).classes.map(({ score }: { score: number }) => score)).toEqual([1, -1, -1]);
    const set = await on(
      "means",
      "--image",
      "red one.png",
      ...unit,
      "--set",
      "channels=bgr",
      "--set",
      "scale=1",
      "--activation",
      "none",
      "--json",
      "--top",
      "1",
    );
    expect(JSON.parse(set.out).classes).toEqual([{ index: 2, score: 255 }]);
  });
});
