// The same bits with any number of threads, more than there are cores among them: every kernel, cut as finely as its work items go,
// and a network as it is planned.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createModel,
  createRuntime,
  lenet5,
  type Runtime,
  type RuntimeReport,
  randomWeights,
} from "../../src/index.js";
import { KERNELS } from "../../src/kernels/table.js";
import type { Builder } from "../../src/plan/builder.js";
import { internalsOf } from "../../src/runtime/runtime.js";
import type { Threads } from "../../src/threads/crew.js";
import { fill } from "../random.js";
import { CALLS, SHAPE, tensorsOf } from "../slice-calls.js";
import { FORMATS, tensorOf } from "../tensors.js";
import "./limit.js";

const COUNTS = [1, 2, 3, 4, 7, 16];

/** Every call answers these bytes, by call and memory format. */
type Answers = ReadonlyMap<string, Buffer>;

/** What is planned from here on is split into about three units a thread, whatever it costs. */
function splitAll(rt: Runtime, threads: number): Set<string> {
  const internals = internalsOf(rt) as { planning: ReturnType<typeof internalsOf>["planning"] };
  const { planning } = internals;
  const reached = new Set<string>();
  const split: Builder["planning"]["split"] = (_, { kernel, items }) => {
    if (items > 1) reached.add(String(kernel));
    return Math.ceil(items / (3 * threads));
  };
  internals.planning = (...args) => ({ ...planning(...args), split });
  return reached;
}

async function answersOf(rt: Runtime): Promise<Answers> {
  const answers = new Map<string, Buffer>();
  for (const memoryFormat of FORMATS) {
    for (const [name, call] of CALLS) {
      using x = tensorOf(rt, fill(SHAPE, "x"), SHAPE, memoryFormat);
      const outputs = tensorsOf(await call(rt, x));
      answers.set(`${name} ${memoryFormat}`, Buffer.concat(outputs.map((y) => Buffer.from(y.toArray().buffer))));
      for (const y of outputs) y.dispose();
    }
  }
  return answers;
}

const read = (name: string) => readFileSync(new URL(`../../build/wasm/${name}.wasm`, import.meta.url));
const GIVEN = {
  wasm: read("simd"),
  packs: {
    numeric: read("numeric-simd"),
    rare: read("rare-simd"),
    recurrent: read("recurrent-simd"),
    audio: read("audio-simd"),
    int8: read("int8-simd"),
    half: read("half-simd"),
  },
};
/** With 3 threads, of binaries that are given; else with the package's own, packs as they are needed. */
async function create(threads: number): Promise<Runtime> {
  const rt = await createRuntime({
    variant: "simd",
    threads: { min: threads, max: threads },
    ...(threads === 3 && GIVEN),
  });
  const { crew } = internalsOf(rt).engine;
  if (crew) (crew as Threads).worthWakingNs = 0; // also for what one thread has done by then
  return rt;
}

describe("every kernel", () => {
  let alone: Answers;
  let left: RuntimeReport;
  beforeAll(async () => {
    using rt = await create(1);
    alone = await answersOf(rt);
    left = rt.report();
  });

  it.each(COUNTS.slice(1))("answers the same bits with %i threads", async (threads) => {
    using rt = await create(threads);
    expect(rt.report().threads).toEqual({ asked: threads, running: threads });
    const reached = splitAll(rt, threads);
    const answers = await answersOf(rt);
    expect([...answers.keys()].filter((name) => !alone.get(name)?.equals(answers.get(name) as Buffer))).toEqual([]);
    expect(answers.size).toBe(alone.size);
    // All but those of a layer's own pack, which are no steps of plans.
    const others = KERNELS.filter((name) => !reached.has(name));
    expect(others).toEqual(["resample_u8", "blend_u8"]);
    const { bytesInUse, liveTensors, livePlans } = left;
    expect(rt.report()).toMatchObject({ bytesInUse, liveTensors, livePlans });
  });
});

describe("a network", () => {
  const graph = lenet5({ batch: 16 });
  const weights = randomWeights(graph);
  let rts: Runtime[];
  beforeAll(async () => {
    rts = await Promise.all(COUNTS.map(create));
  });
  afterAll(() => {
    for (const rt of rts) rt.dispose();
  });

  it.each(["run", "runAsync"] as const)("answers the same bits by %s()", async (how) => {
    const answers: Buffer[] = [];
    for (const rt of rts) {
      using model = createModel(rt, graph, weights);
      using image = rt.tensor(fill([16, 1, 28, 28], "image"), [16, 1, 28, 28]);
      for (let i = 0; i < 5; i++) {
        const { logits } = how === "run" ? model.run({ image }) : await model.runAsync({ image }, { yieldEvery: 0 });
        answers.push(Buffer.from((logits as NonNullable<typeof logits>).toArray().buffer));
      }
    }
    expect(answers.every((answer) => answer.equals(answers[0] as Buffer))).toBe(true);
  });
});
