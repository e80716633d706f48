// Ranges of values over all that calibration brings: the least and the largest, or, of a histogram, where a share of them lies.

import { ModelError, show } from "../base/errors.js";

/** Bins from -reach to reach. When a value is beyond, reach doubles and bins join in pairs: an edge is one of an edge before. */
const BINS = 8192;

export class Range {
  low = 0;
  high = 0;
  #bins: Float64Array | undefined;
  #reach = 0;
  #count = 0;

  constructor(
    readonly name: string,
    hasBins: boolean,
  ) {
    if (hasBins) this.#bins = new Float64Array(BINS);
  }

  /** Throws ModelError for what is not finite. */
  add(data: ArrayLike<number>): void {
    let { low, high } = this;
    for (let i = 0; i < data.length; i++) {
      const v = data[i] as number;
      if (v < low) low = v;
      else if (v > high) high = v;
      else if (!(v - v === 0)) throw notFinite(this.name, v);
    }
    if (low === -Infinity || high === Infinity) throw notFinite(this.name, low === -Infinity ? low : high);
    [this.low, this.high] = [low, high];
    if (this.#bins) this.#count += this.#fill(this.#bins, data, Math.max(-low, high));
  }

  #fill(bins: Float64Array, data: ArrayLike<number>, most: number): number {
    if (most === 0) {
      bins[BINS / 2] = (bins[BINS / 2] as number) + data.length;
      return data.length;
    }
    if (this.#reach === 0) this.#reach = 2 ** Math.ceil(Math.log2(most));
    for (; most > this.#reach; this.#reach *= 2) {
      const half = Float64Array.from(
        { length: BINS / 2 },
        (_, i) => (bins[2 * i] as number) + (bins[2 * i + 1] as number),
      );
      bins.fill(0).set(half, BINS / 4);
    }
    const factor = BINS / 2 / this.#reach;
    for (let i = 0; i < data.length; i++) {
      const at = Math.min(Math.floor((data[i] as number) * factor) + BINS / 2, BINS - 1);
      bins[at] = (bins[at] as number) + 1;
    }
    return data.length;
  }

  /** Where all values lie, 0 among them; of a histogram, all but (100 - percentile) % on either side. */
  of(percentile?: number): { readonly low: number; readonly high: number } {
    const bins = this.#bins;
    if (!bins || percentile === undefined) return this;
    const beyond = this.#count * (1 - percentile / 100);
    const edge = (bin: number) => ((bin - BINS / 2) * 2 * this.#reach) / BINS;
    const walk = (order: (i: number) => number) => {
      let sum = 0;
      for (let i = 0; i < BINS; i++) {
        sum += bins[order(i)] as number;
        if (sum > beyond) return order(i);
      }
      return BINS / 2;
    };
    return {
      low: Math.min(0, Math.max(this.low, edge(walk((i) => i)))),
      high: Math.max(0, Math.min(this.high, edge(walk((i) => BINS - 1 - i) + 1))),
    };
  }
}

const notFinite = (name: string, value: number) =>
  new ModelError(`"calibration" expected runs of finite numbers, got ${value} in ${show(name)}`);

/** real = (number - zero) * scale, for 8 bits. */
export interface Quantum {
  readonly scale: number;
  readonly zero: number;
}

/** Scales from here on have a reciprocal in float32. */
const LEAST_SCALE = 2 ** -100;

/** uint8 where it is not signed; else int8 with 0 in the middle. */
export function quantumOf({ low, high }: { low: number; high: number }, isSigned: boolean): Quantum {
  const span = isSigned ? Math.max(-low, high) / 127 : (high - low) / 255;
  if (span < LEAST_SCALE) return { scale: 1, zero: 0 };
  const scale = Math.fround(span);
  return { scale, zero: isSigned ? 0 : Math.min(255, Math.max(0, Math.round(-low / scale))) };
}
