// The kernel over one picture's geometry: tables in linear memory, and the picture brought there in bands of rows.
//
//   for each band of the tensor's rows   copy the rows of the picture that they need ─▶ blend ─▶ resample and store
//
// A band is half a megabyte or 16 rows, 4 MB at most: what lies in linear memory is 1.3 MB for 1920x1080, not the 8.3 MB of the frame, and a
// linear memory never shrinks. Rows that no tap reads are not copied.
import { alignUp } from "../../engine/allocator.js";
import { SLACK_BYTES } from "../../kernels/gen/constants.js";
import { BlendDesc } from "../../kernels/gen/vision/blend-desc.js";
import { ResampleDesc } from "../../kernels/gen/vision/resample-desc.js";
import { StoreCode } from "../../kernels/gen/vision/store-code.js";
import type { Kernels } from "./binary.js";
import type { Table } from "./taps.js";

const BAND_BYTES = 2 ** 19;
const BAND_ROWS = 16;
/** Where 16 rows need more than this, there are fewer. */
const MOST_BYTES = 2 ** 22;

/** Which pixels make which: tables over a picture of bytes, and the margin around what they make. */
export interface Sampling {
  readonly width: number;
  readonly height: number;
  /** Bytes a pixel of the picture: 1, 3 or 4. */
  readonly channels: number;
  readonly columns: Table;
  readonly rows: Table;
  readonly left: number;
  readonly top: number;
  readonly outWidth: number;
  readonly outHeight: number;
}

/** What becomes of a resampled pixel, and how the tensor lies. */
export interface Store {
  readonly element: keyof typeof StoreCode;
  /** 1, 3 or 4. */
  readonly channels: number;
  readonly isPlanar: boolean;
  /** By channel of the tensor. */
  readonly factors: readonly number[];
  readonly addends: readonly number[];
  /** What margins have, as it is stored. */
  readonly fills: readonly number[];
  /** Which channel of the picture each is: 0 red, 1 green, 2 blue, 3 alpha. */
  readonly order: readonly number[];
  /** Pixels of 4 bytes a pixel: laid on a colour [r, g, b], or resized as Pillow resizes RGBA, with their colours times alpha. */
  readonly alpha?: readonly number[] | "premultiplied";
}

/** Rows [from, to) of the picture that are brought at once; slot: a number of their own. */
export interface Run {
  readonly from: number;
  readonly to: number;
  readonly slot: number;
}

/** Where rows of a picture come from. */
export interface Rows {
  /** Writes a run's rows to memory, from address `at` on. */
  copy(memory: Uint8Array, at: number, run: Run): void;
}

/** Rows [begin, end) of the tensor; those of the picture that they need are in [first, last). */
export interface Band {
  readonly begin: number;
  readonly end: number;
  readonly first: number;
  readonly last: number;
  readonly runs: readonly Run[];
}

/** Alpha 255, as i32. */
const OPAQUE = -16777216;

/** A field's place in a descriptor. */
const fieldOf = (layout: object, name: string): number => Object.keys(layout).indexOf(name);
const FIRST_ROW = fieldOf(ResampleDesc, "firstRow");
const END_ROW = fieldOf(ResampleDesc, "endRow");
const DST = fieldOf(ResampleDesc, "dstPtr");
const BLEND_X = fieldOf(BlendDesc, "xPtr");

const ELEMENT_BYTES = { float32: 4, uint8: 1, int8: 1 } as const;

/** Bytes of a row of the tensor, from channel to channel and from pixel to pixel. */
export function stridesOf({ element, channels, isPlanar }: Store, width: number, height: number) {
  const size = ELEMENT_BYTES[element];
  return isPlanar
    ? { row: width * size, channel: width * height * size, pixel: size }
    : { row: width * channels * size, channel: size, pixel: channels * size };
}

/** Whether there are rows between those of neighbours that neither reads. */
function isSparse({ starts, taps }: Table): boolean {
  return starts.some((start, i) => i > 0 && Math.abs(start - (starts[i - 1] as number)) > taps);
}

