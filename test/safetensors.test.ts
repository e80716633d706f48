// The safetensors reader and writer: files written by hand, round trips, and every way a file can be wrong.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ModelError, ShapeError, UnsupportedError } from "../src/base/errors.js";
import { DTYPES, type DType, type TensorData } from "../src/base/spec.js";
import { readSafetensors, writeSafetensors } from "../src/model/safetensors.js";
import type { HostTensor, WeightMap } from "../src/model/weights.js";
import { type Random, random } from "./random.js";

/** A file of a header, given as JSON text, bytes or an object, and data bytes. */
function file(header: object | string | Uint8Array, data: ArrayBufferView | number[] = []): Uint8Array<ArrayBuffer> {
  const text = typeof header === "string" ? header : JSON.stringify(header);
  const head = header instanceof Uint8Array ? header : new TextEncoder().encode(text);
  const body = Array.isArray(data)
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = new Uint8Array(8 + head.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  bytes.set(body, 8 + head.length);
  return bytes;
}

const entry = (dtype: unknown, shape: unknown, begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

/** The data of the only tensor of a file. */
function readOne(dtype: string, data: TensorData | Uint16Array): HostTensor {
  return readSafetensors(file({ t: entry(dtype, [data.length], 0, data.byteLength) }, data)).get("t") as HostTensor;
}

function randomTensor(dtype: DType, shape: readonly number[], { integer, normal }: Random): HostTensor {
  const data = new DTYPES[dtype](shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    if (data instanceof BigInt64Array) data[i] = (BigInt(integer(0, 2 ** 32)) << 31n) - BigInt(integer(0, 2 ** 32));
    else if (dtype === "bool") data[i] = integer(0, 1);
    else data[i] = dtype === "float32" ? normal() : integer(-(2 ** 31), 2 ** 31 - 1);
  }
  return { shape, dtype, data };
}

/** The first places where two arrays differ: quicker to make and to read than the diff of 65536 numbers. */
function differences(a: ArrayLike<unknown>, b: ArrayLike<unknown>): unknown[] {
  const places = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => ({ i, a: a[i], b: b[i] }));
  return places.filter((place) => !Object.is(place.a, place.b)).slice(0, 5);
}

const NAMES = ["weight", 'a "quoted" \\ name', "ключ 🗝", "constructor", "", "x".repeat(99)];

function randomWeights(seed: string): Map<string, HostTensor> {
  const chance = random(seed);
  const weights = new Map<string, HostTensor>();
  const dtypes = Object.keys(DTYPES) as DType[];
  for (let n = chance.integer(0, 12); n > 0; n--) {
    const shape = Array.from({ length: chance.integer(0, 5) }, () => chance.integer(n % 4 ? 1 : 0, 5));
    weights.set(`${n}.${NAMES[n % NAMES.length]}`, randomTensor(dtypes[chance.integer(0, 5)] as DType, shape, chance));
  }
  return weights;
}

/** By name: the writer orders tensors by element size. */
function sorted(weights: WeightMap): [string, HostTensor][] {
  return [...weights].sort(([a], [b]) => (a < b ? -1 : 1));
}

describe("readSafetensors", () => {
  it("reads a file byte by byte", () => {
    const b = `"b":{"dtype":"I32","shape":[2],"data_offsets":[4,12]}`;
    const a = `"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}`;
    const weights = readSafetensors(file(`{${b},${a}} `, [0, 0, 0x20, 0xc0, 1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff]));
    expect([...weights]).toStrictEqual([
      ["b", { shape: [2], dtype: "int32", data: new Int32Array([0x04030201, -1]) }],
      ["a", { shape: [], dtype: "float32", data: new Float32Array([-2.5]) }],
    ]);
  });

  it.each([
    ["F32", "float32", new Float32Array([1.5, -0, Number.NaN, Number.POSITIVE_INFINITY])],
    ["I8", "int8", new Int8Array([1, -128])],
    ["U8", "uint8", new Uint8Array([1, 255])],
    ["I32", "int32", new Int32Array([1, -(2 ** 31)])],
    ["I64", "int64", new BigInt64Array([1n, -(2n ** 63n)])],
    ["U16", "uint16", new Uint16Array([1, 65535])],
    ["I16", "int16", new Int16Array([-1, 32767])],
    ["U32", "uint32", new Uint32Array([1, 2 ** 32 - 1])],
    ["U64", "uint64", new BigUint64Array([1n, 2n ** 64n - 1n])],
    ["F64", "float64", new Float64Array([0.1, -1e300])],
    ["BOOL", "bool", new Uint8Array([0, 1])],
  ])("reads %s as %s", (name, dtype, data) => {
    expect(readOne(name, data)).toStrictEqual({ shape: [data.length], dtype, data });
  });

  it("expands all 65536 values of F16", () => {
    const { dtype, data } = readOne(
      "F16",
      Uint16Array.from({ length: 65536 }, (_, bits) => bits),
    );
    expect(dtype).toBe("float32");
    const expected = Float32Array.from({ length: 65536 }, (_, bits) => {
      const sign = bits >> 15 ? -1 : 1;
      const exponent = (bits >> 10) & 31;
      const mantissa = (bits & 1023) / 1024;
      if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
      return sign * (exponent === 0 ? mantissa * 2 ** -14 : (1 + mantissa) * 2 ** (exponent - 15));
    });
    expect(differences(data, expected)).toEqual([]);
  });

  it("expands all 65536 values of BF16", () => {
    const { dtype, data } = readOne(
      "BF16",
      Uint16Array.from({ length: 65536 }, (_, bits) => bits),
    );
    expect(dtype).toBe("float32");
    const expected = Float32Array.from({ length: 65536 }, (_, bits) => {
      const sign = bits >> 15 ? -1 : 1;
      const exponent = (bits >> 7) & 255;
      const mantissa = (bits & 127) / 128;
      if (exponent === 255) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
      return sign * (exponent === 0 ? mantissa * 2 ** -126 : (1 + mantissa) * 2 ** (exponent - 127));
    });
    expect(differences(data, expected)).toEqual([]);
  });

  it("reads the same at every address and from everything that holds bytes", () => {
    const weights = randomWeights("addresses");
    const bytes = writeSafetensors(weights);
    const check = (read: WeightMap) => expect(sorted(read)).toStrictEqual(sorted(weights));
    check(readSafetensors(bytes.buffer));
    for (let offset = 0; offset < 9; offset++) {
      const moved = new Uint8Array(bytes.length + offset + 5);
      moved.set(bytes, offset);
      check(readSafetensors(moved.subarray(offset, offset + bytes.length)));
      check(readSafetensors(Buffer.from(moved.buffer, offset, bytes.length)));
    }
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    check(readSafetensors(shared));
  });

  it("views aligned tensors and copies the others", () => {
    const header = { a: entry("U8", [1], 0, 1), b: entry("F32", [1], 1, 5), c: entry("U8", [3], 5, 8) };
    const text = JSON.stringify(header);
    const bytes = file(text.padEnd(Math.ceil(text.length / 8) * 8), [7, 0, 0, 128, 63, 1, 2, 3]);
    const weights = readSafetensors(bytes);
    bytes.fill(9, bytes.length - 8);
    expect(weights.get("a")?.data).toStrictEqual(new Uint8Array([9]));
    expect(weights.get("b")?.data).toStrictEqual(new Float32Array([1]));
    expect(weights.get("c")?.data).toStrictEqual(new Uint8Array([9, 9, 9]));
  });

  it("reads a file without tensors, and one with metadata only", () => {
    expect(readSafetensors(file("{}")).size).toBe(0);
    expect(readSafetensors(file({ __metadata__: { seed: "1", constructor: "x" } })).size).toBe(0);
  });

  it("reads empty tensors, wherever they stand", () => {
    const weights = readSafetensors(
      file(
        {
          d: entry("F32", [0], 4, 4),
          a: entry("F32", [3, 0], 0, 0),
          c: entry("I32", [1], 0, 4),
          b: entry("I64", [...new Array<number>(40).fill(2 ** 50), 0], 0, 0),
        },
        [1, 0, 0, 0],
      ),
    );
    expect([...weights].map(([name, { data }]) => [name, data.length])).toEqual([
      ["d", 0],
      ["a", 0],
      ["c", 1],
      ["b", 0],
    ]);
  });

  it("takes names of Object.prototype for names", () => {
    const names = ["constructor", "toString", "hasOwnProperty"];
    const header = Object.fromEntries(names.map((name, i) => [name, entry("U8", [1], i, i + 1)]));
    expect([...readSafetensors(file(header, [1, 2, 3])).keys()]).toEqual(names);
  });

  it("takes escaped quotes and braces in names for what they are", () => {
    const names = ['"', "\\", '\\"', "{", "}:{", '": {', "dtype", "\ud800"];
    const header = Object.fromEntries(names.map((name, i) => [name, entry("U8", [1], i, i + 1)]));
    expect([...readSafetensors(file(header, new Uint8Array(8))).keys()]).toEqual(names);
  });

  it.each([
    ["a string", "abc", `"abc"`],
    ["nothing", undefined, "undefined"],
    ["floats", new Float32Array(4), "Float32Array"],
    ["an array", [1], "[1]"],
  ])("refuses %s for bytes", (_, bytes, got) => {
    expect(() => readSafetensors(bytes as unknown as Uint8Array)).toThrow(
      new TypeError(`"bytes" expected a Uint8Array or an ArrayBuffer, got ${got}`),
    );
  });

  const length = (value: bigint, rest = 0) => {
    const bytes = new Uint8Array(8 + rest);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    return bytes;
  };
  const one = (dtype: unknown, shape: unknown, begin: unknown, end: unknown) =>
    file({ w: entry(dtype, shape, begin, end) }, new Uint8Array(8));
  const two = (a: [number, number], b: [number, number], bytes = 8) =>
    file({ a: entry("U8", [a[1] - a[0]], ...a), b: entry("U8", [b[1] - b[0]], ...b) }, new Uint8Array(bytes));
  const notJson = (bytes: number) => `"bytes" expected a header of JSON in UTF-8, got ${bytes} other bytes`;
  const repeated = (name: string, json: string) =>
    [
      `equal names in ${json}`,
      file(json, [0]),
      `"bytes" expected every name once in its header, got "${name}" twice`,
    ] as const;
  const good = `{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`;

  const malformed: (readonly [string, Uint8Array, string])[] = [
    ["no bytes", new Uint8Array(), `"bytes" expected at least 8 bytes, got 0`],
    ["seven bytes", new Uint8Array(7), `"bytes" expected at least 8 bytes, got 7`],
    ["a header beyond the end", length(3n, 2), `"bytes" expected a header of at most 2 bytes, got 3`],
    [
      "the longest header",
      length(2n ** 64n - 1n),
      `"bytes" expected a header of at most 0 bytes, got 18446744073709551615`,
    ],
    [
      "a header beyond the cap",
      length(100_000_001n, 100_000_010),
      `"bytes" expected a header of at most 100000000 bytes, got 100000001`,
    ],
    ["an empty header", file(""), notJson(0)],
    ["text", file("hello"), notJson(5)],
    ["cut JSON", file(`{"w":`), notJson(5)],
    ["a byte order mark", file("\ufeff{}"), notJson(5)],
    ["no UTF-8", file(Buffer.from('{"__metadata__":{"a":"\xff"}}', "latin1")), notJson(26)],
    ["an array", file("[]"), `"bytes" expected a header that begins with {, got "["`],
    ["a number", file("12"), `"bytes" expected a header that begins with {, got "1"`],
    ["null", file("null"), `"bytes" expected a header that begins with {, got "n"`],
    ["a space before the header", file(" {}"), `"bytes" expected a header that begins with {, got " "`],
    repeated("w", `{"w":${good},"w":${good}}`),
    repeated("w", `{"w":${good}, "\\u0077" \n : ${good}}`),
    repeated("w", `{"w":{"dtype":"U8","x":{"w":"}\\"{["},"shape":[1],"data_offsets":[0,1]},"w":${good}}`),
    repeated("shape", `{"w":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}`),
    repeated("__metadata__", `{"__metadata__":{},"__metadata__":{},"w":${good}}`),
    repeated("a", `{"__metadata__":{"a":"1","a":"2"},"w":${good}}`),
    [
      "the prototype for a name",
      file(`{"__proto__":${good}}`, [0]),
      `"bytes" expected other tensor names, got "__proto__"`,
    ],
    [
      "a fourth level",
      file({ w: { dtype: "U8", shape: [[1]], data_offsets: [0, 1] } }),
      `"bytes" expected a header of at most 3 levels, got more`,
    ],
    [
      "metadata that is no object",
      file({ __metadata__: "x" }),
      `"__metadata__" expected an object of strings, got "x"`,
    ],
    [
      "metadata of numbers",
      file({ __metadata__: { seed: 1 } }),
      `"__metadata__" expected an object of strings, got an object`,
    ],
    ["a tensor that is no object", file({ w: 5 }), `"w" expected an object, got 5`],
    ["a tensor that is an array", file({ w: [] }), `"w" expected an object, got []`],
    ["no dtype", file({ w: { shape: [], data_offsets: [0, 4] } }), `"w" expected the name of a dtype, got undefined`],
    ["a number for a dtype", one(5, [2], 0, 8), `"w" expected the name of a dtype, got 5`],
    [
      "no shape",
      file({ w: { dtype: "F32", data_offsets: [0, 4] } }),
      `"w" expected a shape of integers >= 0, got undefined`,
    ],
    ["a number for a shape", one("F32", 2, 0, 8), `"w" expected a shape of integers >= 0, got 2`],
    ["a negative size", one("F32", [-1, -2], 0, 8), `"w" expected a shape of integers >= 0, got [-1, -2]`],
    ["half a size", one("F32", [0.5], 0, 2), `"w" expected a shape of integers >= 0, got [0.5]`],
    ["a string for a size", one("F32", ["2"], 0, 8), `"w" expected a shape of integers >= 0, got ["2"]`],
    ["an inexact size", one("U8", [2 ** 53], 0, 8), `"w" expected a shape of integers >= 0, got [9007199254740992]`],
    [
      "no offsets",
      file({ w: { dtype: "F32", shape: [] } }),
      `"w" expected two data_offsets, integers >= 0, got undefined`,
    ],
    [
      "one offset",
      file({ w: { dtype: "F32", shape: [], data_offsets: [0] } }),
      `"w" expected two data_offsets, integers >= 0, got [0]`,
    ],
    [
      "three offsets",
      file({ w: { dtype: "F32", shape: [], data_offsets: [0, 4, 8] } }),
      `"w" expected two data_offsets, integers >= 0, got [0, 4, 8]`,
    ],
    ["a negative offset", one("F32", [2], -8, 0), `"w" expected two data_offsets, integers >= 0, got [-8, 0]`],
    [
      "an inexact offset",
      one("F32", [2], 2 ** 53, 2 ** 53 + 8),
      `"w" expected two data_offsets, integers >= 0, got [9007199254740992, 9007199254741000]`,
    ],
    [
      "offsets in wrong order",
      one("F32", [2], 8, 0),
      `"w" expected 8 bytes for F32 of shape [2], got -8 in data_offsets [8, 0]`,
    ],
    [
      "a byte too few",
      one("F32", [2], 0, 7),
      `"w" expected 8 bytes for F32 of shape [2], got 7 in data_offsets [0, 7]`,
    ],
    [
      "a byte too many",
      one("F16", [4], 0, 9),
      `"w" expected 8 bytes for F16 of shape [4], got 9 in data_offsets [0, 9]`,
    ],
    [
      "a product beyond 2^64, which is 0 in 64 bits",
      one("U8", [2 ** 32, 2 ** 32], 0, 0),
      `"w" expected ${2 ** 64} bytes for U8 of shape [${2 ** 32}, ${2 ** 32}], got 0 in data_offsets [0, 0]`,
    ],
    [
      "a product beyond all numbers",
      one("U8", new Array(100).fill(4096), 0, 8),
      `"w" expected Infinity bytes for U8 of shape [${"4096, ".repeat(8)}...], got 8 in data_offsets [0, 8]`,
    ],
    ["data beyond the end", one("F32", [4], 0, 16), `"w" expected to end within 8 bytes of data, got 16`],
    [
      "data far beyond the end",
      one("U8", [2 ** 53 - 1], 0, 2 ** 53 - 1),
      `"w" expected to end within 8 bytes of data, got 9007199254740991`,
    ],
    ["a gap at the beginning", one("F32", [1], 4, 8), `"w" expected to begin at 0, where the one before ends, got 4`],
    ["a gap in the middle", two([0, 3], [4, 8]), `"b" expected to begin at 3, where the one before ends, got 4`],
    ["a gap at the end", two([4, 7], [0, 4]), `"bytes" expected 7 bytes of data for its tensors, got 8`],
    ["tensors that overlap", two([0, 5], [4, 8]), `"b" expected to begin at 5, where the one before ends, got 4`],
    ["tensors at the same place", two([0, 8], [0, 8]), `"b" expected to begin at 8, where the one before ends, got 0`],
    [
      "an empty tensor within another",
      two([0, 8], [4, 4]),
      `"b" expected to begin at 8, where the one before ends, got 4`,
    ],
    ["data without tensors", file("{}", [0]), `"bytes" expected 0 bytes of data for its tensors, got 1`],
    ["2 for a bool", file({ w: entry("BOOL", [3], 0, 3) }, [0, 1, 2]), `"w" expected 0 or 1 in bool data, got 2`],
  ];

  it.each(malformed)("refuses %s", (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(new ModelError(message));
  });

  // As fetch() and disks have them in a model's place: a page for a wrong address, weights of other formats, packed files.
  it.each([
    ["<!doctype html><html>", "a web page (HTML) or XML: look at the address"],
    ["\n<html><body>Not found", "a web page"],
    ["version https://git-lfs.github.com/spec/v1\noid sha256:0", 'a git-lfs pointer: "git lfs pull" fetches'],
    ["\x1f\x8b\x08\0\0\0\0\0\0\x03", "a gzip file: unpack it first"],
    ["PK\x03\x04\0\0\x08\x08\0\0", "a zip archive, as PyTorch's .pt are: save weights with safetensors.torch"],
    ["\x80\x02}q\0X\x03\0\0", "a pickled Python object"],
    ["\x08\x07\x12\x07pytorch\x1a\x031.3", "an ONNX file: loadOnnx() reads these"],
    ['{"weight": [1, 2, 3]}', "JSON"],
  ])("says what %j looks like", (begin, looks) => {
    const bytes = Uint8Array.from(begin, (letter) => letter.charCodeAt(0));
    expect(() => readSafetensors(bytes)).toThrow(ModelError);
    expect(() => readSafetensors(bytes)).toThrow(`"bytes" expected a safetensors file, got ${looks}`);
  });

  it.each(["F8_E4M3", "C64", "f32", "constructor"])("does not support %s", (dtype) => {
    expect(() => readSafetensors(file({ w: entry(dtype, [1], 0, 8) }, new Uint8Array(8)))).toThrow(
      new UnsupportedError(
        `"w" expected one of the dtypes F32, F16, BF16, I8, U8, I32, I64, BOOL, U16, I16, U32, U64, F64, got "${dtype}"`,
      ),
    );
  });

  it("keeps a cause, and shortens a long name", () => {
    expect(() => readSafetensors(file("{"))).toThrow(expect.objectContaining({ cause: expect.any(SyntaxError) }));
    const name = "x".repeat(1000);
    expect(() => readSafetensors(file({ [name]: 1 }))).toThrow(`"${"x".repeat(57)}..." expected an object, got 1`);
  });

  it.each([
    ["deep brackets", `{"w":${"[".repeat(2e6)}${"]".repeat(2e6)}}`],
    ["deep braces", `${'{"w":'.repeat(1e6)}1${"}".repeat(1e6)}`],
    ["a long string", `{"w":"${"x".repeat(2e7)}"}`],
    ["many escapes", `{"w":"${"\\\\".repeat(1e7)}"}`],
    ["a long key", `{"${'\\"'.repeat(1e7)}":1}`],
    ["many spaces", `{"w"${" ".repeat(2e7)}:1}`],
    ["many spaces after strings", `{"w":[${'"a"        ,'.repeat(1e6)}1]}`],
  ])("refuses %s in the header, in good time", (_, json) => {
    expect(() => readSafetensors(file(json))).toThrow(ModelError);
  });

  it("answers or throws, whatever bytes are changed", () => {
    const { integer } = random("fuzz");
    const bytes = writeSafetensors(randomWeights("addresses"));
    const headerEnd = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
    let refused = 0;
    for (let round = 0; round < 2000; round++) {
      const copy = bytes.slice(0, round % 5 ? undefined : integer(0, bytes.length));
      for (let n = integer(1, 3); n > 0; n--)
        copy[integer(0, headerEnd)] = round % 2 ? integer(0, 255) : integer(0x20, 0x7e);
      try {
        readSafetensors(copy);
      } catch (error) {
        if (!(error instanceof ModelError || error instanceof UnsupportedError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});

describe("writeSafetensors", () => {
  it.each(Array.from({ length: 50 }, (_, round) => `round trip ${round}`))("gives back what it got: %s", (seed) => {
    const weights = randomWeights(seed);
    expect(sorted(readSafetensors(writeSafetensors(weights)))).toStrictEqual(sorted(weights));
  });

  it("writes a file whose tensors are all views of it", () => {
    const dtypes: DType[] = ["uint8", "float32", "bool", "int64", "int8", "int32"];
    const weights = dtypes.map((dtype) => [dtype, randomTensor(dtype, [3], random(dtype))] as const);
    const bytes = writeSafetensors(new Map(weights));
    for (const { data } of readSafetensors(bytes).values()) expect(data.buffer).toBe(bytes.buffer);
  });

  it("writes what the format says", () => {
    const bytes = writeSafetensors(
      new Map([["w", { shape: [1, 2], dtype: "float32", data: new Float32Array([1, 2]) }]]),
    );
    const json = `{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`;
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
    expect(bytes).toStrictEqual(file(padded, new Float32Array([1, 2])));
  });

  it("writes the part of a buffer that a tensor views, and an empty map", () => {
    const data = new Float32Array([1, 2, 3]).subarray(1, 2);
    const read = readSafetensors(writeSafetensors(new Map([["w", { shape: [1], dtype: "float32", data }]])));
    expect(read.get("w")?.data).toStrictEqual(new Float32Array([2]));
    expect(readSafetensors(writeSafetensors(new Map())).size).toBe(0);
  });

  const data = new Float32Array(6);
  const wrong: [string, unknown, Error][] = [
    ["an object", { w: 1 }, new TypeError(`"weights" expected a Map, got an object`)],
    ["a number for a name", new Map([[1, {}]]), new TypeError(`"weights" expected names as keys, got 1`)],
    [
      "a name of the format",
      new Map([["__metadata__", {}]]),
      new ModelError(`"weights" expected other tensor names, got "__metadata__"`),
    ],
    [
      "the prototype for a name",
      new Map([["__proto__", {}]]),
      new ModelError(`"weights" expected other tensor names, got "__proto__"`),
    ],
    ["null for a tensor", new Map([["w", null]]), new TypeError(`"w" expected a tensor, got null`)],
    [
      "an unknown dtype",
      new Map([["w", { shape: [6], dtype: "float8", data: new Uint8Array(6) }]]),
      new UnsupportedError(
        `"w" expected one of the dtypes float32, int8, uint8, int32, int64, bool, uint16, int16, uint32, uint64, float64, got "float8"`,
      ),
    ],
    [
      "data of another dtype",
      new Map([["w", { shape: [6], dtype: "int32", data }]]),
      new TypeError(`"w" expected int32 data in a Int32Array, got Float32Array`),
    ],
    [
      "no shape",
      new Map([["w", { dtype: "float32", data }]]),
      new ShapeError(`"w" expected a shape of integers >= 0, got undefined`),
    ],
    [
      "a shape that does not fit",
      new Map([["w", { shape: [2, 2], dtype: "float32", data }]]),
      new ShapeError(`"w" expected 4 elements for shape [2, 2], got 6`),
    ],
    [
      "2 for a bool",
      new Map([["w", { shape: [1], dtype: "bool", data: new Uint8Array([2]) }]]),
      new ModelError(`"w" expected 0 or 1 in bool data, got 2`),
    ],
  ];

  it("refuses to write a header that the reader would refuse", () => {
    const weights: WeightMap = new Map([["x".repeat(1e8), { shape: [6], dtype: "float32", data }]]);
    const message = /^"weights" expected a header of at most 100000000 bytes, got 1000000\d\d$/;
    expect(() => writeSafetensors(weights)).toThrow(message);
  });

  it.each(wrong)("refuses %s", (_, weights, error) => {
    expect(() => writeSafetensors(weights as WeightMap)).toThrow(error);
  });
});

describe("examples/lenet5/lenet5.safetensors", () => {
  it("holds LeNet-5", () => {
    const weights = readSafetensors(readFileSync(new URL("../examples/lenet5/lenet5.safetensors", import.meta.url)));
    const shapes = Object.fromEntries([...weights].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toEqual({
      "conv1.weight": [6, 1, 5, 5],
      "conv1.bias": [6],
      "conv2.weight": [16, 6, 5, 5],
      "conv2.bias": [16],
      "fc1.weight": [120, 400],
      "fc1.bias": [120],
      "fc2.weight": [84, 120],
      "fc2.bias": [84],
      "fc3.weight": [10, 84],
      "fc3.bias": [10],
    });
    for (const { dtype, data } of weights.values()) {
      expect(dtype).toBe("float32");
      expect((data as Float32Array).every((value) => Number.isFinite(value) && Math.abs(value) < 10)).toBe(true);
    }
  });
});
