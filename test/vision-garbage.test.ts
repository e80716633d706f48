// Frames leave nothing behind. A file, so a process, of its own: what calls with other kinds of pictures teach the compiler makes
// objects of what else is none.
import { expect, it } from "vitest";
import { createRuntime } from "../src/index.js";
import { createPreprocessor } from "../src/vision/index.js";
import { garbageOf } from "./garbage.js";
import { noise } from "./vision-pictures.js";

it("a preprocessor makes no garbage from the third frame of an array on", async () => {
  const rt = await createRuntime();
  using pre = createPreprocessor(rt, { scale: 1 / 255, size: 24, fit: "letterbox" });
  const image = noise(48, 40, 4, 0);
  const frame = () => pre.run(image);
  for (let i = 0; i < 20_000; i++) frame();
  // An object a frame is 16 bytes or more. What is a KB a frame is seen in the short round, before the young generation is full.
  const mostOf = (count: number) => 4000 + 2 * count;
  for (const count of [50, 1000, 10_000])
    expect(garbageOf(frame, count, mostOf(count))).toBeLessThanOrEqual(mostOf(count));
  let last: unknown;
  const wasteful = () => {
    last = { frame: pre.run(image) };
  };
  for (let i = 0; i < 20_000; i++) wasteful();
  expect(last).toBeDefined();
  expect(garbageOf(wasteful, 1000, mostOf(1000))).toBeGreaterThan(mostOf(1000)); // what it would see
});
