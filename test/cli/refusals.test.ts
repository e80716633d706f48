// What the command line refuses: each by a process of its own, with one sentence on standard error, nothing on standard output, and the
// exit code that docs/cli.md says.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { onnxFile } from "../onnx-file.js";
import { ANIMATED_WEBP, HEIC, jpegOf, plainPng, pngFile, WEBP } from "./pictures.js";
import { file, floatsNpy, folder, lanewise, MAGIC, MEANS, npy, PIXELS, SUM } from "./tool.js";

const here = folder();
afterAll(() => here.remove());

const means = here.write("means.onnx", file(MEANS));
const sum = here.write("sum.onnx", file(SUM));
const magic = here.write("magic.onnx", file(MAGIC));
const photo = jpegOf(40, 30, (x, y) => [6 * x, 8 * y, 128]);
const good = here.write("good.jpg", photo);
const plain = here.write("plain.png", plainPng(40, 30, [10, 20, 30, 255]));
mkdirSync(here.at("other"));
const good2 = here.write("other/plain.jpg", photo);
const a = here.write("a.npy", floatsNpy([2, 3], [1, 2, 3, 4, 5, 6]));
const lines = (count: number) => Array.from({ length: count }, (_, i) => `name ${i}`).join("\n");
mkdirSync(here.at("empty folder"));
mkdirSync(here.at("half"));
here.write("half/output_0.npy", floatsNpy([2, 3], [1, 2, 3, 4, 5, 6]));

/** Nothing is decoded of these: their heads say enough. */
const huge = (() => {
  const png = pngFile({ width: 20_000, height: 20_000, depth: 8, colour: 2, rows: [[0]] });
  const jpeg = Buffer.from(photo);
  const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  jpeg.writeUInt16BE(20_000, frame + 5);
  jpeg.writeUInt16BE(20_000, frame + 7);
  return { png, jpeg };
})();
const external = onnxFile({
  ...MEANS,
  nodes: [...MEANS.nodes],
  constants: {
    w: { dims: [3], data: new Float32Array(3), external: { location: "weights.bin", offset: "0", length: "12" } },
  },
});

/** Arguments, the exit code, and what the sentence says. Files that are to be written get their names first. */
type Row = readonly [what: string, args: readonly string[], code: number, says: string | RegExp];
const run = (image: string, ...more: string[]) => ["run", means, "--image", image, "--preset", "unit", ...more];
const put = (name: string, contents: Uint8Array | string) => here.write(name, contents);
const array = (name: string, contents: Uint8Array) => [
  "run",
  sum,
  "--input",
  `a=${put(name, contents)}`,
  "--input",
  `b=${a}`,
];

