// Recurrent layers: LSTM, GRU and RNN, forwards, backwards or both, over sequences that may end early. Products are sums in float64,
// four rows of weights at once, which are read where they lie.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { roundToType } from "../file/halves.js";
import { type Numbers, numbers, type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import { type Context, type HostOp, need } from "./context.js";
import { transpose } from "./indexing.js";
import { make } from "./make.js";

type Activation = (x: number) => number;

/** Activations by name, with the numbers that they have where the node says none. */
const ACTIVATIONS: Readonly<
  Record<
    string,
    { readonly of: (alpha: number, beta: number) => Activation; readonly alpha?: number; readonly beta?: number }
  >
> = {
  sigmoid: { of: () => (x) => 1 / (1 + Math.exp(-x)) },
  tanh: { of: () => Math.tanh },
  relu: { of: () => (x) => Math.max(x, 0) },
  affine: { of: (a, b) => (x) => a * x + b, alpha: 1, beta: 0 },
  leakyrelu: { of: (a) => (x) => (x < 0 ? a * x : x), alpha: 0.01 },
  thresholdedrelu: { of: (a) => (x) => (x > a ? x : 0), alpha: 1 },
  scaledtanh: { of: (a, b) => (x) => a * Math.tanh(b * x), alpha: 1, beta: 1 },
  hardsigmoid: { of: (a, b) => (x) => Math.max(0, Math.min(1, a * x + b)), alpha: 0.2, beta: 0.5 },
  elu: { of: (a) => (x) => (x < 0 ? a * Math.expm1(x) : x), alpha: 1 },
  softsign: { of: () => (x) => x / (1 + Math.abs(x)) },
  softplus: { of: () => (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) },
};

/** The activations of all directions; those with numbers take theirs from the lists in turn. */
function activationsOf(c: Context, names: readonly string[], directions: number): Activation[] {
  const given = c.strings("activations");
  if (given && given.length !== names.length * directions)
    throw new ModelError(`"activations" expected ${names.length * directions} names, got ${given.length}`);
  const [alphas, betas] = ["activation_alpha", "activation_beta"].map((name) => [...(c.floats(name) ?? [])]) as [
    number[],
    number[],
  ];
  const all = given ?? Array.from({ length: directions }, () => names).flat();
  return all.map((name) => {
    const key = name.toLowerCase();
    const found = Object.hasOwn(ACTIVATIONS, key) ? ACTIVATIONS[key] : undefined;
    if (!found) throw new UnsupportedError(`"activations" expected known functions, got ${show(name)}`);
    const number = (own: number | undefined, list: number[]) => (own === undefined ? 0 : (list.shift() ?? own));
    return found.of(number(found.alpha, alphas), number(found.beta, betas));
  });
}

/** out[j] += sum over i of w[at + j * n + i] x[from + i], for all of out: float64. */
function addProducts(
  out: Float64Array,
  w: Numbers,
  at: number,
  rows: number,
  x: Numbers | Float64Array,
  from: number,
  n: number,
  to = 0,
): void {
  let j = 0;
  for (; j + 4 <= rows; j += 4) {
    const a = at + j * n;
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let i = 0; i < n; i++) {
      const v = x[from + i] as number;
      s0 += v * (w[a + i] as number);
      s1 += v * (w[a + n + i] as number);
      s2 += v * (w[a + 2 * n + i] as number);
      s3 += v * (w[a + 3 * n + i] as number);
    }
    out[to + j] = (out[to + j] as number) + s0;
    out[to + j + 1] = (out[to + j + 1] as number) + s1;
    out[to + j + 2] = (out[to + j + 2] as number) + s2;
    out[to + j + 3] = (out[to + j + 3] as number) + s3;
  }
  for (; j < rows; j++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += (x[from + i] as number) * (w[at + j * n + i] as number);
    out[to + j] = (out[to + j] as number) + sum;
  }
}

/** One direction's weights and what a step needs of them. */
interface Cell {
  readonly hidden: number;
  /** Rows of the gates, one gate after the other: [gates * hidden, hidden]. */
  readonly r: Numbers;
  readonly rAt: number;
  /** Biases of the recurrent products, [gates * hidden], where they are apart from those of the inputs. */
  readonly rBias: Float64Array;
  /** Peepholes of LSTM: input, output, forget; at their first. */
  readonly p: Numbers | undefined;
  readonly pAt: number;
  readonly f: readonly Activation[];
  /** Limits a sum before its activation. */
  readonly clip: number;
}

