// Operators that sum, compare or normalise along axes.
import { ModelError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { type Context, type HostOp, need } from "./context.js";
import {
  along,
  broadcast,
  cast,
  type HostTensor,
  int64s,
  isBig,
  make,
  numbers,
  reshaped,
  settle,
  toNumbers,
  transpose,
} from "./tensor.js";

type Row = ArrayLike<number>;

/** Rows of the reduced axes' elements, as float64, with what the result's shape is. */
function rowsOf(t: HostTensor, axes: readonly number[]): { rows: Float64Array; length: number; count: number } {
  const kept = t.shape.map((_, i) => i).filter((axis) => !axes.includes(axis));
  const moved = transpose(t, [...kept, ...axes]);
  const length = countOf(axes.map((axis) => t.shape[axis] as number));
  return {
    rows: Float64Array.from(moved.data as ArrayLike<number>, Number),
    length,
    count: countOf(kept.map((axis) => t.shape[axis] as number)),
  };
}

function reduce(f: (row: Row) => number): HostOp {
  return (c, data, axesInput) => {
    const x = need(data, "data");
    const rank = x.shape.length;
    const given = c.list("axes", axesInput);
    const isNothing = c.int("noop_with_empty_axes", 0) === 1 && (given === undefined || given.length === 0);
    // The sum and the like of nothing but each element itself: still squares, logarithms and magnitudes are taken.
    const axes = isNothing
      ? []
      : given === undefined || given.length === 0
        ? x.shape.map((_, i) => i)
        : c.axes("axes", given, rank);
    const { rows, length, count } = rowsOf(x, axes);
    const keep = c.int("keepdims", 1) === 1;
    const shape = x.shape.flatMap((size, i) => (axes.includes(i) ? (keep ? [1] : []) : [size]));
    const out = make(x.type, shape);
    const to = out.data as unknown as (number | bigint)[];
    for (let i = 0; i < count; i++) {
      const value = f(rows.subarray(i * length, (i + 1) * length));
      to[i] = isBig(x.type) ? BigInt(Math.trunc(value)) : value;
    }
    return settle(out);
  };
}

function sum(row: Row, f: (x: number) => number = (x) => x): number {
  let total = 0;
  for (let i = 0; i < row.length; i++) total += f(row[i] as number);
  return total;
}

function best(row: Row, isBetter: (a: number, b: number) => boolean, start: number): number {
  let value = start;
  for (let i = 0; i < row.length; i++) {
    const x = row[i] as number;
    if (Number.isNaN(x)) return x;
    if (isBetter(x, value)) value = x;
  }
  return value;
}

const maximum = (row: Row): number => best(row, (a, b) => a > b, -Infinity);
const minimum = (row: Row): number => best(row, (a, b) => a < b, Infinity);

function logSumExp(row: Row): number {
  const top = maximum(row);
  if (!Number.isFinite(top)) return top;
  return top + Math.log(sum(row, (x) => Math.exp(x - top)));
}

function argument(isBetter: (a: number, b: number) => boolean): HostOp {
  return (c, data) => {
    const x = need(data, "data");
    const axis = c.axis("axis", c.int("axis", 0), x.shape.length);
    const { rows, length, count } = rowsOf(x, [axis]);
    const isLast = c.int("select_last_index", 0) === 1;
    const keep = c.int("keepdims", 1) === 1;
    const found = Array.from({ length: count }, (_, r) => {
      let at = 0;
      for (let i = 1; i < length; i++) {
        const [value, other] = [rows[r * length + i] as number, rows[r * length + at] as number];
        if (isBetter(value, other) || (isLast && value === other)) at = i;
      }
      return at;
    });
    return int64s(
      found,
      x.shape.flatMap((size, i) => (i === axis ? (keep ? [1] : []) : [size])),
    );
  };
}

const topK: HostOp = (c, input, kInput) => {
  const x = need(input, "X");
  const axis = c.axis("axis", c.int("axis", -1), x.shape.length);
  const k = kInput === undefined ? c.int("k", 0) : Number(kInput.data[0]);
  const { outer, size, inner } = along(x.shape, axis);
  if (!Number.isInteger(k) || k < 0 || k > size) throw new ModelError(`"k" expected from 0 to ${size}, got ${k}`);
  const sign = c.int("largest", 1) === 1 ? -1 : 1;
  const shape = x.shape.map((s, i) => (i === axis ? k : s));
  const values = make(x.type, shape);
  const indices = make("int64", shape);
  const data = x.data as ArrayLike<number | bigint>;
  const order = new Array<number>(size);
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < inner; n++) {
      const at = (i: number) => data[(o * size + i) * inner + n] as number;
      for (let i = 0; i < size; i++) order[i] = i;
      order.sort((a, b) => (at(a) === at(b) ? a - b : at(a) > at(b) ? sign : -sign));
      for (let i = 0; i < k; i++) {
        const to = (o * k + i) * inner + n;
        numbers(values)[to] = at(order[i] as number);
        (indices.data as BigInt64Array)[to] = BigInt(order[i] as number);
      }
    }
  }
  return [values, indices];
};

