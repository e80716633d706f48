// runFrom() on stand-ins for what a page has: what test/runtimes tries in Chromium, and what a page makes hard to have.
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createRuntime, type Runtime, type Tensor } from "../src/index.js";
import { createPreprocessor, type FrameSource, type Preprocessor } from "../src/vision/index.js";
import { noise, type Picture } from "./vision-pictures.js";

let rt: Runtime;
beforeAll(async () => {
  rt = await createRuntime();
});
afterAll(() => {
  vi.unstubAllGlobals();
  expect(rt.report().bytesInUse).toBe(0);
  rt.dispose();
});

const image = noise(60, 210, 4, 0);
const security = () => Object.assign(new Error("The operation is insecure."), { name: "SecurityError" });

interface Fake {
  readonly format?: string;
  /** Called before each copy. */
  readonly before?: () => void;
  readonly isOld?: boolean;
  /** As in WebKit: nobody looks what format is asked for. */
  readonly isDeaf?: boolean;
  /** Whether copies have colours times alpha. */
  readonly isPremultiplied?: boolean;
}

/** VideoFrames of a picture; even rows only where two rows have one colour, as Firefox has it. */
function stubFrames({ format = "RGBX", before, isOld, isDeaf, isPremultiplied }: Fake = {}) {
  const seen = { copies: 0, closed: 0, odd: 0 };
  class VideoFrame {
    readonly visibleRect = { x: 0, y: 0, width: image.width, height: image.height };
    readonly format = format;
    constructor(source: { readonly tainted?: boolean }) {
      if (source.tainted) throw security();
    }
    allocationSize(options: { readonly format: string }) {
      if (!isDeaf) expect(options.format).toBe("RGBA");
      return isOld ? image.width * image.height * 1.5 : image.width * image.height * 4;
    }
    async copyTo(into: Uint8Array, { rect }: { rect: { y: number; height: number } }) {
      const isWhole = rect.y % 2 === 0 && (rect.height % 2 === 0 || rect.y + rect.height === image.height);
      if (format === "I420" && !isWhole) throw new TypeError("rect is not sample-aligned");
      if (rect.y % 2 !== 0) seen.odd++;
      seen.copies++;
      await Promise.resolve();
      before?.();
      if (into.length === 0) throw new TypeError("detached");
      const row = image.width * 4;
      into.set(image.data.subarray(rect.y * row, (rect.y + rect.height) * row));
      if (isPremultiplied)
        for (let i = 0; i < into.length; i++)
          into[i] = i % 4 === 3 ? (into[i] as number) : ((into[i] as number) * (into[i | 3] as number)) / 255;
    }
    close() {
      seen.closed++;
    }
  }
  vi.stubGlobal("VideoFrame", VideoFrame);
  return seen;
}

/** A canvas that shows the picture, read through getImageData. */
function stubCanvas(tainted = false) {
  vi.stubGlobal(
    "OffscreenCanvas",
    class {
      getContext() {
        return {
          drawImage() {},
          getImageData: (_: number, y: number, width: number, rows: number) => {
            if (tainted) throw security();
            return { data: image.data.subarray(y * width * 4, (y + rows) * width * 4) };
          },
        };
      }
    },
  );
}

const canvas = { width: image.width, height: image.height } as unknown as FrameSource;
const specs = [
  { size: [50, 40] as const, scale: 1 / 255 },
  { size: [17, 33] as const, scale: 1, antialias: false, dtype: "uint8" as const },
];

const bytesOf = ({ tensor }: Preprocessor): Buffer =>
  Buffer.from((tensor as Tensor).data.slice().buffer as ArrayBuffer);

async function expectBits(source: FrameSource, from: Picture = image): Promise<void> {
  for (const spec of specs) {
    using pre = createPreprocessor(rt, spec as never);
    await pre.runFrom(source);
    const got = bytesOf(pre);
    pre.run(from);
    expect(Buffer.compare(got, bytesOf(pre))).toBe(0);
  }
}

