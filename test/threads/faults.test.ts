// What goes wrong around threads: each has a clear outcome, and nothing hangs or stays behind.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  createModel,
  createRuntime,
  DisposedError,
  lenet5,
  type Model,
  OutOfMemoryError,
  type Runtime,
  randomWeights,
  ThreadError,
  UnsupportedError,
} from "../../src/index.js";
import { makeCreateRuntime } from "../../src/runtime/create.js";
import { internalsOf } from "../../src/runtime/runtime.js";
import { oneThread } from "../../src/threads/asked.js";
import type { Threads } from "../../src/threads/crew.js";
import { work } from "../../src/threads/worker.js";
import { createPreprocessor, presets, toImage } from "../../src/vision/index.js";
import { fill } from "../random.js";
import * as reference from "../reference.js";
import { refOf } from "../tensors.js";
import { dotTolerance } from "../tolerance.js";
import { noise } from "../vision-pictures.js";
import "./limit.js";

const simd = readFileSync(new URL("../../build/wasm/simd.wasm", import.meta.url));
const X = [1, 24, 28, 28];
const W = [24, 24, 3, 3];
/** Of what hangs: many times what it takes, on a machine that has other things to do. */
const HANGS_MS = 300_000;
const two = { threads: { min: 2, max: 2 } } as const;

/** A convolution that is worth two threads, planned; a run answers its bytes. */
function convolution(rt: Runtime): () => Buffer {
  const [x, w] = [rt.tensor(fill(X, "x"), X), rt.tensor(fill(W, "w"), W)];
  const plan = rt.plan.conv2d({ input: X, weight: w, padding: 1, algorithm: "implicit-gemm" });
  const [spec] = plan.outputs;
  const y = rt.empty(spec as NonNullable<typeof spec>);
  return () => Buffer.from(plan.run(x, y).toArray().buffer);
}

/** A worker as a user makes it. */
const made = (): Worker => new Worker(`(${work})()`, { eval: true });

/** A worker that takes its orders and never says a word. */
const silent = (): Worker => new Worker("setInterval(() => {}, 1000)", { eval: true });

const script = async (text: string): Promise<string> => {
  const dist = new URL("../../dist/index.js", import.meta.url);
  const code = `import { createRuntime } from ${JSON.stringify(dist.href)};\n${text}`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code], {
    timeout: HANGS_MS,
  });
  return stdout;
};

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("one thread is the fall-back, with the reason", () => {
  it.each([
    ["no SharedArrayBuffer", () => vi.stubGlobal("SharedArrayBuffer", undefined), {}, /not cross-origin isolated/],
    [
      "a page that is not isolated",
      () => {
        vi.stubGlobal("crossOriginIsolated", false);
        vi.stubGlobal("process", { ...process, getBuiltinModule: undefined });
      },
      {},
      /not cross-origin isolated/,
    ],
    [
      "a worklet, which has neither workers nor clocks",
      () => {
        vi.stubGlobal("performance", undefined);
        vi.stubGlobal("process", { ...process, getBuiltinModule: undefined });
      },
      {},
      /workers are unknown here/,
    ],
    ["a compiled module", () => {}, { wasm: new WebAssembly.Module(simd) }, /a compiled module .* give its bytes/],
    [
      "a factory that throws",
      () => {},
      {
        worker: () => {
          throw new Error("no workers in here");
        },
      },
      /no workers in here/,
    ],
    ["a factory that answers something else", () => {}, { worker: () => ({}) }, /"worker" expected .* got an object/],
    [
      "a worker whose script fails",
      () => {},
      { worker: () => new Worker("throw new Error('not today')", { eval: true }) },
      /not today/,
    ],
  ] as const)("%s", async (_, stub, options, reason) => {
    stub();
    using rt = await createRuntime({ variant: "simd", threads: 2, ...options });
    await vi.waitFor(() => expect(rt.report().threads.reason).toMatch(reason), { timeout: HANGS_MS });
    expect(rt.report().threads).toMatchObject({ asked: 2, running: 1 });
    using alone = await createRuntime({ variant: "simd" });
    expect(convolution(rt)().equals(convolution(alone)())).toBe(true);
    await expect(createRuntime({ variant: "simd", ...two, ...options })).rejects.toThrow(UnsupportedError);
    await expect(createRuntime({ variant: "simd", ...two, ...options })).rejects.toThrow(reason);
  });

  it("an edge worker", async () => {
    const create = makeCreateRuntime(
      async () => new WebAssembly.Module(simd),
      oneThread("edge workers have one thread"),
    );
    using rt = await create({ variant: "simd", threads: "auto" });
    expect(rt.report().threads).toMatchObject({ running: 1, reason: expect.stringMatching(/edge workers/) });
    await expect(create({ threads: { min: 2 } })).rejects.toThrow(/"threads" expected at least 2, got 1: edge workers/);
    await expect(create({ threads: 0 })).rejects.toThrow(RangeError);
  });

  it("a worker that says nothing: what is there computes", async () => {
    using rt = await createRuntime({ variant: "simd", threads: 2, worker: silent });
    expect(rt.report().threads).toEqual({ asked: 2, running: 1, reason: "others are starting" });
    using alone = await createRuntime({ variant: "simd" });
    expect(convolution(rt)().equals(convolution(alone)())).toBe(true);
  });
});

