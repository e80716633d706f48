// Bad input by the thousand, seeded: whatever comes, the answer is a result or a typed error of one sentence, and memory
// is as it was. What each message says is tested beside each operator.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataError, readCifar10, readIdx } from "../src/datasets/index.js";
import * as lanewise from "../src/index.js";
import { createModel, type GraphData, lenet5, type Runtime, readSafetensors, Tensor } from "../src/index.js";
import { OPERATORS } from "../src/ops/index.js";
import type { Operator } from "../src/ops/operator.js";
import { BINARIES } from "./binaries.js";
import { random } from "./random.js";

const TYPED = [
  TypeError,
  RangeError,
  DataError,
  lanewise.ShapeError,
  lanewise.DisposedError,
  lanewise.ModelError,
].concat(lanewise.UnsupportedError as never, lanewise.OutOfMemoryError as never);
const weights = readFileSync(new URL("../examples/lenet5/lenet5.safetensors", import.meta.url));

/** Calls `act`: true when it went well, false when it was refused as it should be; anything else fails the test. */
async function accepted(act: () => unknown, shown: () => string): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    const isTyped = TYPED.some((type) => error instanceof type);
    if (!isTyped || !/ expected .*, got /s.test((error as Error).message)) {
      throw new Error(`${shown()} gave ${(error as Error).stack}`);
    }
    return false;
  }
}

let rt: Runtime;
beforeAll(async () => {
  rt = await lanewise.createRuntime({ variant: "simd", maxBytes: 2 ** 26 });
});
afterAll(() => rt.dispose());

const held = () => {
  const { bytesInUse, liveTensors, livePlans } = rt.report();
  return `${bytesInUse} ${liveTensors} ${livePlans}`;
};

const VALUES: readonly unknown[] = [
  ...[undefined, null, -1, 0, 1, 2, 3, 1.5, NaN, Infinity, 2 ** 31, 2 ** 53, "x", "same", "relu", "channelsLast", 5n],
  ...[[], {}, [1], [1, 1], [0, 0], [-1, -1], [1, 2, 3, 4], [NaN, 1], [2 ** 30, 2 ** 30], [1e9, 1e9, 1e9, 1e9]],
  ...[
    true,
    false,
    Symbol("s"),
    () => 1,
    { type: "clip", min: 2, max: 1 },
    [
      [1, 1],
      [1, 1],
    ],
    "reflect",
    [null],
  ],
];

describe("operators", () => {
  it("with any operands and options", async () => {
    const { integer } = random(11);
    const pick = <T>(list: readonly T[]): T => list[integer(0, list.length - 1)] as T;
    const other = await (BINARIES[1] as (typeof BINARIES)[number]).create();
    const shapes = [[1, 4, 6, 6], [4, 4, 3, 3], [4], [5, 4], [1, 4, 6], [], [2, 3, 4, 5, 6, 7, 1, 1]];
    const good = [...shapes.map((shape) => rt.zeros(shape)), rt.zeros([1, 4, 6, 6], { dtype: "uint8" })];
    const disposed = rt.zeros([4]);
    disposed.dispose();
    const odd = [...VALUES, disposed, other.zeros([1, 4, 6, 6]), [disposed], good];
    const before = held();
    for (const operator of Object.values(OPERATORS) as unknown as Operator[]) {
      const count = (operator.variadic ? 1 : operator.inputs.length) + operator.params.length;
      const call = rt[operator.name as "relu"] as unknown as (...args: unknown[]) => Tensor | Record<string, Tensor>;
      const plan = rt.plan[operator.name as "relu"] as unknown as (args: object) => lanewise.Plan;
      let [right, wrong] = [0, 0];
      for (let i = 0; i < 400; i++) {
        const options = Object.fromEntries(
          Array.from({ length: integer(0, 2) }, () => [pick([...operator.options, "stride"]), pick(VALUES)]),
        );
        const args: unknown[] = Array.from({ length: count }, () => pick(integer(0, 9) ? good : odd));
        const act = () => {
          if (i % 4 === 0) {
            const named = [...operator.inputs, ...operator.params].map((name) => [
              name,
              pick([...shapes, ...odd, ...good]),
            ]);
            plan({ ...Object.fromEntries(named), ...options }).dispose();
            return;
          }
          const result = call.call(rt, ...args, options);
          for (const tensor of result instanceof Tensor ? [result] : Object.values(result)) tensor.dispose();
        };
        if (await accepted(act, () => `${operator.name} with ${args.map(String)} ${Object.keys(options)}`)) right++;
        else wrong++;
        expect(held(), operator.name).toBe(before);
      }
      expect(wrong, `${operator.name}: ${right} calls went well`).toBeGreaterThan(20);
    }
    for (const tensor of good) tensor.dispose();
    other.dispose();
  });
});