describe("runFrom", () => {
  it("copies bands straight into memory, and closes the frame that it made", async () => {
    const seen = stubFrames();
    await expectBits(canvas);
    expect(seen.copies).toBeGreaterThan(4);
    expect(seen.odd).toBeGreaterThan(0);
    expect(seen.closed).toBe(2);
    const own = new VideoFrame(canvas as never) as never;
    await expectBits(own);
    expect(seen.closed).toBe(2); // the caller's stays open
  });

  it("goes through a canvas from the row on that shows what is behind it: copyTo leaves its colours times alpha", async () => {
    stubCanvas();
    const seen = stubFrames({ format: "BGRA", isPremultiplied: true });
    await expectBits(canvas);
    expect([seen.copies, seen.closed]).toEqual([2, 2]); // one band, and no more
    // All of it opaque: no canvas is asked.
    vi.stubGlobal("OffscreenCanvas", undefined);
    const { data } = image;
    const alphas = data.filter((_, i) => i % 4 === 3);
    for (let i = 3; i < data.length; i += 4) data[i] = 255;
    await expectBits(canvas);
    for (const [i, alpha] of alphas.entries()) data[4 * i + 3] = alpha;
  });

  it("copies whole pairs of rows where two have one colour", async () => {
    const seen = stubFrames({ format: "I420" });
    await expectBits(canvas);
    expect(seen.odd).toBe(0);
  });

  it("copies again what a growing memory took away", async () => {
    let grows = 2;
    const { memoryBytes } = rt.report();
    const kept: { dispose(): void }[] = [];
    stubFrames({
      before: () => {
        if (grows-- > 0) kept.push(rt.zeros([rt.report().memoryBytes + 2 ** 16], { dtype: "uint8" }));
      },
    });
    await expectBits(canvas);
    expect(rt.report().memoryBytes).toBeGreaterThan(memoryBytes);
    for (const tensor of kept) tensor.dispose();
  });

  it("goes through a canvas where frames are missing, or know no RGBA", async () => {
    stubCanvas();
    const seen = stubFrames({ isOld: true });
    await expectBits(canvas);
    expect([seen.copies, seen.closed]).toEqual([0, 2]);
    const deaf = stubFrames({ format: "BGRA", isDeaf: true });
    await expectBits(canvas);
    expect([deaf.copies, deaf.closed]).toEqual([0, 2]);
    vi.stubGlobal("VideoFrame", undefined);
    await expectBits(canvas);
    await expectBits({ videoWidth: image.width, videoHeight: image.height } as never);
    await expectBits({ naturalWidth: image.width, naturalHeight: image.height } as never);
  });

  it("refuses in a sentence, and runs again", async () => {
    using pre = createPreprocessor(rt, { size: 8, scale: 1 });
    const message = async (source: unknown, options = {}) =>
      await pre.runFrom(source as never, options).then(
        () => "ran",
        (error: Error) => `${error.name}: ${error.message}`,
      );
    const origin = 'TypeError: "source" expected pixels that may be read, got some of another origin';
    stubFrames();
    expect(await message({ ...(canvas as object), tainted: true })).toBe(origin);
    vi.stubGlobal("VideoFrame", undefined);
    stubCanvas(true);
    expect(await message(canvas)).toBe(origin);
    stubCanvas();
    const none = /^TypeError: "source" expected a video, canvas, ImageBitmap, VideoFrame or <img>/;
    for (const source of [null, "video", {}, { videoWidth: 0, videoHeight: 0 }, { codedWidth: 0, visibleRect: null }])
      expect(await message(source)).toMatch(none);
    expect(await message(canvas, { signal: 7 })).toBe('TypeError: "signal" expected an AbortSignal, got 7');
    expect(await message(canvas, { region: { x: 99, y: 0, width: 1, height: 1 } })).toMatch(
      /^RangeError: "region" expected/,
    );
    expect(await message(canvas)).toBe("ran");
    // Where there is no page at all, and where a canvas has no context left: the frame that was made is closed.
    vi.stubGlobal("OffscreenCanvas", undefined);
    const none2d = 'TypeError: "source" expected pixels, got no canvas to read it through';
    expect(await message(canvas)).toBe(none2d);
    const seen = stubFrames({ isOld: true });
    vi.stubGlobal(
      "OffscreenCanvas",
      class {
        getContext = () => null;
      },
    );
    expect(await message(canvas)).toBe(none2d);
    expect(seen.closed).toBe(1);
    stubFrames();
    expect(await message(canvas)).toBe("ran");
  });

  it("takes sources whose sizes change from frame to frame", async () => {
    stubCanvas();
    vi.stubGlobal("VideoFrame", undefined);
    using pre = createPreprocessor(rt, { size: 16, scale: 1 });
    const before = rt.report().bytesInUse;
    for (const height of [210, 60, 1, 210]) {
      const view = await pre.runFrom({ videoWidth: 60, videoHeight: height } as never);
      expect([view.width, view.height]).toEqual([60, height]);
      const got = bytesOf(pre);
      pre.run({ data: image.data.subarray(0, 60 * height * 4), width: 60, height });
      expect(Buffer.compare(got, bytesOf(pre))).toBe(0);
    }
    await expect(pre.runFrom({ videoWidth: 0, videoHeight: 0 } as never)).rejects.toThrow(TypeError); // it ended
    await pre.runFrom(canvas);
    pre.dispose();
    expect(rt.report().bytesInUse).toBeLessThan(before);
  });

  it("stops at a signal, at dispose and at a second run, and gives memory back when nobody writes there", async () => {
    const before = rt.report().bytesInUse;
    const stop = new AbortController();
    stubFrames({ before: () => stop.abort(new Error("enough")) });
    const pre = createPreprocessor(rt, { size: 50, scale: 1 });
    await expect(pre.runFrom(canvas, { signal: stop.signal })).rejects.toThrow("enough");
    await expect(pre.runFrom(canvas, { signal: stop.signal })).rejects.toThrow("enough");
    stubFrames();
    const first = pre.runFrom(canvas);
    await expect(pre.runFrom(canvas)).rejects.toThrow(/one run at a time/);
    expect(() => pre.run(image)).toThrow(/one run at a time/);
    expect((await first).width).toBe(60);
    stubFrames({ before: () => pre.dispose() });
    await expect(pre.runFrom(canvas)).rejects.toThrow(
      '"preprocessor" expected a live preprocessor, got a disposed one',
    );
    expect(rt.report().bytesInUse).toBe(before);
  });
});
