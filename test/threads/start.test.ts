// How a worker is started, and what a run makes of one that fails.
import { Worker } from "node:worker_threads";
import { parseSync } from "oxc-parser";
import { afterEach, expect, it, vi } from "vitest";
import { createRuntime, ThreadError } from "../../src/index.js";
import { internalsOf } from "../../src/runtime/runtime.js";
import type { Threads } from "../../src/threads/crew.js";
import { startWorker } from "../../src/threads/start.js";
import { work } from "../../src/threads/worker.js";
import "./limit.js";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Starts a worker of worker_threads that only looks like one. Answers its text, and what happened in turn. */
async function started(): Promise<{ text: string; told: string[] }> {
  let text = "";
  const told: string[] = [];
  class Likeness {
    #take: (answer: unknown) => void = () => {};
    constructor(source: string) {
      text = source;
    }
    on(event: string, listener: (answer: unknown) => void): void {
      if (event === "message") this.#take = listener;
    }
    postMessage(): void {
      told.push("orders");
      setTimeout(() => {
        told.push("ready");
        this.#take("ready");
      }, 5);
    }
    unref(): void {
      told.push("unref");
    }
    terminate(): void {}
  }
  vi.stubGlobal("process", { ...process, getBuiltinModule: () => ({ Worker: Likeness }) });
  const listener = { orders: () => ({ packs: [], orders: 1 }), made: () => {}, lost: () => {} };
  await startWorker(undefined, listener, () => false);
  return { text, told };
}

it("keeps the process until it is ready: one whose workers may all be forgotten ends while it waits for them", async () => {
  const { told } = await started();
  expect(told).toEqual(["orders", "ready", "unref"]);
});

it("has a text that declares nothing: a name at its top would meet those that Bun and Deno give to such a script", async () => {
  const { text } = await started();
  const { program } = parseSync("worker.js", text);
  expect(program.body.map(({ type }) => type)).toEqual(["ExpressionStatement"]);
  expect(text).not.toMatch(/\b(import|require|__\w+)\b/);
});

it("ends a run at once when a kernel traps in it", async () => {
  // Its table stays empty: whatever it takes traps.
  const worker = () => new Worker(`WebAssembly.Table.prototype.set = () => {};\n(${work})()`, { eval: true });
  using rt = await createRuntime({ variant: "simd", threads: { min: 2, max: 2 }, worker });
  const crew = internalsOf(rt).engine.crew as Threads;
  crew.worthWakingNs = 0;
  crew.patience = Number.POSITIVE_INFINITY; // only what the worker says ends it
  const shape = [1, 24, 28, 28];
  const run = async (): Promise<void> => {
    // Weights are packed by all threads: that may be the first to meet it.
    const plan = rt.plan.conv2d({ input: shape, weight: rt.zeros([24, 24, 3, 3]), padding: 1 });
    const [x, y] = [rt.zeros(shape), rt.zeros(shape)];
    // Until it had its turn in the middle of one.
    for (;;) {
      plan.run(x, y);
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
  await expect(run()).rejects.toThrow(ThreadError);
  expect(rt.disposed).toBe(true);
  expect(rt.report().threads.reason).toMatch(/^a thread was lost/);
});