const cumSum: HostOp = (c, input, axisInput) => {
  const x = need(input, "x");
  const axis = c.axis("axis", Number(need(axisInput, "axis").data[0]), x.shape.length);
  const isExclusive = c.int("exclusive", 0) === 1;
  const isReverse = c.int("reverse", 0) === 1;
  const { outer, size, inner } = along(x.shape, axis);
  const out = make(x.type, x.shape);
  const zero = (isBig(x.type) ? 0n : 0) as number;
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < inner; n++) {
      let total = zero;
      for (let step = 0; step < size; step++) {
        const at = (o * size + (isReverse ? size - 1 - step : step)) * inner + n;
        const value = numbers(x)[at] as number;
        numbers(out)[at] = isExclusive ? total : total + value;
        total += value;
      }
    }
  }
  return settle(out);
};

/** Maps every row along an axis; before operator set 13 the rows are all axes from there on. */
function byRow(
  t: HostTensor,
  axis: number,
  isFlat: boolean,
  f: (row: Row, to: (i: number, value: number) => void) => void,
): HostTensor {
  const { outer, size, inner } = along(t.shape, axis);
  const [length, step] = isFlat ? [size * inner, 1] : [size, inner];
  const out = make(t.type, t.shape);
  const [from, to] = [numbers(t), numbers(out)];
  const row = new Float64Array(length);
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < (isFlat ? 1 : inner); n++) {
      const start = o * size * inner + n;
      for (let i = 0; i < length; i++) row[i] = from[start + i * step] as number;
      f(row, (i, value) => {
        to[start + i * step] = value;
      });
    }
  }
  return settle(out);
}

function softmaxLike(f: (row: Row, to: (i: number, value: number) => void) => void): HostOp {
  return (c, input) => {
    const x = need(input, "input");
    const isFlat = c.opset < 13;
    return byRow(x, c.axis("axis", c.int("axis", isFlat ? 1 : -1), x.shape.length), isFlat, f);
  };
}

const lpNormalization: HostOp = (c, input) => {
  const x = need(input, "input");
  const p = c.int("p", 2);
  return byRow(x, c.axis("axis", c.int("axis", -1), x.shape.length), false, (row, to) => {
    const norm = p === 1 ? sum(row, Math.abs) : Math.sqrt(sum(row, (v) => v * v));
    for (let i = 0; i < row.length; i++) to(i, norm === 0 ? 0 : (row[i] as number) / norm);
  });
};

function deviation(row: Row): { mean: number; variance: number } {
  const mean = sum(row) / row.length;
  return { mean, variance: sum(row, (x) => (x - mean) ** 2) / row.length };
}

/** (x - mean) / sqrt(variance + epsilon) of each row of the axes from `axis` on. */
const layerNorm: HostOp = (c, input, scale, bias) => {
  const x = need(input, "X");
  const axis = c.axis("axis", c.int("axis", -1), x.shape.length);
  const epsilon = c.float("epsilon", 1e-5);
  const statistics = x.shape.map((size, i) => (i < axis ? size : 1));
  const means = make("float32", statistics);
  const scales = make("float32", statistics);
  let at = 0;
  const normal = byRow(cast(x, "float32"), axis, true, (row, to) => {
    const { mean, variance } = deviation(row);
    const inverse = 1 / Math.sqrt(variance + epsilon);
    numbers(means)[at] = mean;
    numbers(scales)[at++] = inverse;
    for (let i = 0; i < row.length; i++) to(i, ((row[i] as number) - mean) * inverse);
  });
  return [cast(affine(normal, need(scale, "Scale"), bias), x.type), means, scales];
};

const rmsNorm: HostOp = (c, input, scale) => {
  const x = need(input, "X");
  const epsilon = c.float("epsilon", 1e-5);
  const normal = byRow(cast(x, "float32"), c.axis("axis", c.int("axis", -1), x.shape.length), true, (row, to) => {
    const inverse = 1 / Math.sqrt(sum(row, (v) => v * v) / row.length + epsilon);
    for (let i = 0; i < row.length; i++) to(i, (row[i] as number) * inverse);
  });
  return cast(affine(normal, need(scale, "scale"), undefined), x.type);
};

