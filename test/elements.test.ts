// What a tensor may be made of: elements are kept or refused, never turned into others.
import vm from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createModel,
  createRuntime,
  type DType,
  type Elements,
  Graph,
  ModelError,
  type Runtime,
  readSafetensors,
  writeSafetensors,
} from "../src/index.js";

let rt: Runtime;
beforeAll(async () => {
  rt = await createRuntime();
});
afterAll(() => rt.dispose());

/** A value made in another realm, as frames and jsdom have them. */
const elsewhere = (code: string): never => vm.runInNewContext(code) as never;

const made = (data: unknown, dtype?: DType): unknown => {
  using tensor = rt.tensor(data as Elements, [(data as Elements).length], { dtype });
  return tensor.toArray();
};

describe("elements", () => {
  it.each([
    ["uint8", [1, 2, 300, -1], RangeError, "300 at 2"],
    ["uint8", [1, -1], RangeError, "-1 at 1"],
    ["uint8", [0.5], RangeError, "0.5 at 0"],
    ["int8", Int32Array.of(127, 128), RangeError, "128 at 1"],
    ["int32", [NaN], RangeError, "NaN at 0"],
    ["int32", [Infinity], RangeError, "Infinity at 0"],
    ["uint16", Float32Array.of(65535, 65536), RangeError, "65536 at 1"],
    ["uint8", Int8Array.of(-1), RangeError, "-1 at 0"],
    ["int32", ["1"], TypeError, '"1" at 0'],
    ["int32", [true], TypeError, "true at 0"],
    ["int32", [1n], TypeError, "1n at 0"],
    ["float32", ["1", "2"], TypeError, '"1" at 0'],
    ["float32", new Array(2), TypeError, "undefined at 0"],
    ["float32", [1, null], TypeError, "null at 1"],
    ["float32", [1n], TypeError, "1n at 0"],
    ["float32", BigInt64Array.of(1n), TypeError, "1n at 0"],
    ["float64", [{}], TypeError, "an object at 0"],
    ["int64", [1.5], RangeError, "1.5 at 0"],
    ["int64", [2 ** 63], RangeError, "9223372036854776000 at 0"],
    ["int64", [NaN], RangeError, "NaN at 0"],
    ["int64", ["1"], TypeError, '"1" at 0'],
    ["uint64", [-1], RangeError, "-1 at 0"],
    ["uint64", BigInt64Array.of(-1n), TypeError, "-1n at 0"],
    ["bool", [0, 1, 2], RangeError, "2 at 2"],
    ["bool", Uint8Array.of(255), RangeError, "255 at 0"],
  ] as const)("%s refuses %o", (dtype, data, type, got) => {
    const before = rt.report();
    const act = () => made(data, dtype);
    expect(act).toThrow(type);
    expect(act).toThrow(`"data" expected elements of ${dtype}, got ${got}`);
    expect(rt.report()).toEqual(before);
  });

  it.each([
    ["uint8", [0, 255, -0], Uint8Array.of(0, 255, 0)],
    ["uint8", Uint8ClampedArray.of(7, 255), Uint8Array.of(7, 255)],
    ["int8", Float64Array.of(-128, 127), Int8Array.of(-128, 127)],
    ["int64", [4, -5, 2 ** 53], BigInt64Array.of(4n, -5n, 2n ** 53n)],
    ["int64", [4n, -5n], BigInt64Array.of(4n, -5n)],
    ["int64", Int32Array.of(3, -4), BigInt64Array.of(3n, -4n)],
    ["uint64", [2 ** 63], BigUint64Array.of(2n ** 63n)],
    ["uint64", BigInt64Array.of(9n), BigUint64Array.of(9n)],
    ["bool", [1, 0, true, false], Uint8Array.of(1, 0, 1, 0)],
    ["float32", [1.5, NaN, -Infinity], Float32Array.of(1.5, NaN, -Infinity)],
    ["float32", [0.1, 16777217], Float32Array.of(Math.fround(0.1), 16777216)],
    ["float32", Uint8Array.of(1, 255), Float32Array.of(1, 255)],
    ["float64", Float32Array.of(0.5), Float64Array.of(0.5)],
  ] as const)("%s keeps %o", (dtype, data, expected) => {
    expect(made(data, dtype)).toEqual(expected);
  });

  it("are halves where engines have them", () => {
    const { Float16Array } = globalThis as { Float16Array?: { of(...values: number[]): Elements } };
    // Where they have none, what tells it apart, on a view that can be taken.
    const halves =
      Float16Array?.of(1.5, -2) ??
      Object.defineProperty(Float32Array.of(1.5, -2), Symbol.toStringTag, { value: "Float16Array" });
    expect(made(halves)).toEqual(Float32Array.of(1.5, -2));
    expect(made(halves, "float64")).toEqual(Float64Array.of(1.5, -2));
  });
});

