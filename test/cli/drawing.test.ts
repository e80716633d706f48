// What is drawn and written on pictures, and what names mean where nobody says what a network answers.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { drawSigns, isWritable, type Sign } from "../../src/cli/picture/letters.js";
import { readPicture } from "../../src/cli/picture/read.js";
import { node } from "../onnx-file.js";
import { plainPng, pngFile } from "./pictures.js";
import { BOXES, file, folder, lanewise, MASK, MEANS, PIXELS } from "./tool.js";

const here = folder();
afterAll(() => here.remove());

const RED = [200, 0, 0] as const; // letters are white on it, and black on YELLOW
const YELLOW = [255, 255, 0] as const;
const GREY = 90;

/** A grey picture with signs, a character a pixel: # a white letter, @ a black one, r and y plates, . what was there. */
function drawn(width: number, height: number, signs: readonly Sign[]): string[] {
  const data = new Uint8Array(4 * width * height).fill(GREY);
  drawSigns({ data, width, height }, signs);
  const kinds: Record<string, string> = { "255,255,255": "#", "0,0,0": "@", "200,0,0": "r", "255,255,0": "y" };
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const at = 4 * (y * width + x);
      return kinds[data.subarray(at, at + 3).join()] ?? ".";
    }).join(""),
  );
}

describe("letters", () => {
  it("stand on a plate above the box, in black or white", () => {
    expect(drawn(11, 11, [{ text: "T", box: [2, 10, 10, 11], colour: RED }])).toEqual([
      "...........",
      "..rrrrrrr..",
      "..r#####r..",
      "..rrr#rrr..",
      "..rrr#rrr..",
      "..rrr#rrr..",
      "..rrr#rrr..",
      "..rrr#rrr..",
      "..rrr#rrr..",
      "..rrrrrrr..",
      "...........",
    ]);
    const dark = drawn(11, 11, [{ text: "-", box: [2, 10, 10, 11], colour: YELLOW }]);
    expect(dark[5]).toBe("..y@@@@@y..");
  });

  it("inside of a box at the top, and whole at the right edge", () => {
    const rows = drawn(20, 20, [{ text: "LT", box: [16, 3, 30, 19], colour: RED }]);
    expect(rows[2]).toBe("....................");
    expect(rows[3]).toBe(".......rrrrrrrrrrrrr");
    expect(rows[4]).toBe(".......r#rrrrr#####r");
    expect(rows[10]).toBe(".......r#####rrr#rrr");
    expect(rows[12]).toBe("....................");
  });

  it("over no others where there is room, with the first on top where there is none", () => {
    const two = (text: string, colour: Sign["colour"]): Sign => ({ text, box: [0, 10, 20, 40], colour });
    const apart = drawn(20, 45, [two("T", RED), two("T", YELLOW)]);
    expect([apart[1]?.[0], apart[10]?.[0], apart[18]?.[0], apart[19]?.[0]]).toEqual(["r", "y", "y", "."]);
    const low = { box: [0, 2, 20, 9] as const };
    const over = drawn(20, 10, [
      { ...low, text: "T", colour: RED },
      { ...low, text: "TT", colour: YELLOW },
    ]);
    expect(over.some((row) => row.startsWith("rr"))).toBe(true);
    expect(over.some((row) => row.startsWith("yy"))).toBe(false);
  });

  it("are as large as the picture asks for", () => {
    const rows = drawn(801, 40, [{ text: "I", box: [0, 39, 9, 40], colour: RED }]); // three pixels each
    const lit = rows.map((row) => [...row].filter((c) => c === "#").length);
    expect(rows.filter((row) => row[0] === "r")).toHaveLength(27);
    expect(lit.filter((count) => count > 0)).toHaveLength(21);
    expect(Math.min(...lit.filter((count) => count > 0))).toBe(3);
  });

  it("fit a panorama: as large as its height has room for", () => {
    const rows = drawn(5000, 20, [{ text: "I", box: [0, 0, 5000, 20], colour: RED }]); // 13 pixels each by its length
    expect(rows.filter((row) => row[0] === "r")).toHaveLength(18);
  });

  it("are cut where there is no room, and left out where there is none at all", () => {
    const [width, height] = [32, 9]; // five letters and their plate
    const long = drawn(width, height, [{ text: "LLLLLLLLLL", box: [3, 4, 9, 9], colour: RED }]);
    expect(long[6]).toBe(".r#rrrrr#rrrrr#rrrrrr##rrrr##rrr");
    expect(long[7]).toBe(".r#####r#####r#####rr##rrrr##rrr");
    for (const [w, h] of [
      [32, 8],
      [12, 20],
      [1, 1],
    ] as const)
      expect(drawn(w, h, [{ text: "LLLLL", box: [0, 0, 1, 1], colour: RED }]).join("")).toBe(".".repeat(w * h));
    expect(drawn(30, 30, [{ text: "L", box: [40, 40, 50, 50], colour: RED }]).join("")).toBe(".".repeat(900));
  });

  it("lose accents that they do not have, and are hollow where there is nothing like them", () => {
    const letter = (text: string) => drawn(11, 11, [{ text, box: [2, 10, 10, 11], colour: RED }]);
    expect(letter("é")).toEqual(letter("e"));
    expect(letter("e\u0301")).toEqual(letter("e"));
    expect(letter("Ł")).toEqual(letter("L"));
    expect(letter("ü")).not.toEqual(letter("u"));
    expect(letter("犬").slice(2, 9)).toEqual(["..r#####r..", ...Array(5).fill("..r#rrr#r.."), "..r#####r.."]);
    expect(letter("T\u200b\x07")).toEqual(letter("T"));
    expect(["dog", "chèvre", "犬", "狗 dog", "😀", ""].map(isWritable)).toEqual([
      true,
      true,
      false,
      true,
      false,
      false,
    ]);
  });
});