describe("models", () => {
  it("from graphs with anything in any field", async () => {
    const { integer } = random(12);
    const map = readSafetensors(weights);
    const whole = JSON.parse(JSON.stringify(lenet5())) as Record<string, unknown>;
    const paths: string[][] = [];
    const walk = (node: object, path: string[]) => {
      for (const [key, value] of Object.entries(node)) {
        paths.push([...path, key]);
        if (typeof value === "object" && value !== null) walk(value, [...path, key]);
      }
    };
    walk(whole, []);
    const values = [
      ...VALUES.filter((value) => typeof value !== "symbol" && typeof value !== "function"),
      "image",
      ["image"],
    ];
    const before = held();
    for (const path of paths) {
      for (const value of [...values, "(deleted)"]) {
        const graph = structuredClone(whole);
        let node = graph;
        for (const key of path.slice(0, -1)) node = node[key] as Record<string, unknown>;
        const last = path.at(-1) as string;
        if (value === "(deleted)") delete node[last];
        else node[last] = value;
        const act = () => createModel(rt, graph as unknown as GraphData, map, { maxBytes: 2 ** 24 }).dispose();
        if (integer(0, 3) === 0) await accepted(act, () => `${path.join(".")} = ${String(value)}`);
        expect(held()).toBe(before);
      }
    }
  });

  const oddities = [undefined, null, 3, "x", {}, [], { image: 3 }, { "conv1.weight": null }].map((value) => ({
    value,
  }));
  it.each(oddities)("from $value", async ({ value }) => {
    const [odd, map] = [value as never, readSafetensors(weights)];
    const model = createModel(rt, lenet5(), map);
    const before = held();
    const acts = [
      ...[() => createModel(odd, lenet5(), map), () => createModel(rt, odd, map), () => createModel(rt, lenet5(), odd)],
      ...[() => lanewise.summarize(odd, lenet5()), () => lanewise.summarize(rt, odd), () => rt.empty(odd).dispose()],
      ...[() => lanewise.sequential(odd, []), () => lanewise.sequential({ x: [1] }, odd)],
      ...[() => lanewise.foldBatchNorm([1], null, odd), () => model.input(odd), () => model.output(odd)],
      ...[
        () => rt.tensor(odd, [1]).dispose(),
        () => rt.tensor([1], odd).dispose(),
        () => rt.clone(odd).dispose(),
        () => readSafetensors(odd),
      ],
    ];
    let refused = 0;
    for (const act of acts) if (!(await accepted(act, () => `${act} with ${JSON.stringify(value)}`))) refused++;
    await accepted(
      () => model.run(odd),
      () => "run",
    );
    await accepted(
      () => lenet5(odd),
      () => "lenet5",
    );
    expect(refused).toBeGreaterThan(8);
    expect(held()).toBe(before);
    model.dispose();
  });
});

describe("files", () => {
  const idx = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3, ...Array(18).fill(7));
  const header = 8 + Number(weights.readBigUInt64LE(0));
  it.each([
    [
      "safetensors",
      weights,
      header,
      (bytes: Uint8Array) => createModel(rt, lenet5(), readSafetensors(bytes)).dispose(),
    ],
    ["IDX", idx, 16, readIdx],
    ["IDX, gzipped", gzipSync(idx), 60, readIdx],
    ["CIFAR-10", new Uint8Array(3073 * 2), 6146, readCifar10],
  ] as const)("%s, cut short and with wrong bytes", async (name, whole, reach, read) => {
    const { integer } = random(13);
    const before = held();
    expect(
      await accepted(
        () => read(Uint8Array.from(whole)),
        () => name,
      ),
    ).toBe(true);
    let refused = 0;
    for (let i = 0; i < 500; i++) {
      const bytes = Uint8Array.from(whole);
      for (let n = integer(0, 3); n > 0; n--) bytes[integer(0, Math.min(reach, bytes.length) - 1)] = integer(0, 255);
      const given = integer(0, 2) === 0 ? bytes.subarray(0, integer(0, bytes.length - 1)) : bytes;
      if (
        !(await accepted(
          () => read(given),
          () => `${name}, variation ${i}`,
        ))
      )
        refused++;
    }
    expect(refused).toBeGreaterThan(100);
    expect(held()).toBe(before);
  });
});