describe("in a page a worker comes from the first way that works", () => {
  /** A page's Worker: what is done with a blob is up to the test, a file is a worker of Node. */
  function page(blob: (listeners: Map<string, (event: object) => void>) => void): string[] {
    const asked: string[] = [];
    class PageWorker {
      readonly #listeners = new Map<string, (event: object) => void>();
      readonly #worker: Worker | undefined;
      constructor(url: string | URL) {
        asked.push(
          String(url).replace(/^(blob:|file:).*?([^/]*)$/, (_, scheme, name) => (scheme === "file:" ? name : scheme)),
        );
        if (String(url).startsWith("blob:")) blob(this.#listeners);
        else this.#worker = made();
        this.#worker?.on("message", (data) => this.#listeners.get("message")?.({ data }));
      }
      addEventListener(name: string, listener: (event: object) => void): void {
        this.#listeners.set(name, listener);
      }
      postMessage(message: unknown): void {
        this.#worker?.postMessage(message);
      }
      terminate(): void {
        void this.#worker?.terminate();
      }
    }
    vi.stubGlobal("Worker", PageWorker);
    vi.stubGlobal("crossOriginIsolated", true);
    vi.stubGlobal("process", { ...process, getBuiltinModule: undefined });
    return asked;
  }

  it.each([
    [
      "a policy without worker-src: an event",
      (listeners: Map<string, (event: object) => void>) =>
        void setTimeout(() => listeners.get("error")?.({ message: "" })),
    ],
    [
      "Trusted Types: an exception",
      () => {
        throw new TypeError("This document requires 'TrustedScriptURL' assignment.");
      },
    ],
    ["silence", () => {}],
  ] as const)("%s", async (_, blob) => {
    const asked = page(blob);
    const { setTimeout: set } = globalThis;
    vi.stubGlobal("setTimeout", (act: () => void, ms = 0) => set(act, ms / 20)); // ten seconds of silence
    using rt = await createRuntime({ variant: "simd", ...two });
    expect(asked).toEqual(["blob:", "worker.js"]);
    expect(rt.report().threads).toEqual({ asked: 2, running: 2 });
    using alone = await createRuntime({ variant: "simd" });
    expect(convolution(rt)().equals(convolution(alone)())).toBe(true);
  });
});

describe("memory", () => {
  it("reserves 1 GiB, or what it is told, and says so when that is used up", async () => {
    using rt = await createRuntime(two);
    expect(rt.report().maxBytes).toBe(2 ** 30);
    using small = await createRuntime({ ...two, maxBytes: 2 ** 20 });
    expect(small.report().maxBytes).toBe(2 ** 20);
    expect(() => small.zeros([2 ** 20])).toThrow(OutOfMemoryError);
    small.zeros([2 ** 17]).dispose();
    expect(small.report()).toMatchObject({ bytesInUse: 0, liveTensors: 0 });
  });

  it("grows while workers hold on to it", async () => {
    using rt = await createRuntime({ variant: "simd", ...two });
    using alone = await createRuntime({ variant: "simd" });
    const [run, wanted] = [convolution(rt), convolution(alone)()];
    const view = rt.zeros([4]).data;
    for (let i = 0; i < 30; i++) {
      rt.empty([2 ** 18]);
      expect(run().equals(wanted)).toBe(true);
    }
    expect(view.length).toBe(4); // views do not detach
    expect(rt.report().memoryBytes).toBeGreaterThan(30 * 2 ** 20);
  });

  it("is shared, and pictures of it are not", async () => {
    using rt = await createRuntime({ variant: "simd", ...two });
    using alone = await createRuntime({ variant: "simd" });
    const images = [rt, alone].map((runtime) => {
      using pre = createPreprocessor(runtime, { ...presets.imagenet, size: [32, 48] });
      pre.run(noise(60, 50, 3, 1));
      return toImage(runtime, pre.tensor as NonNullable<typeof pre.tensor>, presets.imagenet).data;
    });
    expect(rt.zeros([1]).data.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(images[0]?.buffer).toBeInstanceOf(ArrayBuffer);
    expect(images[0]).toEqual(images[1]);
  });
});

describe("a worker that is lost", () => {
  it("between runs: the others go on", async () => {
    const workers: Worker[] = [];
    const worker = () => {
      workers.push(made());
      return workers.at(-1) as Worker;
    };
    using rt = await createRuntime({ variant: "simd", threads: { min: 3, max: 3 }, worker });
    const run = convolution(rt);
    const wanted = run();
    await workers[0]?.terminate();
    await vi.waitFor(() => expect(rt.report().threads.running).toBe(2), { timeout: HANGS_MS });
    expect(rt.report().threads.reason).toBe("a worker ended: it ended");
    for (let i = 0; i < 20; i++) expect(run().equals(wanted)).toBe(true);
    await workers[1]?.terminate();
    await vi.waitFor(() => expect(rt.report().threads.running).toBe(1), { timeout: HANGS_MS });
    expect(run().equals(wanted)).toBe(true);
  });

  it("with a unit in its hands: the run ends with an error, and so does its runtime", async () => {
    // Takes units and never brings them back.
    const thief = () =>
      new Worker(
        `const { parentPort } = process.getBuiltinModule("node:worker_threads");
        parentPort.on("message", ({ memory, thread, orders }) => {
          if (!memory) return;
          parentPort.postMessage("ready");
          const words = new Int32Array(memory.buffer);
          Atomics.store(words, (1024 + 384) / 4 + thread, orders);
          for (;;) Atomics.add(words, (1024 + 768 + 256 * thread) / 4, 0x1000);
        });`,
        { eval: true },
      );
    using rt = await createRuntime({ variant: "simd", ...two, worker: thief });
    (internalsOf(rt).engine.crew as Threads).patience = 400;
    const run = convolution(rt);
    let caught: unknown;
    // Until it had its turn in the middle of one.
    while (caught === undefined) {
      try {
        run();
      } catch (error) {
        caught = error;
      }
      await new Promise((resolve) => setTimeout(resolve));
    }
    expect(caught).toBeInstanceOf(ThreadError);
    expect((caught as Error).message).toBe(
      `"threads" expected to go on until a run is done, got one that was lost: it did not get on`,
    );
    expect(rt.disposed).toBe(true);
    expect(rt.report().threads).toEqual({ asked: 2, running: 0, reason: "a thread was lost: it did not get on" });
    expect(run).toThrow(DisposedError);
  });
});

describe("a run in turns", () => {
  const graph = lenet5({ batch: 64 });
  const weights = randomWeights(graph);
  const begin = async (rt: Runtime) => {
    const model = createModel(rt, graph, weights);
    const image = rt.tensor(fill([64, 1, 28, 28], "x"), [64, 1, 28, 28]);
    return { model, image };
  };
  const bytes = (answer: Awaited<ReturnType<Model["runAsync"]>>) =>
    Buffer.from(answer["logits"]?.toArray().buffer as ArrayBuffer);

  it("ends with the model, the runtime or the signal, and leaves nothing at work", async () => {
    using rt = await createRuntime({ variant: "simd", threads: { min: 4, max: 4 } });
    const { model, image } = await begin(rt);
    const wanted = bytes(model.run({ image }));
    const stop = new AbortController();
    const aborted = model.runAsync({ image }, { yieldEvery: 0, signal: stop.signal });
    stop.abort("enough");
    await expect(aborted).rejects.toBe("enough");
    expect(bytes(await model.runAsync({ image }, { yieldEvery: 0 })).equals(wanted)).toBe(true);
    const gone = model.runAsync({ image }, { yieldEvery: 0 });
    model.dispose();
    await expect(gone).rejects.toThrow(DisposedError);
    const other = await begin(rt);
    const late = other.model.runAsync({ image }, { yieldEvery: 0 });
    rt.dispose();
    await expect(late).rejects.toThrow(DisposedError);
  });

  it("lets others run meanwhile, each with its own bits", async () => {
    using rt = await createRuntime({ variant: "simd", threads: { min: 3, max: 3 } });
    const [one, two] = [await begin(rt), await begin(rt)];
    const wanted = bytes(one.model.run({ image: one.image }));
    for (let i = 0; i < 5; i++) {
      const running = [one, two].map(({ model, image }) => model.runAsync({ image }, { yieldEvery: 0 }));
      const plan = convolution(rt);
      await new Promise((resolve) => setTimeout(resolve));
      expect(plan().length).toBe(4 * 24 * 28 * 28);
      for (const answer of await Promise.all(running)) expect(bytes(answer).equals(wanted)).toBe(true);
    }
  });
});

describe("workers", () => {
  it("end with their runtimes, also with those that are dropped, or gone before a worker has started", async () => {
    const ended: boolean[] = [];
    const worker = () => {
      const made = new Worker(`(${work})()`, { eval: true });
      const i = ended.push(false) - 1;
      made.on("exit", () => {
        ended[i] = true;
      });
      return made;
    };
    const live = async (i: number) => {
      const rt = await createRuntime({ variant: "simd", threads: i % 3 === 0 ? { min: 2, max: 2 } : 2, worker });
      if (i % 3 !== 2) rt.dispose(); // else it is dropped
    };
    for (let i = 0; i < 24; i++) await live(i);
    await vi.waitFor(
      () => {
        globalThis.gc?.();
        expect(ended.filter((is) => !is)).toEqual([]);
      },
      { timeout: HANGS_MS, interval: 100 },
    );
    expect(ended.length).toBe(24);
  });

  it("keep no process alive, and end with it in the middle of a run", async () => {
    const run =
      "const rt = await createRuntime({ threads: { min: 3, max: 3 } }); console.log(rt.report().threads.running);";
    expect(await script(run)).toBe("3\n");
    expect(await script(`await createRuntime({ threads: 4 }); console.log("there");`)).toBe("there\n");
    const loop = `const x = rt.zeros([1, 64, 64, 64]), w = rt.zeros([64, 64, 3, 3]);
      const plan = rt.plan.conv2d({ input: x.shape, weight: w, padding: 1 }), y = rt.empty(plan.outputs[0]);
      setTimeout(() => process.exit(0), 50);
      (function again() { plan.run(x, y); setImmediate(again); })();`;
    expect(await script(run + loop)).toBe("3\n");
  });

  it("are asked for by numbers that make sense", async () => {
    using auto = await createRuntime({ threads: "auto" });
    expect(auto.report().threads.asked).toBeGreaterThanOrEqual(1);
    expect(auto.report().threads.asked).toBeLessThanOrEqual(8);
    using some = await createRuntime({ threads: { max: 2 } });
    expect(some.report().threads.asked).toBe(2);
    using one = await createRuntime({ threads: 1 });
    expect(one.report().threads).toEqual({ asked: 1, running: 1 });
    expect(one.zeros([1]).data.buffer).toBeInstanceOf(ArrayBuffer);
  });
});

it("a convolution on threads is what the reference says", async () => {
  using rt = await createRuntime({ variant: "simd", threads: { min: 3, max: 3 } });
  const got = new Float32Array(new Uint8Array(convolution(rt)()).buffer);
  const refs = [refOf(fill(X, "x"), X), refOf(fill(W, "w"), W), null, { padding: [1, 1, 1, 1] }] as const;
  const tolerance = dotTolerance(24 * 9, reference.conv2dMagnitude(...refs));
  const wrong = reference
    .conv2d(...refs)
    .data.filter((value, i) => !(Math.abs((got[i] as number) - value) <= (tolerance[i] as number)));
  expect(wrong.length).toBe(0);
});
