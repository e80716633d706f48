// Rows of a picture on their way to linear memory: as they lie, columns as rows, or sampled where a map leads.
import type { Rows, Run } from "../resample/resampler.js";
import type { Affine } from "../view.js";

const NOTHING = new Uint8Array();

/** Rows of bytes as they lie, or their columns. Makes nothing from the third time on that the same array comes. */
export class ByteRows implements Rows {
  readonly #rowBytes: number;
  readonly #columns: number | undefined;
  readonly #channels: number;
  #data: Uint8Array | Uint8ClampedArray = NOTHING;
  /** The array of the run before, which it does not keep alive. */
  #before: WeakRef<Uint8Array | Uint8ClampedArray> | undefined;
  /** Views of an array that came twice, a slot each. */
  readonly #views: (Uint8Array | Uint8ClampedArray)[] = [];

  /** A row of the picture is rowBytes long; columns: how many, where they are to be rows. */
  constructor(rowBytes: number, channels: number, columns?: number) {
    this.#rowBytes = rowBytes;
    this.#channels = channels;
    this.#columns = columns;
  }

  /** The array of the next run. */
  use(data: Uint8Array | Uint8ClampedArray): this {
    if (data !== this.#data) this.#views.length = 0;
    this.#data = data;
    return this;
  }

  /** Lets go of an array that is not the one of the run before. */
  done(): void {
    const data = this.#data;
    if (this.#before?.deref() === data) return;
    this.#before = new WeakRef(data);
    this.#views.length = 0;
    this.#data = NOTHING;
  }

  copy(memory: Uint8Array, at: number, run: Run): void {
    if (this.#columns !== undefined) {
      this.#transpose(memory, at, run);
      return;
    }
    const { slot } = run;
    const view = this.#views[slot] ?? this.#data.subarray(run.from * this.#rowBytes, run.to * this.#rowBytes);
    this.#views[slot] = view;
    memory.set(view, at);
  }

  /** Columns [from, to) of the picture, each from top to bottom. */
  #transpose(memory: Uint8Array, at: number, { from, to }: Run): void {
    const data = this.#data;
    const channels = this.#channels;
    const height = data.length / this.#rowBytes;
    for (let y = 0; y < height; y++) {
      let source = y * this.#rowBytes + from * channels;
      for (let x = from; x < to; x++) {
        let target = at + ((x - from) * height + y) * channels;
        for (let c = 0; c < channels; c++) memory[target++] = data[source++] as number;
      }
    }
  }
}

/** Rows that are sampled bilinearly; outside of the picture there is `fill`, opaque. */
export class SampledRows implements Rows {
  readonly #map: Affine;
  readonly #sizes: readonly [width: number, height: number, channels: number];
  readonly #columns: number;
  readonly #fill: number;
  #data: Uint8Array | Uint8ClampedArray = NOTHING;

  /** map: from a row's pixel [i, row] to the middle of what it shows; columns: pixels a row. */
  constructor(map: Affine, sizes: readonly [number, number, number], columns: number, fill: number) {
    this.#map = map;
    this.#sizes = sizes;
    this.#columns = columns;
    this.#fill = fill;
  }

  use(data: Uint8Array | Uint8ClampedArray): this {
    this.#data = data;
    return this;
  }

  done(): void {
    this.#data = NOTHING;
  }

  copy(memory: Uint8Array, at: number, { from, to }: Run): void {
    const [a, b, c, d, e, f] = this.#map;
    const channels = this.#sizes[2];
    let target = at;
    for (let row = from; row < to; row++) {
      for (let i = 0; i < this.#columns; i++) {
        this.#sample(memory, target, a * i + c * row + e - 0.5, b * i + d * row + f - 0.5);
        target += channels;
      }
    }
  }

  #sample(memory: Uint8Array, target: number, x: number, y: number): void {
    const [width, height, channels] = this.#sizes;
    const data = this.#data;
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const [u, v] = [x - left, y - top];
    const isInside = left >= 0 && top >= 0 && left + 1 < width && top + 1 < height;
    for (let c = 0; c < channels; c++) {
      const outside = c === 3 ? 255 : this.#fill;
      let sum = 0;
      for (let k = 0; k < 4; k++) {
        const [column, row] = [left + (k & 1), top + (k >> 1)];
        const isThere = isInside || (column >= 0 && row >= 0 && column < width && row < height);
        const byte = isThere ? (data[(row * width + column) * channels + c] as number) : outside;
        sum += byte * (k & 1 ? u : 1 - u) * (k >> 1 ? v : 1 - v);
      }
      memory[target + c] = Math.round(sum);
    }
  }
}
