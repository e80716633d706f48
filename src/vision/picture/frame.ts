// What a page has pixels of, as rows of RGBA: VideoFrame.copyTo, or a canvas where that is missing. Nothing of it is touched before
// a call: it may not be there.
import { show } from "../../base/errors.js";
import type { Global } from "../../base/globals.js";

/** What a page has pixels of. */
export type FrameSource =
  | Global<"VideoFrame">
  | Global<"HTMLVideoElement">
  | Global<"HTMLCanvasElement">
  | Global<"OffscreenCanvas">
  | Global<"ImageBitmap">
  | Global<"HTMLImageElement">;

/** One frame of a source. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Writes rows [from, to) to an address of a memory that may grow meanwhile. Before it there is room for a row. */
  bring(memory: () => Uint8Array, at: number, from: number, to: number): Promise<void>;
  close(): void;
}

/** Writes rows [from, to) to the start of `into`. */
type Read = (into: Uint8Array, from: number, to: number) => Promise<void>;

/** isPaired: read() takes even first rows, and even counts but at the end, since colours of two rows are one. */
function frameOf(width: number, height: number, isPaired: boolean, read: Read, close: () => void): Frame {
  const rowBytes = width * 4;
  let pair: Uint8Array | undefined;
  /** Rows [from, to) that read() takes. */
  const direct = async (memory: () => Uint8Array, at: number, from: number, to: number): Promise<void> => {
    for (;;) {
      const whole = memory();
      try {
        await read(whole.subarray(at, at + (to - from) * rowBytes), from, to);
      } catch (error) {
        if (whole.length > 0) throw error;
      }
      if (whole.length > 0) return; // a memory that grows takes its old buffer away
    }
  };
  return {
    ...{ width, height, close },
    async bring(memory, at, from, to) {
      const first = isPaired ? from & ~1 : from;
      const last = isPaired && to < height ? to & ~1 : to;
      if (last > first) await direct(memory, at - (from - first) * rowBytes, first, last);
      if (last === to) return;
      // The next row would lie beyond what there is room for.
      pair ??= new Uint8Array(2 * rowBytes);
      await read(pair, last, last + 2);
      memory().set(pair.subarray(0, rowBytes), at + (last - from) * rowBytes);
    },
  };
}

/** A source's size, whatever it calls it; 0 where it has none yet or no longer. */
function sizeOf(source: FrameSource): readonly [width: number, height: number] {
  const { visibleRect } = source as VideoFrame;
  if (visibleRect) return [visibleRect.width, visibleRect.height];
  const { videoWidth, videoHeight } = source as HTMLVideoElement;
  if (videoWidth !== undefined) return [videoWidth, videoHeight];
  const { naturalWidth, naturalHeight } = source as HTMLImageElement;
  if (naturalWidth !== undefined) return [naturalWidth, naturalHeight];
  if ("codedWidth" in source) return [0, 0]; // a closed VideoFrame
  return [source.width as number, source.height as number];
}

/** Throws the sentence for a source whose pixels may not be read, or what it was. */
function refuse(cause: unknown): never {
  if ((cause as Error)?.name === "SecurityError")
    throw new TypeError(`"source" expected pixels that may be read, got some of another origin`, { cause });
  throw new TypeError(`"source" expected pixels, got ${(cause as Error)?.message ?? show(cause)}`, { cause });
}

type Canvas = OffscreenCanvas | HTMLCanvasElement;

/** Of RGBA that lies on four bytes. */
function isOpaque({ buffer, byteOffset, length }: Uint8Array): boolean {
  const pixels = new Int32Array(buffer, byteOffset, length >>> 2) as unknown as number[];
  let all = -1;
  let i = 0;
  // Four a round take half the time: 0.9 ms of 1920x1080.
  for (const most = pixels.length - 3; i < most; i += 4)
    all &= (pixels[i] as number) & (pixels[i + 1] as number) & (pixels[i + 2] as number) & (pixels[i + 3] as number);
  for (; i < pixels.length; i++) all &= pixels[i] as number;
  return all >>> 24 === 255;
}

/** A snapshot on a canvas. */
function canvasRead(source: FrameSource, width: number, height: number, close = () => {}): Read {
  const canvas: Canvas | undefined =
    typeof OffscreenCanvas === "function"
      ? new OffscreenCanvas(width, height)
      : globalThis.document && Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas?.getContext("2d", { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D | null;
  try {
    if (!context) throw new Error("no canvas to read it through");
    context.drawImage(source as CanvasImageSource, 0, 0, width, height);
  } catch (cause) {
    close();
    refuse(cause);
  }
  return async (into, from, to) => {
    try {
      into.set(context.getImageData(0, from, width, to - from).data);
    } catch (cause) {
      refuse(cause);
    }
  };
}

const openCanvas = (source: FrameSource, width: number, height: number, close = () => {}): Frame =>
  frameOf(width, height, false, canvasRead(source, width, height, close), close);

/** A frame of the source as it is now. Throws TypeError for a source without pixels, or with such as may not be read. */
export function openFrame(source: FrameSource): Frame {
  if (typeof source !== "object" || source === null)
    throw new TypeError(`"source" expected a video, canvas, ImageBitmap, VideoFrame or <img>, got ${show(source)}`);
  const [width, height] = sizeOf(source);
  if (!(width > 0 && height > 0))
    throw new TypeError(
      `"source" expected a video, canvas, ImageBitmap, VideoFrame or <img> with pixels, got ${width} x ${height}`,
    );
  if (typeof VideoFrame !== "function") return openCanvas(source, width, height);
  const isFrame = source instanceof VideoFrame;
  let frame: VideoFrame;
  try {
    frame = isFrame ? source : new VideoFrame(source, { timestamp: 0 });
  } catch (cause) {
    refuse(cause);
  }
  const close = () => {
    if (!isFrame) frame.close();
  };
  const rect = frame.visibleRect as DOMRectReadOnly;
  const options = { format: "RGBA" } as VideoFrameCopyToOptions;
  if (rect.width !== width || rect.height !== height || rgbaBytes(frame) !== width * height * 4) {
    return openCanvas(frame, width, height, close);
  }
  const hasAlpha = frame.format === null || frame.format.includes("A");
  let read: Read | undefined;
  const readFrame: Read = async (into, from, to) => {
    const rows = { x: rect.x, y: rect.y + from, width, height: to - from };
    if (read === undefined) {
      try {
        await frame.copyTo(into, { ...options, rect: rows });
      } catch (cause) {
        refuse(cause);
      }
      // Chromium's copyTo leaves colours times alpha, where a canvas divides them again: opaque rows are the same in both.
      if (!hasAlpha || isOpaque(into)) return;
      read = canvasRead(source, width, height);
    }
    return read(into, from, to);
  };
  return frameOf(width, height, frame.format !== null && !/^(RGB|BGR)/.test(frame.format), readFrame, close);
}

/** Bytes of a frame as RGBA; 0 where nobody asks for the format, as in WebKit, which would copy BGRA as it is. */
function rgbaBytes(frame: VideoFrame): number {
  let isAsked = false;
  const options = {
    get format(): string {
      isAsked = true;
      return "RGBA";
    },
  };
  try {
    const bytes = frame.allocationSize(options as VideoFrameCopyToOptions);
    return isAsked ? bytes : 0;
  } catch {
    return 0;
  }
}