/** One step in place: gates hold the inputs' products with all biases, h and c the state. */
type Step = (cell: Cell, gates: Float64Array, h: Float64Array, c: Float64Array, scratch: Float64Array) => void;

const clamp = (x: number, limit: number): number => Math.max(-limit, Math.min(limit, x));

const rnnStep: Step = ({ hidden, r, rAt, f, clip }, gates, h) => {
  addProducts(gates, r, rAt, hidden, h, 0, hidden);
  const [g] = f as [Activation];
  for (let j = 0; j < hidden; j++) h[j] = g(clamp(gates[j] as number, clip));
};

/** Gates z, r, h. */
const gruStep =
  (isLinearBefore: boolean): Step =>
  ({ hidden, r, rAt, rBias, f, clip }, gates, h, _, scratch) => {
    const [sigma, g] = f as [Activation, Activation];
    addProducts(gates, r, rAt, 2 * hidden, h, 0, hidden);
    const last = rAt + 2 * hidden * hidden;
    for (let j = 0; j < 2 * hidden; j++) gates[j] = sigma(clamp(gates[j] as number, clip));
    if (isLinearBefore) {
      for (let j = 0; j < hidden; j++) scratch[j] = rBias[2 * hidden + j] as number;
      addProducts(scratch, r, last, hidden, h, 0, hidden);
      for (let j = 0; j < hidden; j++) {
        const at = 2 * hidden + j;
        gates[at] = (gates[at] as number) + (gates[hidden + j] as number) * (scratch[j] as number);
      }
    } else {
      for (let j = 0; j < hidden; j++) scratch[j] = (gates[hidden + j] as number) * (h[j] as number);
      addProducts(gates, r, last, hidden, scratch, 0, hidden, 2 * hidden);
    }
    for (let j = 0; j < hidden; j++) {
      const z = gates[j] as number;
      h[j] = (1 - z) * g(clamp(gates[2 * hidden + j] as number, clip)) + z * (h[j] as number);
    }
  };

/** Gates i, o, f, c. */
const lstmStep =
  (isCoupled: boolean): Step =>
  ({ hidden, r, rAt, p, pAt, f, clip }, gates, h, c) => {
    const [sigma, g, out] = f as [Activation, Activation, Activation];
    addProducts(gates, r, rAt, 4 * hidden, h, 0, hidden);
    for (let j = 0; j < hidden; j++) {
      const before = c[j] as number;
      let [toI, toO, toF] = [gates[j] as number, gates[hidden + j] as number, gates[2 * hidden + j] as number];
      if (p) {
        toI += (p[pAt + j] as number) * before;
        toF += (p[pAt + 2 * hidden + j] as number) * before;
      }
      const i = sigma(clamp(toI, clip));
      const forget = isCoupled ? 1 - i : sigma(clamp(toF, clip));
      const state = forget * before + i * g(clamp(gates[3 * hidden + j] as number, clip));
      if (p) toO += (p[pAt + hidden + j] as number) * state;
      const o = sigma(clamp(toO, clip));
      c[j] = state;
      h[j] = o * out(state);
    }
  };