/** x * scale + bias, broadcast; in place. */
function affine(x: HostTensor, scale: HostTensor, bias: HostTensor | undefined): HostTensor {
  const s = numbers(broadcast(scale, x.shape));
  const b = bias && numbers(broadcast(bias, x.shape));
  const data = numbers(x);
  for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) * (s[i] as number) + (b?.[i] ?? 0);
  return x;
}

/** A tensor of one value a channel, as it broadcasts over [N, C, …]. */
export function byChannel(t: HostTensor, rank: number): HostTensor {
  return reshaped(t, [countOf(t.shape), ...new Array<number>(Math.max(0, rank - 2)).fill(1)]);
}

const instanceNorm: HostOp = (c, input, scale, bias) => {
  const x = need(input, "input");
  const epsilon = c.float("epsilon", 1e-5);
  const normal = byRow(x, 2, true, (row, to) => {
    const { mean, variance } = deviation(row);
    for (let i = 0; i < row.length; i++) to(i, ((row[i] as number) - mean) / Math.sqrt(variance + epsilon));
  });
  const rank = x.shape.length;
  return settle(affine(normal, byChannel(need(scale, "scale"), rank), byChannel(need(bias, "B"), rank)));
};

const groupNorm: HostOp = (c, input, scale, bias) => {
  const x = need(input, "X");
  const groups = c.int("num_groups", 1);
  const channels = x.shape[1] ?? 0;
  if (groups < 1 || channels % groups !== 0)
    throw new ModelError(`"num_groups" expected a divisor of ${channels}, got ${groups}`);
  const epsilon = c.float("epsilon", 1e-5);
  const grouped = reshaped(x, [x.shape[0] as number, groups, countOf(x.shape.slice(1)) / groups]);
  const normal = byRow(grouped, 2, true, (row, to) => {
    const { mean, variance } = deviation(row);
    for (let i = 0; i < row.length; i++) to(i, ((row[i] as number) - mean) / Math.sqrt(variance + epsilon));
  });
  // Operator set 18 has one scale a group, 21 one a channel.
  const spread = (t: HostTensor): HostTensor => {
    const values = toNumbers(t);
    const each = channels / values.length;
    return byChannel(
      {
        type: x.type,
        shape: [channels],
        data: Float32Array.from({ length: channels }, (_, i) => values[Math.floor(i / each)] as number),
      },
      x.shape.length,
    );
  };
  return settle(affine(reshaped(normal, x.shape), spread(need(scale, "scale")), spread(need(bias, "bias"))));
};

const batchNorm: HostOp = (c, input, scale, bias, meanInput, varianceInput) => {
  const x = need(input, "X");
  if (c.int("training_mode", 0) === 1 && c.opset >= 14)
    return trainedBatchNorm(
      c,
      x,
      need(scale, "scale"),
      need(bias, "B"),
      need(meanInput, "input_mean"),
      need(varianceInput, "input_var"),
    );
  const rank = x.shape.length;
  const [s, b, m, v] = [need(scale, "scale"), need(bias, "B"), need(meanInput, "mean"), need(varianceInput, "var")].map(
    (t) => numbers(broadcast(byChannel(t, rank), x.shape)),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array];
  const epsilon = c.float("epsilon", 1e-5);
  const out = make(x.type, x.shape);
  numbers(x).forEach((value, i) => {
    numbers(out)[i] =
      ((value - (m[i] as number)) / Math.sqrt((v[i] as number) + epsilon)) * (s[i] as number) + (b[i] as number);
  });
  return settle(out);
};

/** Normalises by the batch's own statistics and answers the running ones. */
function trainedBatchNorm(
  c: Context,
  x: HostTensor,
  scale: HostTensor,
  bias: HostTensor,
  mean: HostTensor,
  variance: HostTensor,
): HostTensor[] {
  const axes = x.shape.map((_, i) => i).filter((axis) => axis !== 1);
  const { rows, length, count } = rowsOf(x, axes);
  const momentum = c.float("momentum", 0.9);
  const [means, variances, nextMean, nextVariance] = [mean, mean, mean, variance].map((t) => make(t.type, t.shape)) as [
    HostTensor,
    HostTensor,
    HostTensor,
    HostTensor,
  ];
  for (let channel = 0; channel < count; channel++) {
    const own = deviation(rows.subarray(channel * length, (channel + 1) * length));
    numbers(means)[channel] = own.mean;
    numbers(variances)[channel] = own.variance;
    numbers(nextMean)[channel] = (numbers(mean)[channel] as number) * momentum + own.mean * (1 - momentum);
    numbers(nextVariance)[channel] = (numbers(variance)[channel] as number) * momentum + own.variance * (1 - momentum);
  }
  return [
    batchNorm(c.without("training_mode"), x, scale, bias, means, variances) as HostTensor,
    nextMean,
    nextVariance,
  ];
}

