// Operators that normalise along axes.
import { ModelError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import type { Budgeted } from "../file/budget.js";
import { roundToType } from "../file/halves.js";
import { byChannel, numbers, type PlainTensor, reshaped, toNumbers } from "../file/plain-tensor.js";
import { type Context, type HostOp, need } from "./context.js";
import { broadcast, transpose } from "./indexing.js";
import { cast, make } from "./make.js";
import { byRow, logSumExp, maximum, type Row, rowsOf, sum } from "./rows.js";

function softmaxLike(f: (row: Row, to: (i: number, value: number) => void) => void): HostOp {
  return (c, input) => {
    const x = need(input, "input");
    const isFlat = c.opset < 13;
    return byRow(c, x, c.axis("axis", c.int("axis", isFlat ? 1 : -1), x.shape.length), isFlat, f);
  };
}

const lpNormalization: HostOp = (c, input) => {
  const x = need(input, "input");
  const p = c.int("p", 2);
  return byRow(c, x, c.axis("axis", c.int("axis", -1), x.shape.length), false, (row, to) => {
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
  const means = make(c, "float32", statistics);
  const scales = make(c, "float32", statistics);
  let at = 0;
  const normal = byRow(c, cast(c, x, "float32"), axis, true, (row, to) => {
    const { mean, variance } = deviation(row);
    const inverse = 1 / Math.sqrt(variance + epsilon);
    numbers(means)[at] = mean;
    numbers(scales)[at++] = inverse;
    for (let i = 0; i < row.length; i++) to(i, ((row[i] as number) - mean) * inverse);
  });
  return [cast(c, affine(c, normal, need(scale, "Scale"), bias), x.type), means, scales];
};

const rmsNorm: HostOp = (c, input, scale) => {
  const x = need(input, "X");
  const epsilon = c.float("epsilon", 1e-5);
  const normal = byRow(c, cast(c, x, "float32"), c.axis("axis", c.int("axis", -1), x.shape.length), true, (row, to) => {
    const inverse = 1 / Math.sqrt(sum(row, (v) => v * v) / row.length + epsilon);
    for (let i = 0; i < row.length; i++) to(i, (row[i] as number) * inverse);
  });
  return cast(c, affine(c, normal, need(scale, "scale"), undefined), x.type);
};

/** x * scale + bias, broadcast; in place. */
function affine(c: Budgeted, x: PlainTensor, scale: PlainTensor, bias: PlainTensor | undefined): PlainTensor {
  const s = numbers(broadcast(c, scale, x.shape));
  const b = bias && numbers(broadcast(c, bias, x.shape));
  const data = numbers(x);
  for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) * (s[i] as number) + (b?.[i] ?? 0);
  return x;
}

const instanceNorm: HostOp = (c, input, scale, bias) => {
  const x = need(input, "input");
  const epsilon = c.float("epsilon", 1e-5);
  const normal = byRow(c, x, 2, true, (row, to) => {
    const { mean, variance } = deviation(row);
    for (let i = 0; i < row.length; i++) to(i, ((row[i] as number) - mean) / Math.sqrt(variance + epsilon));
  });
  const rank = x.shape.length;
  return roundToType(affine(c, normal, byChannel(need(scale, "scale"), rank), byChannel(need(bias, "B"), rank)));
};

const groupNorm: HostOp = (c, input, scale, bias) => {
  const x = need(input, "X");
  const groups = c.int("num_groups", 1);
  const channels = x.shape[1] ?? 0;
  if (groups < 1 || channels % groups !== 0)
    throw new ModelError(`"num_groups" expected a divisor of ${channels}, got ${groups}`);
  const epsilon = c.float("epsilon", 1e-5);
  const grouped = reshaped(x, [x.shape[0] as number, groups, countOf(x.shape.slice(1)) / groups]);
  const normal = byRow(c, grouped, 2, true, (row, to) => {
    const { mean, variance } = deviation(row);
    for (let i = 0; i < row.length; i++) to(i, ((row[i] as number) - mean) / Math.sqrt(variance + epsilon));
  });
  // Operator set 18 has one scale a group, 21 one a channel.
  const spread = (t: PlainTensor): PlainTensor => {
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
  return roundToType(affine(c, reshaped(normal, x.shape), spread(need(scale, "scale")), spread(need(bias, "bias"))));
};

const batchNorm: HostOp = (c, input, scale, bias, meanInput, varianceInput) => {
  const x = need(input, "X");
  if (c.isTraining)
    return trainedBatchNorm(
      c,
      x,
      need(scale, "scale"),
      need(bias, "B"),
      need(meanInput, "input_mean"),
      need(varianceInput, "input_var"),
    );
  return normalisedBy(c, x, need(scale, "scale"), need(bias, "B"), need(meanInput, "mean"), need(varianceInput, "var"));
};

/** (x - mean) / sqrt(variance + epsilon) * scale + bias, by channel. */
function normalisedBy(c: Context, x: PlainTensor, ...perChannel: readonly PlainTensor[]): PlainTensor {
  const rank = x.shape.length;
  const [s, b, m, v] = perChannel.map((t) => numbers(broadcast(c, byChannel(t, rank), x.shape))) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const epsilon = c.float("epsilon", 1e-5);
  const out = make(c, x.type, x.shape);
  numbers(x).forEach((value, i) => {
    numbers(out)[i] =
      ((value - (m[i] as number)) / Math.sqrt((v[i] as number) + epsilon)) * (s[i] as number) + (b[i] as number);
  });
  return roundToType(out);
}

/** Normalises by the batch's own statistics; answers the running ones, then its own. */
function trainedBatchNorm(
  c: Context,
  x: PlainTensor,
  scale: PlainTensor,
  bias: PlainTensor,
  mean: PlainTensor,
  variance: PlainTensor,
): PlainTensor[] {
  const axes = x.shape.map((_, i) => i).filter((axis) => axis !== 1);
  const { rows, length, count } = rowsOf(c, x, axes);
  const momentum = c.float("momentum", 0.9);
  const [means, variances, nextMean, nextVariance] = [mean, mean, mean, variance].map((t) =>
    make(c, t.type, t.shape),
  ) as [PlainTensor, PlainTensor, PlainTensor, PlainTensor];
  for (let channel = 0; channel < count; channel++) {
    const own = deviation(rows.subarray(channel * length, (channel + 1) * length));
    numbers(means)[channel] = own.mean;
    numbers(variances)[channel] = own.variance;
    numbers(nextMean)[channel] = (numbers(mean)[channel] as number) * momentum + own.mean * (1 - momentum);
    numbers(nextVariance)[channel] = (numbers(variance)[channel] as number) * momentum + own.variance * (1 - momentum);
  }
  const y = normalisedBy(c, x, scale, bias, means, variances);
  return [y, nextMean, nextVariance, means, variances];
}

const meanVariance: HostOp = (c, input) => {
  const x = need(input, "X");
  const axes = c.axes("axes", c.ints("axes") ?? [0, 2, 3], x.shape.length);
  const kept = x.shape.map((_, i) => i).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const normal = byRow(c, transpose(c, x, order), kept.length, true, (row, to) => {
    const { mean, variance } = deviation(row);
    for (let i = 0; i < row.length; i++) to(i, ((row[i] as number) - mean) / (Math.sqrt(variance) + 1e-9));
  });
  return transpose(
    c,
    normal,
    order.map((_, axis) => order.indexOf(axis)),
  );
};

const lrn: HostOp = (c, input) => {
  const x = need(input, "X");
  const size = c.int("size", 0);
  if (size < 1) throw new ModelError(`"size" expected at least 1, got ${size}`);
  const [alpha, beta, bias] = [c.float("alpha", 1e-4), c.float("beta", 0.75), c.float("bias", 1)];
  return byRow(c, x, 1, false, (row, to) => {
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

export const NORMALISATION: Readonly<Record<string, HostOp>> = {
  Softmax: softmaxLike((row, to) => {
    const top = maximum(row);
    const total = sum(row, (x) => Math.exp(x - top));
    for (let i = 0; i < row.length; i++) to(i, Math.exp((row[i] as number) - top) / total);
  }),
  LogSoftmax: softmaxLike((row, to) => {
    const all = logSumExp(row);
    // Of a row with infinity nothing is left, as Softmax has it: infinity less infinity.
    for (let i = 0; i < row.length; i++) to(i, all === Infinity ? Number.NaN : (row[i] as number) - all);
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