/** What the three have in common. Outputs Y, Y_h and, of LSTM, Y_c. */
function recurrent(gates: number, names: readonly string[], stepOf: (c: Context) => Step): HostOp {
  return (c, xIn, wIn, rIn, bias, lengths, initial, initialC, peepholes) => {
    const isBatchFirst = c.int("layout", 0) === 1;
    const turn = (t: PlainTensor, order: readonly number[]) => (isBatchFirst ? transpose(c, t, order) : t);
    const x = turn(need(xIn, "X"), [1, 0, 2]);
    const [w, r] = [need(wIn, "W"), need(rIn, "R")];
    const [steps = 0, batch = 0, inputs = 0] = x.shape;
    const direction = c.oneOf("direction", "forward", ["forward", "reverse", "bidirectional"]);
    const directions = direction === "bidirectional" ? 2 : 1;
    const hidden = c.int("hidden_size", r.shape[2] ?? 0);
    const shaped = (t: PlainTensor | undefined, name: string, ...shape: number[]) => {
      if (t && t.shape.join() !== shape.join())
        throw new ModelError(`"${name}" expected ${show(shape)}, got ${show([...t.shape])}`);
    };
    if (x.shape.length !== 3) throw new ModelError(`"X" expected three axes, got ${show([...x.shape])}`);
    shaped(w, "W", directions, gates * hidden, inputs);
    shaped(r, "R", directions, gates * hidden, hidden);
    shaped(bias, "B", directions, 2 * gates * hidden);
    shaped(lengths, "sequence_lens", batch);
    shaped(peepholes, "P", directions, 3 * hidden);
    const [h0, c0] = [initial, initialC].map((t) => t && turn(t, [1, 0, 2])) as [PlainTensor?, PlainTensor?];
    shaped(h0, "initial_h", directions, batch, hidden);
    shaped(c0, "initial_c", directions, batch, hidden);
    c.budget.spend((steps + 1) * batch * directions * (gates * hidden * (inputs + hidden) + 1));
    const f = activationsOf(c, names, directions);
    const [y, yh, yc] = [
      make(c, x.type, [steps, directions, batch, hidden]),
      make(c, x.type, [directions, batch, hidden]),
      make(c, x.type, [directions, batch, hidden]),
    ];
    const ends = lengths ? toNumbers(lengths) : undefined;
    const isApart = gates === 3 && c.int("linear_before_reset", 0) === 1;
    const step = stepOf(c);
    const data = { x: numbers(x), w: numbers(w), y: numbers(y) };
    const sums = new Float64Array(gates * hidden);
    const [h, cell, scratch] = [0, 0, 0].map(() => new Float64Array(hidden)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    for (let d = 0; d < directions; d++) {
      const [base, rBias] = biasesOf(bias, d, gates * hidden, isApart ? 2 * hidden : gates * hidden);
      const own: Cell = {
        hidden,
        r: numbers(r),
        rAt: d * gates * hidden * hidden,
        rBias,
        p: peepholes && numbers(peepholes),
        pAt: d * 3 * hidden,
        f: f.slice(d * names.length, (d + 1) * names.length),
        clip: c.has("clip") ? c.float("clip", 0) : Infinity,
      };
      const isBackwards = direction === "reverse" || d === 1;
      for (let n = 0; n < batch; n++) {
        const at = (d * batch + n) * hidden;
        h.set(h0 ? numbers(h0).subarray(at, at + hidden) : ZEROS(hidden));
        cell.set(c0 ? numbers(c0).subarray(at, at + hidden) : ZEROS(hidden));
        const end = ends?.[n] ?? steps;
        if (!(end >= 0 && end <= steps)) throw new ModelError(`"sequence_lens" expected 0 to ${steps}, got ${end}`);
        for (let s = 0; s < end; s++) {
          const t = isBackwards ? end - 1 - s : s;
          sums.set(base);
          addProducts(
            sums,
            data.w,
            d * gates * hidden * inputs,
            gates * hidden,
            data.x,
            (t * batch + n) * inputs,
            inputs,
          );
          step(own, sums, h, cell, scratch);
          data.y.set(h, ((t * directions + d) * batch + n) * hidden);
        }
        numbers(yh).set(h, at);
        numbers(yc).set(cell, at);
      }
    }
    const back = (t: PlainTensor, order: readonly number[]) => roundToType(turn(t, order));
    return [back(y, [2, 0, 1, 3]), back(yh, [1, 0, 2]), back(yc, [1, 0, 2])].slice(0, gates === 4 ? 3 : 2);
  };
}

const ZEROS = (length: number): Float64Array => new Float64Array(length);

/** Biases of a direction: those of the inputs, with those of the recurrent products below `shared`; and the latter. */
function biasesOf(
  bias: PlainTensor | undefined,
  d: number,
  count: number,
  shared: number,
): [Float64Array, Float64Array] {
  if (!bias) return [ZEROS(count), ZEROS(count)];
  const own = Float64Array.from(numbers(bias).subarray(2 * d * count, 2 * (d + 1) * count));
  const [base, recurrent] = [own.subarray(0, count), own.subarray(count)];
  for (let j = 0; j < shared; j++) base[j] = (base[j] as number) + (recurrent[j] as number);
  return [base, recurrent];
}

export const RECURRENT: Readonly<Record<string, HostOp>> = {
  RNN: recurrent(1, ["Tanh"], () => rnnStep),
  GRU: recurrent(3, ["Sigmoid", "Tanh"], (c) => gruStep(c.int("linear_before_reset", 0) === 1)),
  LSTM: recurrent(4, ["Sigmoid", "Tanh", "Tanh"], (c) => lstmStep(c.int("input_forget", 0) === 1)),
};