function bandsOf({ width, height, channels, rows, top, outHeight }: Sampling, sparse: boolean): Band[] {
  const { starts, taps, count } = rows;
  const bands: Band[] = [];
  let slot = 0;
  for (let begin = 0, end = 0; begin < outHeight; begin = end) {
    let [first, last] = [height, 0];
    const runs: { from: number; to: number }[] = [];
    for (; end < outHeight; end++) {
      if (end < top || end >= top + count) continue;
      const from = starts[end - top] as number;
      const to = Math.min(height, from + taps);
      const [low, high] = [Math.min(first, from), Math.max(last, to)];
      const bytes = (high - low) * width * channels;
      if (end > begin && bytes > (end - begin < BAND_ROWS ? MOST_BYTES : BAND_BYTES)) break;
      [first, last] = [low, high];
      const run = runs.at(-1);
      if (run === undefined || (sparse && (from > run.to || to < run.from))) runs.push({ from, to });
      else [run.from, run.to] = [Math.min(run.from, from), Math.max(run.to, to)];
    }
    bands.push({ begin, end, first: Math.min(first, last), last, runs: runs.map((run) => ({ ...run, slot: slot++ })) });
  }
  return bands;
}

/** Bytes as they are, four a pixel. */
const isPlain = ({ element, channels, isPlanar, factors, addends, order }: Store): boolean =>
  element === "uint8" &&
  channels === 4 &&
  !isPlanar &&
  factors.every((factor) => factor === 1) &&
  addends.every((addend) => addend === 0) &&
  order.every((channel, c) => channel === c);

/** Where everything lies in the block, from its start. */
function layOut({ columns, rows, width, channels }: Sampling, bandRows: number, ownBytes: number, sparse: boolean) {
  let top = 0;
  const take = (bytes: number): number => {
    const at = top;
    top = alignUp(at + bytes, 16);
    return at;
  };
  const scratchRows = (sparse ? rows.taps : bandRows + (bandRows & 1)) + 1;
  return {
    desc: take(4 * Object.keys(ResampleDesc).length),
    blend: take(4 * Object.keys(BlendDesc).length),
    finish: take(64),
    columns: take(columns.starts.byteLength),
    columnWeights: take(columns.weights.byteLength),
    rows: take(rows.starts.byteLength),
    rowWeights: take(rows.weights.byteLength),
    source: take((bandRows + 1) * width * channels + SLACK_BYTES), // a row before; loads reach beyond the last pixel
    own: take(ownBytes),
    scratch: take(scratchRows * alignUp(columns.count * 4, 16) + SLACK_BYTES),
    bytes: top,
  };
}

/** Descriptors, tables and room for a band, in one block of a runtime's memory. */
export class Resampler {
  readonly bands: readonly Band[];
  /** Where each band's rows of the tensor are stored one after the other, for who has no tensor. */
  readonly #ownPtr: number;
  readonly #ownRowBytes: number;
  readonly #kernels: Kernels;
  readonly #ptr: number;
  readonly #blendPtr: number;
  readonly #sourcePtr: number;
  readonly #scratchPtr: number;
  readonly #sourceRowBytes: number;
  readonly #blends: boolean;
  #disposed = false;