const MODELS: readonly Row[] = [
  ["no file", ["inspect", here.at("none.onnx")], 4, /none\.onnx" expected an ONNX file, got nothing by that name/],
  ["a folder", ["inspect", here.root], 4, "expected an ONNX file, got a folder"],
  ["an address", ["inspect", "https://example.com/model.onnx"], 4, "got an address: nothing is fetched"],
  [
    "an empty file",
    ["inspect", put("empty.onnx", "")],
    4,
    'empty.onnx: "model" expected an ONNX file, got an empty file',
  ],
  ["a web page", ["inspect", put("page.onnx", "<!doctype html><title>404</title>")], 4, "got a web page (HTML)"],
  [
    "a git-lfs pointer",
    ["inspect", put("lfs.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")],
    4,
    '"git lfs pull" fetches that',
  ],
  [
    "constants that are missing",
    ["run", put("external.onnx", external), "--image", good, "--preset", "unit"],
    4,
    /weights\.bin" expected the constants of external\.onnx, got nothing by that name/,
  ],
  [
    "a damaged file",
    ["inspect", put("cut.onnx", file(MEANS).subarray(0, 60))],
    4,
    'cut.onnx: "model" expected well-formed ONNX protobuf',
  ],
  [
    "an operator that is missing",
    ["run", magic, "--input", `x=${a}`],
    3,
    'magic.onnx: "model" expected operators of this importer, got org.example.Magic',
  ],
];

const PICTURES: readonly Row[] = [
  [
    "a truncated JPEG",
    run(put("cut.jpg", photo.subarray(0, photo.length - 200))),
    4,
    "expected a whole JPEG, got a truncated one",
  ],
  ["20 bytes of a JPEG", run(put("20.jpg", photo.subarray(0, 20))), 4, "expected a whole JPEG, got a truncated one"],
  ["text named .jpg", run(put("text.jpg", "this is no picture at all")), 4, "expected a JPEG or PNG, got text"],
  ["an empty picture", run(put("empty.jpg", "")), 4, "got an empty file"],
  [
    "a truncated PNG",
    run(put("cut.png", plainPng(9, 9, [1, 2, 3]).subarray(0, 60))),
    4,
    "expected a whole PNG, got a truncated one",
  ],
  [
    "a PNG with a wrong sum",
    run(put("sum.png", Buffer.from(plainPng(9, 9, [1, 2, 3])).fill(7, 45, 48))),
    4,
    "expected a PNG that can be decoded",
  ],
  [
    "20,000 x 20,000 by a PNG's head",
    run(put("huge.png", huge.png)),
    2,
    "expected at most 100000000 pixels (--max-pixels), got 20000 x 20000",
  ],
  [
    "20,000 x 20,000 by a JPEG's head",
    run(put("huge.jpg", huge.jpeg)),
    2,
    "expected at most 100000000 pixels (--max-pixels), got 20000 x 20000",
  ],
  [
    "more than --max-pixels",
    run(good, "--max-pixels", "1000"),
    2,
    "expected at most 1000 pixels (--max-pixels), got 40 x 30 = 1200",
  ],
  ["a WebP", run(put("still.webp", WEBP)), 3, "got a WebP: convert it"],
  ["an animated WebP", run(put("moving.webp", ANIMATED_WEBP)), 3, "got an animated WebP: take one frame of it"],
  ["a HEIC", run(put("phone.heic", HEIC)), 3, "got a HEIC: convert it"],
  [
    "a folder without pictures",
    run(here.at("empty folder")),
    4,
    "expected a folder with JPEG or PNG files, got one without",
  ],
  ["no preset", ["run", means, "--image", good], 2, '"--preset" expected one of imagenet, imagenetBicubic, clip'],
  [
    "an unknown preset",
    ["run", means, "--image", good, "--preset", "imagent"],
    2,
    'a preprocessor_config.json, got "imagent"',
  ],
  [
    "a network whose input is no picture",
    [
      "run",
      put("row.onnx", onnxFile({ ...MEANS, nodes: MAGIC.nodes.slice(0, 1), inputs: { x: [1, 3] }, outputs: ["a"] })),
      "--image",
      good,
      "--preset",
      "unit",
    ],
    2,
    '"x" expected an image, [1, C, H, W] or [1, H, W, C]',
  ],
  [
    "a network of two inputs",
    ["run", sum, "--image", good, "--preset", "unit"],
    2,
    '"--image" expected a network with one input, got 2: a, b',
  ],
  ["an unknown head", run(good, "--decode", "yolo"), 2, '"--decode" expected one of classes, yolo5'],
  ["a head that does not fit", run(good, "--decode", "yolo8"), 2, '"output" expected [1, 4 + classes, N]'],
  [
    "999 names for 3 classes",
    run(good, "--labels", put("999.txt", lines(999))),
    2,
    '"labels" expected 3 names, one a class, got 999',
  ],
  [
    "1,001 names for 3 classes",
    run(good, "--labels", put("1001.txt", lines(1001))),
    2,
    '"labels" expected 3 names, one a class, got 1001',
  ],
  ["a key that no preset has", run(good, "--set", "sise=3"), 2, '"sise"'],
];

const ARRAYS: readonly Row[] = [
  [
    "Fortran order",
    array("fortran.npy", npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", new Uint8Array(24))),
    3,
    "expected an array in C order, got one in Fortran order",
  ],
  [
    "big-endian numbers",
    array("big.npy", npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", new Uint8Array(24))),
    3,
    'expected little-endian numbers, got ">f4"',
  ],
  [
    "objects",
    array("object.npy", npy("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", new Uint8Array(24))),
    3,
    'expected numbers, got dtype "|O"',
  ],
  [
    "too few bytes",
    array("short.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", new Uint8Array(20))),
    4,
    "got 20 bytes for 2x3 of <f4, which are 24",
  ],
  ["no array", array("none.npy", Buffer.from("hello")), 4, "expected a NumPy array (.npy, .npz), got other bytes"],
  [
    "fractions for whole numbers",
    [
      "run",
      put(
        "whole.onnx",
        onnxFile({ ...SUM, nodes: SUM.nodes.slice(1), inputs: { twice: [1], b: [1] }, types: { twice: 7, b: 7 } }),
      ),
      "--input",
      `twice=${put("half.npy", floatsNpy([1], [0.5]))}`,
      "--input",
      `b=${put("whole.npy", floatsNpy([1], [2]))}`,
    ],
    2,
    /"(data|twice)" expected .*int64.*0\.5/,
  ],
  ["wrong rank", array("rank.npy", floatsNpy([6], [1, 2, 3, 4, 5, 6])), 2, '"a" expected'],
  ["an unknown input", ["run", sum, "--input", `c=${a}`], 2, '"--input" expected one of a, b, got "c"'],
  [
    "an input that is missing",
    ["run", sum, "--input", `a=${a}`],
    2,
    '"--input" expected an array for each of a, b, got none for b',
  ],
  [
    "an unknown output",
    ["run", sum, "--input", `a=${a}`, "--input", `b=${a}`, "--output", `z=${here.at("z.npy")}`],
    2,
    '"--output" expected NAME=FILE of y',
  ],
];

const USAGE: readonly Row[] = [
  [
    "--top 0",
    run(good, "--top", "0"),
    2,
    "option '--top <n>' argument '0' is invalid. Expected a whole number from 1 to 1000.",
  ],
  ["--score 2", run(good, "--score", "2"), 2, "argument '2' is invalid. Expected a number from 0 to 1."],
  ["a misspelt option", run(good, "--lables", "coco"), 2, /unknown option '--lables'\n\(Did you mean --labels\?\)/],
  ["a misspelt command", ["inspekt", means], 2, /unknown command 'inspekt'\n\(Did you mean inspect\?\)/],
  [
    "a choice that is none",
    ["inspect", means, "--sort", "size"],
    2,
    "Allowed choices are file, macs, params, bytes, time.",
  ],
  ["no argument", ["inspect"], 2, "missing required argument 'file'"],
  ["neither pictures nor arrays", ["run", means], 2, '"run" expected --image or --input, got neither'],
  ["a shape that is none", ["inspect", means, "--shape", "image=1x"], 2, '"--shape" expected NAME=1x3x224x224'],
  [
    "a drawing of what is no box",
    run(good, "--decode", "map", "--draw", here.at("none/out.png")),
    2,
    '"--draw" expected boxes',
  ],
  [
    "a folder to write to that is missing",
    ["inspect", means, "--svg", here.at("none/out.svg")],
    4,
    "expected a file that may be written, got nothing by that name",
  ],
  [
    "several pictures into one file",
    ["run", means, "--image", good, "--image", good, "--preset", "unit", "--draw", "one.png"],
    2,
    '"--draw" expected a folder for 2 pictures',
  ],
  ["a folder of names", ["labels", "imagnet"], 2, '"labels" expected one of imagenet, coco, got "imagnet"'],
  ["nothing to compare with", ["compare", sum, "--input", `a=${a}`], 2, '"compare" expected --expect, --folder'],
  [
    "a peer that is not installed",
    ["bench", means, "--vs", "onnxruntime-node"],
    4,
    "expected onnxruntime-node in the node_modules of this folder",
  ],
  [
    "a convolution of three sizes",
    ["conv", "--shape", "3x8x8", "--weight", "4x3x3x3"],
    2,
    '"--shape" expected NxCxHxW, got 3x8x8',
  ],
  [
    "a convolution beyond any memory",
    ["conv", "--shape", "1x3x8000000x80000", "--weight", "4x3x3x3"],
    2,
    '"--shape" expected at most 268435456 elements, got 1x3x8000000x80000',
  ],
  [
    "expected answers without their inputs",
    ["compare", sum, "--expect", a],
    2,
    "expected --input with --expect, got none",
  ],
  [
    "a folder of expected answers alone",
    ["compare", sum, "--folder", here.at("half")],
    4,
    'half" expected input_0.pb or input_0.npy, got none',
  ],
  ["a shape for no input", ["inspect", sum, "--shape", "x=1x3"], 2, '"--shape" expected one of a, b, got "x"'],
  [
    "the size of a closed input",
    run(good, "--size", "30"),
    2,
    '"--size" expected the size of an input that is [1, 3, 8, 8], got 30x30',
  ],
  [
    "a mask of classes, unasked",
    ["run", put("pixels.onnx", file(PIXELS)), "--image", good, "--preset", "unit", "--mask", here.at("m.png")],
    2,
    '"--mask" expected one channel, or --decode map for a class a pixel, got numbers, [1, 3, 8, 8]',
  ],
  [
    "integers of 64 bits for floats",
    array("long.npy", npy("{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }", new Uint8Array(48))),
    2,
    '"a" expected float32, got int64',
  ],
  ["a mask of scores", run(good, "--mask", here.at("m.png")), 2, "for a class a pixel, got classes, [1, 3]"],
  ["a size of arrays", ["run", sum, "--input", `a=${a}`, "--size", "30"], 2, '"--size" expected --image, got --input'],
  [
    "a folder of expected answers and inputs beside it",
    ["compare", sum, "--folder", here.at("half"), "--input", `a=${a}`],
    2,
    '"--folder" expected to stand alone, got --input, too',
  ],
  ["help on what is no command", ["help", "insect"], 2, '"help" expected one of inspect, run, compare,'],
  ["a picture written over itself", run(plain, "--draw", plain), 2, "expected files other than the pictures"],
  ["two pictures into one", run(plain, "--image", good2, "--draw", "drawn/"), 2, "expected a name a picture"],
  ["a device that never ends", ["inspect", "/dev/zero"], 4, "got a device"],
  ["a weight that does not fit", ["conv", "--shape", "1x3x8x8", "--weight", "4x5x3x3"], 2, "expected"],
];

async function check([, args, code, says]: Row): Promise<void> {
  const ran = await lanewise(args, { cwd: here.root });
  if (typeof says === "string") expect(ran.err).toContain(says);
  else expect(ran.err).toMatch(says);
  expect({ code: ran.code, out: ran.out }).toEqual({ code, out: "" });
  expect(ran.err).not.toMatch(/\n\s+at |mistake of lanewise/);
  expect(ran.err.trim().split("\n").length).toBeLessThanOrEqual(2); // a suggestion stands in a line of its own
}

describe.concurrent.each([
  ["models", MODELS],
  ["pictures", PICTURES],
  ["arrays", ARRAYS],
  ["usage", USAGE],
] as const)("refused: %s", (_, rows) => {
  it.each(rows.map((row) => [row[0], row] as const))("%s", (_, row) => check(row));
});

describe("what is refused leaves nothing", () => {
  it("no half files, no other ones", async () => {
    const before = readdirSync(here.root).sort();
    await lanewise(run(good, "--decode", "yolo8", "--draw", here.at("never.png")));
    expect(readdirSync(here.root).sort()).toEqual(before);
    expect(existsSync(path.join(here.root, "never.png"))).toBe(false);
  });

  it.skipIf(process.getuid?.() === 0)("a folder without the right to it", async () => {
    mkdirSync(here.at("locked"), { mode: 0 });
    const ran = await lanewise(run(here.at("locked")));
    expect(ran).toMatchObject({ code: 4, out: "" });
    expect(ran.err).toContain("one without the right to it");
  });
});
