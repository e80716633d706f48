// The kernel of pictures has Pillow's bits: digests that Pillow made (test/pillow), and Pillow's algorithm in plain loops.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime, type Runtime } from "../src/index.js";
import { type Kernels, kernelsOf } from "../src/vision/resample/binary.js";
import { Resampler, type Store } from "../src/vision/resample/resampler.js";
import { type Filter, tableOf, tapsOf } from "../src/vision/resample/taps.js";
import { channelsOf, digest, noise, type Picture, visionBinary } from "./vision-pictures.js";
import { resizeReference } from "./vision-reference.js";

type Box = readonly [number, number, number, number];
type Case = [number, number, number, number, number, Box | null, readonly string[]];
const pillow = new URL("pillow/", import.meta.url);
const { cases, filters } = JSON.parse(readFileSync(new URL("digests.json", pillow), "utf8")) as {
  readonly cases: readonly Case[];
  readonly filters: readonly Filter[];
};

const BYTES: Store = {
  element: "uint8",
  channels: 4,
  isPlanar: false,
  factors: [1, 1, 1, 1],
  addends: [0, 0, 0, 0],
  fills: [],
  order: [0, 1, 2, 3],
};

function resized(
  kernels: Kernels,
  { data, width, height, channels }: Picture,
  [toWidth, toHeight]: readonly [number, number],
  filter: Filter,
  box: Box | null,
): Uint8Array {
  const [x0, y0, x1, y1] = box ?? [0, 0, width, height];
  const [xs, ys] = tapsOf(
    { size: width, outSize: toWidth, from: x0, to: x1, first: 0, count: toWidth },
    { size: height, outSize: toHeight, from: y0, to: y1, first: 0, count: toHeight },
    filter,
    true,
  );
  const sampling = {
    ...{ width, height, channels, left: 0, top: 0, outWidth: toWidth, outHeight: toHeight },
    columns: tableOf(xs, width, 4),
    rows: tableOf(ys, height, 2),
  };
  const store: Store = channels === 4 ? { ...BYTES, alpha: "premultiplied" } : BYTES;
  const resampler = new Resampler(kernels, sampling, store, true);
  const out = new Uint8Array(toWidth * toHeight * 4);
  const row = width * channels;
  resampler.runBands(
    { copy: (memory, at, { from, to }) => memory.set(data.subarray(from * row, to * row), at) },
    (bytes, begin) => out.set(bytes, begin * toWidth * 4),
  );
  resampler.dispose();
  return channelsOf(out, channels);
}

describe.each(["vision-debug", "vision"] as const)("the binary %s", (name) => {
  let rt: Runtime;
  let kernels: Kernels;
  beforeAll(async () => {
    rt = await createRuntime();
    kernels = kernelsOf(rt, () => new WebAssembly.Module(visionBinary(name)), undefined);
  });
  afterAll(() => rt.dispose());

  it("has Pillow's bytes at 200 pairs of sizes by five filters", () => {
    expect(cases.length).toBe(200);
    const wrong: string[] = [];
    cases.forEach(([width, height, toWidth, toHeight, channels, box, digests], seed) => {
      const picture = noise(width, height, channels, seed);
      filters.forEach((filter, i) => {
        const got = digest(resized(kernels, picture, [toWidth, toHeight], filter, box));
        if (got !== digests[i]) wrong.push(`${[width, height, toWidth, toHeight, channels, box]} ${filter}`);
      });
    });
    expect(wrong).toEqual([]);
    expect(rt.report().bytesInUse).toBe(0);
  });

  it("has the bytes of Pillow's algorithm in plain loops", () => {
    const sizes = [
      [1, 1, 3, 5],
      [4, 4, 4, 4],
      [5, 7, 3, 2],
      [17, 33, 40, 9],
      [64, 3, 5, 21],
      [90, 61, 19, 23],
    ] as const;
    for (const [seed, [width, height, toWidth, toHeight]] of sizes.entries())
      for (const channels of [1, 3])
        for (const filter of filters) {
          const picture = noise(width, height, channels, seed);
          const want = resizeReference(picture.data, [width, height], channels, [toWidth, toHeight], filter);
          const got = resized(kernels, picture, [toWidth, toHeight], filter, null);
          expect(Buffer.compare(got, want), `${[width, height, toWidth, toHeight, channels]} ${filter}`).toBe(0);
        }
  });
});

describe("digests.json", () => {
  const python = ["/usr/bin/python3", "python3"].find(
    (command) => spawnSync(command, ["-c", "import PIL"], { timeout: 300_000 }).status === 0,
  );
  it.skipIf(python === undefined)("is what Pillow computes here", () => {
    const script = fileURLToPath(new URL("digests.py", pillow));
    const { status, stdout, stderr } = spawnSync(python as string, [script, "--check"], {
      encoding: "utf8",
      timeout: 600_000,
    });
    expect(stdout + stderr).toMatch(/200 pairs of sizes, 0 differ/);
    expect(status).toBe(0);
  });
});
