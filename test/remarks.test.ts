// What the end of a CI log says again.
import { expect, it } from "vitest";
import { type Command, remarksOf } from "../scripts/remarks.mjs";

const command = (ok: boolean, ...lines: string[]): Command => ({ command: "npm run x", ok, lines });

it("names what failed, as each tool prints it, and nothing of what passed", () => {
  const failed = [
    "FAILED  looks: by keyboard alone: Error: no end within 600 s",
    "FAIL Chromium, in page (812 ms): photos have other bits",
    " FAIL  test/pool.test.ts > maxPool2d > of one row",
    "FINDING --seed 1 --at 7 (cut of a.onnx): leaked 64 bytes",
    "src/index.ts(3,1): error TS2304: Cannot find name 'x'.",
    "src/index.ts:3:1 lint/style/useConst",
    "ReferenceError: x is not defined",
  ];
  const passed = ["ok Chromium, in page (7 ms)", "  SKIP bun: not installed", "at FAILED", "7 passed, 7 failed", ""];
  expect(remarksOf([command(false, ...failed, ...passed)], true)).toEqual(failed.map((line) => line.trim()));
  const red = "\u001b[31m FAIL \u001b[39m test/pool.test.ts > maxPool2d > of one row";
  expect(remarksOf([command(false, red)], true)).toEqual(["FAIL  test/pool.test.ts > maxPool2d > of one row"]);
});

it("shows the end of a command that names nothing, and ended with an error", () => {
  const lines = Array.from({ length: 40 }, (_, i) => `line ${i}`);
  expect(remarksOf([command(true, "well"), command(false, ...lines, "")], true)).toEqual([
    "$ npm run x",
    ...lines.slice(-12),
  ]);
});

it("keeps what was right at the second try in sight, once, of steps that passed, too", () => {
  const line = "ok Firefox, two (9 ms), at the second try: no answer within 600 s";
  expect(remarksOf([command(true, line, `  ${line}`, "FAIL as a word of a step that passed")], false)).toEqual([line]);
  expect(remarksOf([command(true, "ok Firefox, two (9 ms)")], false)).toEqual([]);
  expect(remarksOf([command(false, `FAIL deno: other bits; at the second try: none`)], true)).toEqual([
    "FAIL deno: other bits; at the second try: none",
  ]);
});

it("is short, whatever failed", () => {
  const lines = Array.from({ length: 100 }, (_, i) => `FAIL case ${i}: ${"x".repeat(2000)}`);
  const remarks = remarksOf([command(false, ...lines)], true);
  expect(remarks).toHaveLength(41);
  expect(remarks.at(-1)).toBe("and 60 more");
  expect(Math.max(...remarks.map(({ length }) => length))).toBe(600);
});
