// How far two arrays are apart.

export interface Difference {
  /** Largest difference of two elements. */
  readonly most: number;
  readonly mean: number;
  /** Of the expected values, the largest size. */
  readonly largest: number;
  /** a·b / (|a| |b|): 1 where they point the same way. */
  readonly cosine: number;
  /** The first element beyond the tolerance, or null. */
  readonly first: { readonly index: readonly number[]; readonly got: number; readonly expected: number } | null;
  /** How many are beyond it. */
  readonly beyond: number;
}

type Numbers = ArrayLike<number | bigint>;

/** tolerance: of the largest expected value, or as it is where that is less than 1e-30. NaN is like NaN only. */
export function differenceOf(got: Numbers, expected: Numbers, shape: readonly number[], tolerance: number): Difference {
  let [most, sum, largest, dot, gg, ee] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < expected.length; i++) {
    const [g, e] = [Number(got[i]), Number(expected[i])];
    if (Number.isFinite(e)) largest = Math.max(largest, Math.abs(e));
    const apart = apartOf(g, e);
    most = Math.max(most, apart);
    sum += apart;
    dot += g * e;
    gg += g * g;
    ee += e * e;
  }
  const limit = tolerance * (largest > 1e-30 ? largest : 1);
  let first = -1;
  let beyond = 0;
  for (let i = 0; i < expected.length; i++)
    if (apartOf(Number(got[i]), Number(expected[i])) > limit) {
      beyond++;
      if (first < 0) first = i;
    }
  const isZero = gg === 0 || ee === 0;
  return {
    most,
    mean: expected.length > 0 ? sum / expected.length : 0,
    largest,
    cosine: isZero ? (gg === ee ? 1 : 0) : dot / Math.sqrt(gg) / Math.sqrt(ee),
    first:
      first < 0 ? null : { index: placeOf(first, shape), got: Number(got[first]), expected: Number(expected[first]) },
    beyond,
  };
}

function apartOf(a: number, b: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  const apart = Math.abs(a - b);
  return Number.isNaN(apart) ? Infinity : apart;
}

/** The indices of an element by its place in order. */
function placeOf(at: number, shape: readonly number[]): number[] {
  const place: number[] = [];
  let rest = at;
  for (const size of [...shape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return place;
}