  /** Allocates. hasOwnRows: room for a band of the tensor's rows, too. Throws OutOfMemoryError. */
  constructor(kernels: Kernels, sampling: Sampling, store: Store, hasOwnRows = false) {
    const { columns, rows, width, channels, outWidth, outHeight } = sampling;
    const sparse = isSparse(rows);
    this.#kernels = kernels;
    this.bands = bandsOf(sampling, sparse);
    this.#sourceRowBytes = width * channels;
    this.#blends = channels === 4 && store.alpha !== undefined;
    this.#ownRowBytes = stridesOf(store, outWidth, outHeight).row;
    const most = (of: (band: Band) => number) => this.bands.reduce((max, band) => Math.max(max, of(band)), 0);
    const bandRows = most(({ first, last }) => last - first);
    const ownRows = hasOwnRows ? most(({ begin, end }) => end - begin) : 0;
    const at = layOut(sampling, bandRows, ownRows * this.#ownRowBytes, sparse);
    const { heap } = kernels.engine;
    const ptr = heap.allocator.allocate(at.bytes);
    this.#ptr = ptr;
    this.#blendPtr = ptr + at.blend;
    this.#sourcePtr = ptr + at.source + this.#sourceRowBytes;
    this.#scratchPtr = ptr + at.scratch;
    this.#ownPtr = ptr + at.own;
    const { i32, f32 } = heap;
    columns.starts.forEach((start, q) => {
      i32[((ptr + at.columns) >>> 2) + q] = start * channels;
    });
    i32.set(columns.weights, (ptr + at.columnWeights) >>> 2);
    i32.set(rows.starts, (ptr + at.rows) >>> 2);
    i32.set(rows.weights, (ptr + at.rowWeights) >>> 2);
    const finish = (ptr + at.finish) >>> 2;
    for (let c = 0; c < 4; c++) {
      f32[finish + c] = store.factors[c] ?? 0;
      f32[finish + 4 + c] = store.addends[c] ?? 0;
      f32[finish + 8 + c] = store.fills[c] ?? 0;
      i32[finish + 12 + c] = (store.order[c] ?? c) | 0x80808000; // a swizzle to i32
    }
    this.#describe(sampling, store, sparse, at);
  }

  #describe(sampling: Sampling, store: Store, sparse: boolean, at: ReturnType<typeof layOut>): void {
    const { columns, rows, width, channels, left, top, outWidth, outHeight } = sampling;
    const strides = stridesOf(store, outWidth, outHeight);
    const isPremultiplied = store.alpha === "premultiplied";
    this.#write(this.#ptr, ResampleDesc, {
      srcPtr: this.#sourcePtr,
      srcRowBytes: this.#sourceRowBytes,
      srcChannels: channels,
      firstRow: 0,
      endRow: 0,
      columns: columns.count,
      columnsPtr: this.#ptr + at.columns,
      columnWeightsPtr: this.#ptr + at.columnWeights,
      columnPairs: columns.taps / 2,
      rowsPtr: this.#ptr + at.rows,
      rowWeightsPtr: this.#ptr + at.rowWeights,
      rowPairs: rows.taps / 2,
      sparse: Number(sparse),
      top,
      rows: rows.count,
      left,
      right: outWidth - left - columns.count,
      dstPtr: 0,
      dstRowBytes: strides.row,
      dstChannelBytes: strides.channel,
      dstPixelBytes: strides.pixel,
      channels: store.channels,
      element: StoreCode[store.element],
      plain: Number(isPlain(store)),
      premultiplied: Number(this.#blends && isPremultiplied),
      finishPtr: this.#ptr + at.finish,
    });
    const [red = 0, green = 0, blue = 0] = isPremultiplied ? [] : ((store.alpha ?? []) as readonly number[]);
    this.#write(this.#blendPtr, BlendDesc, {
      xPtr: 0,
      rowBytes: this.#sourceRowBytes,
      columns: width,
      colour: red | (green << 8) | (blue << 16),
      opaque: isPremultiplied ? 0 : OPAQUE,
    });
  }

  #write<L extends object>(ptr: number, layout: L, values: { readonly [field in keyof L]: number }): void {
    const { i32 } = this.#kernels.engine.heap;
    let at = ptr >>> 2;
    for (const field in layout) i32[at++] = values[field];
  }

  /** Where a row of the picture has to lie while its band runs; there is room for the row before it. */
  addressOf(band: Band, row: number): number {
    return this.#sourcePtr + (row - band.first) * this.#sourceRowBytes;
  }

  /** One band, whose rows of the picture are there. */
  runBand(band: Band, dstPtr: number): void {
    const { i32 } = this.#kernels.engine.heap;
    if (this.#blends) {
      for (let k = 0; k < band.runs.length; k++) {
        const { from, to } = band.runs[k] as Run;
        i32[(this.#blendPtr >>> 2) + BLEND_X] = this.addressOf(band, from);
        this.#kernels.blend(this.#blendPtr, 0, to - from, 0);
      }
    }
    const desc = this.#ptr >>> 2;
    i32[desc + FIRST_ROW] = band.first;
    i32[desc + END_ROW] = band.last;
    i32[desc + DST] = dstPtr;
    this.#kernels.resample(this.#ptr, band.begin, band.end, this.#scratchPtr);
  }

  #bring(rows: Rows, band: Band): void {
    const { u8 } = this.#kernels.engine.heap;
    for (let k = 0; k < band.runs.length; k++)
      rows.copy(u8, this.addressOf(band, (band.runs[k] as Run).from), band.runs[k] as Run);
  }

  /** All of a tensor at `dstPtr`. Allocates nothing. */
  run(rows: Rows, dstPtr: number): void {
    for (let i = 0; i < this.bands.length; i++) {
      this.#bring(rows, this.bands[i] as Band);
      this.runBand(this.bands[i] as Band, dstPtr);
    }
  }

  /** As run(), for who has no tensor: `take` is given the bytes of each band's rows. */
  runBands(rows: Rows, take: (bytes: Uint8Array, begin: number) => void): void {
    for (const band of this.bands) {
      this.#bring(rows, band);
      this.runBand(band, this.#ownPtr - band.begin * this.#ownRowBytes);
      const end = this.#ownPtr + (band.end - band.begin) * this.#ownRowBytes;
      take(this.#kernels.engine.heap.u8.subarray(this.#ownPtr, end), band.begin);
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#kernels.engine.heap.allocator.free(this.#ptr);
  }
}
