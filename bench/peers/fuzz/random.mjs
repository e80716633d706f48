// What cases are drawn with: seeded, so that one can be drawn again.
import { TYPES } from "./file.mjs";

/** Numbers from 0 to below 1. mulberry32 (Tommy Ettinger, 2017; public domain). */
function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const half = new Uint32Array(1);
const asFloat = new Float32Array(half.buffer);
/** The bits of a float16, for normal numbers; others become 0. */
function halfBits(value) {
  asFloat[0] = value;
  const [bits] = half;
  const exponent = ((bits >>> 23) & 255) - 112;
  return exponent <= 0 || exponent >= 31 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 1023);
}

export function randomOf(seed) {
  const next = uniform(seed);
  const r = {
    next,
    /** Whole, from a to b. */
    int: (a, b) => a + Math.floor(next() * (b - a + 1)),
    pick: (list) => list[Math.floor(next() * list.length)],
    chance: (p) => next() < p,
    float: (a = -2, b = 2) => Math.fround(a + next() * (b - a)),
    list: (length, of) => Array.from({ length }, (_, i) => of(i)),
    /** Sizes from 1 to most, of which now and then one is larger than vectors. */
    shape: (rank, most = 5) => {
      const large = r.chance(0.15) ? r.int(0, rank) : -1;
      return r.list(rank, (i) => (i === large ? r.int(6, 19) : r.int(1, most)));
    },
    permutation: (rank) => {
      const order = r.list(rank, (i) => i);
      for (let i = rank - 1; i > 0; i--) {
        const j = r.int(0, i);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    },
    /** A shape that broadcasts with another: axes cut off in front, sizes made 1. */
    broadcast: (shape) => shape.slice(r.chance(0.3) ? r.int(0, shape.length) : 0).map((n) => (r.chance(0.3) ? 1 : n)),
    /** An axis, counted from either end. */
    axis: (rank) => r.int(-rank, rank - 1),
    /** Different axes, in any order. */
    axes: (rank, count = r.int(1, rank)) =>
      r
        .permutation(rank)
        .slice(0, count)
        .map((axis) => (r.chance(0.3) ? axis - rank : axis)),
    /** A tensor; of: a function of the index, or bounds [least, most]. */
    tensor: (type, shape, of = type === "uint8" || type === "bool" ? [0, type === "bool" ? 1 : 255] : [-3, 3]) => {
      const isWhole = !/float/.test(type);
      const draw = typeof of === "function" ? of : () => (isWhole ? r.int(...of) : r.float(...of));
      const values = r.list(
        shape.reduce((a, b) => a * b, 1),
        draw,
      );
      const Elements = TYPES[type][1];
      const isBig = type === "int64" || type === "uint64";
      const data = Elements.from(isBig ? values.map(BigInt) : type === "float16" ? values.map(halfBits) : values);
      return { type, shape, data };
    },
    floats: (shape, of) => r.tensor("float32", shape, of),
    /** A list of whole numbers, as operands have shapes and axes. */
    longs: (values, shape = [values.length]) => r.tensor("int64", shape, (i) => values[i]),
    scalar: (type, value) => r.tensor(type, [], () => value),
  };
  return r;
}
