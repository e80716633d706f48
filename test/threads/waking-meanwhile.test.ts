// A run in turns whose step others have finished while this thread did something else: they sleep by then, and still count.
import binaryen from "binaryen";
import { expect, it } from "vitest";
import { BASE } from "../../src/engine/heap.js";
import { createRuntime } from "../../src/index.js";
import type { KernelName } from "../../src/kernels/table.js";
import { internalsOf } from "../../src/runtime/runtime.js";
import type { Threads } from "../../src/threads/crew.js";

/** Words from BASE on: assembly/crew. */
const SLEEPERS = 32;
const ORDERS = 64;
const KNOWN = 96;

/**
 * desc is { scratch of the thread that leads, taken, go }. The thread that leads waits until another has taken an item, which is done
 * when it may go.
 */
const KERNEL = `(module
  (import "env" "memory" (memory 1 65536 shared))
  (global (export "ABI") i32 (i32.const 1))
  (func (export "wait_for") (param $d i32) (param $i i32) (param $end i32) (param $scratch i32)
    (local $word i32)
    (local.set $word (i32.add (local.get $d) (i32.const 4)))
    (if (i32.ne (local.get $scratch) (i32.load (local.get $d))) (then
      (i32.atomic.store (local.get $word) (i32.const 1))
      (local.set $word (i32.add (local.get $d) (i32.const 8)))))
    (loop $again (br_if $again (i32.eqz (i32.atomic.load (local.get $word)))))))`;

function compiled(): WebAssembly.Module {
  const module = binaryen.parseText(KERNEL);
  module.setFeatures(binaryen.Features.Atomics);
  try {
    return new WebAssembly.Module(module.emitBinary() as Uint8Array<ArrayBuffer>);
  } finally {
    module.dispose();
  }
}

it("a short run beside it finds it done", async () => {
  using rt = await createRuntime({ variant: "simd", threads: { min: 2, max: 2 } });
  const { engine } = internalsOf(rt);
  const kernel = "wait_for" as KernelName;
  engine.load("waiting", compiled(), { abi: 1, kernels: [kernel] });
  const crew = engine.crew as Threads;
  crew.patience = 2000; // some 0.1 s
  crew.worthWakingNs = 0;
  using place = rt.zeros([64]);
  using short = rt.plan.sigmoid({ input: [100] });
  using x = rt.zeros([100]);
  using y = rt.empty([100]);
  const words = new Int32Array(engine.heap.memory.buffer);
  const at = place.ptr >>> 2;
  words[at] = place.ptr + 64;
  const word = (index: number) => Atomics.load(words, BASE / 4 + index);
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await until(() => word(KNOWN + 1) === word(ORDERS));
  const step = { kernel, desc: place.ptr, values: {}, items: 2, unit: 1, stride: 64 };
  crew.begin(step, 0, 2, place.ptr + 64);
  expect(crew.poll()).toBe(false);

  // The other has its item done, and sleeps.
  Atomics.store(words, at + 2, 1);
  await until(() => word(SLEEPERS) === 1);
  crew.worthWakingNs = Infinity;
  short.run(x, y);
  expect([...y.data]).toEqual(Array(100).fill(0.5));
  expect(crew.poll()).toBe(true);
});
