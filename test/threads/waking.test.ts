// Who is woken for what: a thread that sleeps costs more than it brings where there is little to do.
import { expect, it } from "vitest";
import { BASE } from "../../src/engine/heap.js";
import { createRuntime } from "../../src/index.js";
import { internalsOf } from "../../src/runtime/runtime.js";
import "./limit.js";

/** Words from BASE on: assembly/crew. */
const SLEEPERS = 32;
const THREADS = 66;

it("a short run after a rest wakes nobody, many of them without a rest do, and so does a long one", async () => {
  using rt = await createRuntime({ variant: "simd", threads: { min: 3, max: 3 } });
  const { memory } = internalsOf(rt).engine.heap;
  const word = (at: number) => Atomics.load(new Int32Array(memory.buffer, BASE), at);
  const asleep = async () => {
    while (word(SLEEPERS) < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  using short = rt.plan.sigmoid({ input: [50_000] });
  using x = rt.zeros([50_000]);
  using y = rt.empty([50_000]);
  await asleep();
  short.run(x, y);
  expect([word(THREADS), word(SLEEPERS)]).toEqual([1, 2]);
  // Some 70 µs each: 3 ms are 40 or so, on any machine, since it goes by estimates. A pause of the machine's begins anew.
  let runs = 1;
  while (word(THREADS) === 1 && runs < 100_000) {
    short.run(x, y);
    runs++;
  }
  expect(word(THREADS)).toBe(3);
  expect(runs).toBeGreaterThan(10);

  using w = rt.zeros([256, 256, 3, 3]);
  using long = rt.plan.conv2d({ input: [1, 256, 56, 56], memoryFormat: "channelsLast", weight: w, padding: 1 });
  using image = rt.empty([1, 256, 56, 56], { memoryFormat: "channelsLast" });
  (image.data as Float32Array).fill(1);
  using out = rt.empty(long.outputs[0] as (typeof long.outputs)[number]);
  await asleep();
  long.run(image, out);
  expect(word(THREADS)).toBe(3);
});