describe("--draw and --mask", () => {
  here.write("boxes.onnx", file(BOXES));
  here.write("black.png", plainPng(200, 100, [0, 0, 0]));
  const boxes = (...more: string[]) =>
    lanewise(["run", "boxes.onnx", "--image", "black.png", "--preset", "unit", "--decode", "boxes", ...more], {
      cwd: here.root,
    });

  it("names what is found", async () => {
    here.write("names.txt", "cup\n猫\n");
    const ran = await boxes("--labels", "names.txt", "--draw", "named.png");
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining("猫") });
    const { data, width } = await readPicture(readFileSync(here.at("named.png")), "n");
    const lit = (x: number, y: number) => data.subarray(4 * (y * width + x), 4 * (y * width + x) + 3).some(Boolean);
    // The plates: cup, 0.90 above [25, 25, 125, 88]; class 1, 0.60 within [100, 0, 200, 50], which starts at the top.
    expect([lit(25, 16), lit(25 + 48, 17), lit(25 + 49, 17), lit(25, 15)]).toEqual([true, true, false, false]);
    expect([lit(106, 1), lit(100 + 72, 1), lit(100 + 73, 1)]).toEqual([true, true, false]);
  });

  it("lists long names in the width that there is", async () => {
    here.write("long.txt", `${"a".repeat(150)}z\nb\n`);
    const flags = ["run", "boxes.onnx", "--image", "black.png", "--preset", "unit", "--decode", "boxes"];
    const ran = await lanewise([...flags, "--labels", "long.txt"], { cwd: here.root, env: { COLUMNS: "60" } });
    const [first = "", second = ""] = ran.out.split("\n");
    expect(first).toMatch(/^a+…a*z {3}0\.90 {3}\[ 25, /);
    expect([first.length, second.indexOf("0.60")]).toEqual([60, first.indexOf("0.90")]);
    expect((await boxes("--labels", "long.txt")).out).toContain(`${"a".repeat(150)}z   0.90`);
    expect(await boxes("--draw", "")).toMatchObject({
      code: 2,
      err: expect.stringContaining('"--draw" expected a .png'),
    });
  });

  it("a class a pixel is as large as the picture, turned and letterboxed as it is", async () => {
    here.write("pixels.onnx", file(PIXELS));
    const rows = Array.from({ length: 32 }, (_, y) =>
      Array.from({ length: 16 }, () => (y < 8 ? [255, 0, 0] : [0, 0, 255])).flat(),
    );
    here.write("tall.png", pngFile({ width: 16, height: 32, depth: 8, colour: 2, rows }));
    for (const fit of ["stretch", "letterbox"]) {
      const flags = ["--preset", "unit", "--set", `fit=${fit}`, "--decode", "map", "--mask", `${fit}.png`];
      const ran = await lanewise(["run", "pixels.onnx", "--image", "tall.png", ...flags], { cwd: here.root });
      expect(ran).toMatchObject({ code: 0, err: expect.stringContaining(`${fit}.png written (16x32)`) });
      const { data } = await readPicture(readFileSync(here.at(`${fit}.png`)), "m");
      const at = (x: number, y: number) => data.subarray(4 * (16 * y + x), 4 * (16 * y + x) + 3).join();
      expect([at(0, 0), at(15, 7)]).toEqual(["0,0,0", "0,0,0"]); // class 0, red
      expect([at(0, 8), at(15, 31)]).toEqual(["0,128,0", "0,128,0"]); // class 2, blue
    }
  });
});

describe("--labels without --decode", () => {
  here.write("rgb.txt", "red\ngreen\nblue\n");
  here.write("red.png", plainPng(8, 8, [255, 0, 0]));
  here.write("mask.onnx", file(MASK));
  const { nodes, outputs } = MEANS;
  here.write(
    "two.onnx",
    file({ ...MEANS, nodes: [...nodes, node("Relu", ["image"], ["more"])], outputs: ["more", ...outputs] }),
  );
  const on = (name: string, ...more: string[]) =>
    lanewise(["run", name, "--image", "red.png", "--preset", "unit", ...more], { cwd: here.root });

  it("names the one row that has as many scores", async () => {
    const ran = await on("two.onnx", "--labels", "rgb.txt", "--activation", "none", "--top", "1");
    expect(ran).toMatchObject({ code: 0, out: "red   1.0000\n" });
    expect((await on("two.onnx")).out).toMatch(/^\[1, 3, 8, 8\] +from 0 to 1/);
  });

  it.each([
    ["two.onnx", ["--labels", "coco"], "labels"],
    ["mask.onnx", ["--labels", "rgb.txt"], "labels"],
    ["mask.onnx", ["--score", "0.5"], "score"],
    ["mask.onnx", ["--iou", "0.5"], "iou"],
    ["mask.onnx", ["--activation", "softmax"], "activation"],
  ])("%s %j is refused where there are numbers only", async (name, flags, flag) => {
    const { code, out, err } = await on(name, ...flags);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(
      new RegExp(
        `^lanewise: "--${flag}" expected answers with names and scores, got plain numbers, \\[1, .*\\]: --decode says what`,
      ),
    );
    const asked = await on(name, "--decode", "numbers", ...flags);
    expect(asked).toMatchObject({ code: 2, out: "", err: expect.stringContaining("another --decode has them") });
  });
});