describe("of another realm", () => {
  it("typed arrays and lists are taken as they are", () => {
    expect(made(elsewhere("Float32Array.of(1, 2)"))).toEqual(Float32Array.of(1, 2));
    expect(made(elsewhere("Uint8ClampedArray.of(1, 2)"))).toEqual(Uint8Array.of(1, 2));
    expect(made(elsewhere("BigInt64Array.of(1n)"))).toEqual(BigInt64Array.of(1n));
    expect(made(elsewhere("[1, 2]"))).toEqual(Float32Array.of(1, 2));
    expect(() => made(elsewhere("new DataView(new ArrayBuffer(4))"))).toThrow(TypeError);
    expect(() => made({ [Symbol.toStringTag]: "Float32Array", length: 1 })).toThrow(TypeError);
  });

  it("weights are, in maps and files", () => {
    const g = new Graph();
    g.output("y", g.add(g.input("x", [2]), g.parameter("w", [2])));
    const x = rt.tensor([1, 2], [2]);
    const weights = elsewhere('new Map([["w", { shape: [2], dtype: "float32", data: Float32Array.of(10, 20) }]])');
    using model = createModel(rt, g, weights);
    expect(model.run({ x })["y"]?.toArray()).toEqual(Float32Array.of(11, 22));
    const file = writeSafetensors(weights);
    const move = elsewhere("(bytes) => Uint8Array.from(bytes).buffer") as (bytes: Uint8Array) => ArrayBuffer;
    expect(readSafetensors(move(file)).get("w")?.data).toEqual(Float32Array.of(10, 20));
  });

  it("signals are", async () => {
    const g = new Graph();
    g.output("y", g.relu(g.input("x", [2])));
    using model = createModel(rt, g, {});
    using x = rt.tensor([1, -2], [2]);
    const going = elsewhere("({ aborted: false })");
    expect((await model.runAsync({ x }, { signal: going }))["y"]?.toArray()).toEqual(Float32Array.of(1, 0));
    const aborted = elsewhere('({ aborted: true, reason: "enough" })');
    await expect(model.runAsync({ x }, { signal: aborted })).rejects.toBe("enough");
    await expect(model.runAsync({ x }, { signal: {} as never })).rejects.toThrow('"signal" expected an AbortSignal');
  });
});

describe("the outputs of a run", () => {
  it("are those that are asked for", async () => {
    const g = new Graph();
    const x = g.input("x", [2]);
    g.output("up", g.relu(x));
    g.output("down", g.layer("half").mul(x, x));
    using model = createModel(rt, g, {});
    using tensor = rt.tensor([3, -2], [2]);
    const inputs = { x: tensor };
    expect(Object.keys(model.run(inputs))).toEqual(["up", "down"]);
    const { down, ...others } = model.run(inputs, ["down"]);
    expect(others).toEqual({});
    expect(down?.toArray()).toEqual(Float32Array.of(9, 4));
    expect(Object.keys(await model.runAsync(inputs, { outputs: ["up"] }))).toEqual(["up"]);
    expect(model.run(inputs, [])).toEqual({});
    const unknown = '"outputs" expected names among up, down, got "left"';
    expect(() => model.run(inputs, ["up", "left"])).toThrow(ModelError);
    expect(() => model.run(inputs, ["up", "left"])).toThrow(unknown);
    await expect(model.runAsync(inputs, { outputs: ["left"] })).rejects.toThrow(unknown);
    expect(() => model.run(inputs, "up" as never)).toThrow('"outputs" expected an array of names, got "up"');
    expect(() => model.run(inputs, ["constructor"])).toThrow(ModelError);
  });
});