const meanVariance: HostOp = (c, input) => {
  const x = need(input, "X");
  const axes = c.axes("axes", c.ints("axes") ?? [0, 2, 3], x.shape.length);
  const kept = x.shape.map((_, i) => i).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const normal = byRow(transpose(x, order), kept.length, true, (row, to) => {
    const { mean, variance } = deviation(row);
    for (let i = 0; i < row.length; i++) to(i, ((row[i] as number) - mean) / (Math.sqrt(variance) + 1e-9));
  });
  return transpose(
    normal,
    order.map((_, axis) => order.indexOf(axis)),
  );
};

const lrn: HostOp = (c, input) => {
  const x = need(input, "X");
  const size = c.int("size", 0);
  if (size < 1) throw new ModelError(`"size" expected at least 1, got ${size}`);
  const [alpha, beta, bias] = [c.float("alpha", 1e-4), c.float("beta", 0.75), c.float("bias", 1)];
  return byRow(x, 1, false, (row, to) => {
    for (let i = 0; i < row.length; i++) {
      let squares = 0;
      for (
        let j = Math.max(0, i - Math.floor((size - 1) / 2));
        j <= Math.min(row.length - 1, i + Math.ceil((size - 1) / 2));
        j++
      )
        squares += (row[j] as number) ** 2;
      to(i, (row[i] as number) / (bias + (alpha / size) * squares) ** beta);
    }
  });
};

export const REDUCTION: Readonly<Record<string, HostOp>> = {
  ReduceSum: reduce(sum),
  ReduceMean: reduce((row) => sum(row) / row.length),
  ReduceMax: (c, data, axes) => {
    const x = need(data, "data");
    return reduce((row) => (row.length === 0 ? lowest(x) : maximum(row)))(c, x, axes);
  },
  ReduceMin: (c, data, axes) => {
    const x = need(data, "data");
    return reduce((row) => (row.length === 0 ? highest(x) : minimum(row)))(c, x, axes);
  },
  ReduceProd: reduce((row) => Array.prototype.reduce.call(row, (a, b) => (a as number) * (b as number), 1) as number),
  ReduceL1: reduce((row) => sum(row, Math.abs)),
  ReduceL2: reduce((row) => Math.sqrt(sum(row, (x) => x * x))),
  ReduceSumSquare: reduce((row) => sum(row, (x) => x * x)),
  ReduceLogSum: reduce((row) => Math.log(sum(row))),
  ReduceLogSumExp: reduce(logSumExp),
  ArgMax: argument((a, b) => a > b),
  ArgMin: argument((a, b) => a < b),
  TopK: topK,
  CumSum: cumSum,
  Softmax: softmaxLike((row, to) => {
    const top = maximum(row);
    const total = sum(row, (x) => Math.exp(x - top));
    for (let i = 0; i < row.length; i++) to(i, Math.exp((row[i] as number) - top) / total);
  }),
  LogSoftmax: softmaxLike((row, to) => {
    const all = logSumExp(row);
    for (let i = 0; i < row.length; i++) to(i, (row[i] as number) - all);
  }),
  Hardmax: softmaxLike((row, to) => {
    const top = Array.prototype.indexOf.call(row, maximum(row));
    for (let i = 0; i < row.length; i++) to(i, i === top ? 1 : 0);
  }),
  LpNormalization: lpNormalization,
  LayerNormalization: layerNorm,
  RMSNormalization: rmsNorm,
  InstanceNormalization: instanceNorm,
  GroupNormalization: groupNorm,
  BatchNormalization: batchNorm,
  MeanVarianceNormalization: meanVariance,
  LRN: lrn,
};

/** What the maximum of nothing is: the least value of the type. */
function lowest({ type }: HostTensor): number {
  if (/float/.test(type)) return -Infinity;
  const bits = Number(/\d+/.exec(type)?.[0] ?? 1);
  return type.startsWith("u") || type === "bool" ? 0 : -(2 ** (bits - 1));
}

function highest({ type }: HostTensor): number {
  if (/float/.test(type)) return Infinity;
  if (type === "bool") return 1;
  const bits = Number(/\d+/.exec(type)?.[0] ?? 1);
  return type.startsWith("u") ? 2 ** bits - 1 : 2 ** (bits - 1) - 1;
}
