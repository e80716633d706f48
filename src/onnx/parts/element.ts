// Operators by element, reductions and rearrangements that are a few of those which kernels do.
import { countOf } from "../../base/shape.js";
import { int64s, type PlainTensor, toNumbers } from "../file/plain-tensor.js";
import { fill, make } from "../host/make.js";
import { type Assembly, type FormDescription, formed, isSingle, needed } from "./assembly.js";

const real = (float: number) => ({ float });

/** Of float32 alone. */
const single =
  (describe: FormDescription): FormDescription =>
  (a, inputs) =>
    inputs.every((part) => part === undefined || isSingle(part)) ? describe(a, inputs) : undefined;

const selu: FormDescription = (a) => {
  const y = a.add("Elu", ["0"], { alpha: real(a.c.float("alpha", 1.6732632423543772)) });
  return [a.add("Mul", [y, a.number(a.c.float("gamma", 1.0507009873554805))])];
};

/** alpha elu(x / alpha). */
const celu: FormDescription = (a) => {
  const alpha = a.c.float("alpha", 1);
  if (alpha === 1) return [a.add("Elu", ["0"])];
  return [a.add("Mul", [a.add("Elu", [a.add("Div", ["0", a.number(alpha)])]), a.number(alpha)])];
};

const softsign: FormDescription = (a) => [a.add("Div", ["0", a.add("Add", [a.add("Abs", ["0"]), a.number(1)])])];

const mean: FormDescription = (a, inputs) =>
  inputs.length === 1
    ? undefined
    : [
        a.add("Mul", [
          a.add(
            "Sum",
            inputs.map((_, i) => String(i)),
          ),
          a.number(1 / inputs.length),
        ]),
      ];

const spaceToDepth: FormDescription = (a, inputs) => {
  const { shape } = needed(inputs, 0, "input");
  const [n = 0, channels = 0, h = 0, w = 0] = shape;
  const block = a.c.int("blocksize", 0);
  if (shape.length !== 4 || !(block >= 1) || h % block !== 0 || w % block !== 0) return undefined;
  const parts = a.reshape("0", n, channels, h / block, block, w / block, block);
  const moved = a.add("Transpose", [parts], { perm: [0, 3, 5, 1, 2, 4] });
  return [a.reshape(moved, n, channels * block ** 2, h / block, w / block)];
};

/** top + log(sum(exp(x - top))), top the largest: of nothing but infinities, a number that leaves them what they are. */
const logSumExp: FormDescription = (a, inputs) => {
  const keepdims = a.c.int("keepdims", 1);
  const axes = a.c.ints("axes");
  if (a.c.int("noop_with_empty_axes", 0) === 1 || (inputs[1] && !("data" in inputs[1]))) return undefined;
  const along = inputs[1] ? ["1"] : axes && axes.length > 0 ? [a.integers(...axes)] : [];
  const most = 3.4e38;
  const top = a.add("Clip", [a.add("ReduceMax", ["0", ...along]), a.number(-most), a.number(most)]);
  const powers = a.add("Exp", [a.add("Sub", ["0", top])]);
  const sum = a.add("Log", [a.add("ReduceSum", [powers, ...along], { keepdims })]);
  const kept = keepdims === 1 ? top : reduced(a, inputs[0]?.shape ?? [], top, along);
  return [a.add("Add", [sum, kept])];
};

/** Without its axes of size 1 that were reduced. */
function reduced(a: Assembly, shape: readonly number[], x: string, along: readonly string[]): string {
  return along.length > 0 ? a.add("Squeeze", [x, ...along]) : shape.length > 0 ? a.reshape(x) : x;
}

/** x over the norm of its row: of nothing but zeros, zeros. */
const lpNormalization: FormDescription = (a, inputs) => {
  const { shape } = needed(inputs, 0, "input");
  const axis = a.integers(a.c.axis("axis", a.c.int("axis", -1), shape.length));
  const norm = a.add(a.c.int("p", 2) === 1 ? "ReduceL1" : "ReduceL2", ["0", axis]);
  return [a.add("Div", ["0", a.add("Max", [norm, a.number(2 ** -149)])])];
};

/** (x - mean) / (deviation + 1e-9). */
const meanVariance: FormDescription = (a, inputs) => {
  const { shape } = needed(inputs, 0, "X");
  const axes = a.integers(...a.c.axes("axes", a.c.ints("axes") ?? [0, 2, 3], shape.length));
  const centred = a.add("Sub", ["0", a.add("ReduceMean", ["0", axes])]);
  const variance = a.add("ReduceMean", [a.add("Mul", [centred, centred]), axes]);
  return [a.add("Div", [centred, a.add("Add", [a.add("Sqrt", [variance]), a.number(1e-9)])])];
};

/** Cut or padded in the middle. */
const centerCropPad: FormDescription = (a, inputs) => {
  const wanted = inputs[1];
  if (!wanted || !("data" in wanted)) return undefined;
  const { shape } = needed(inputs, 0, "input_data");
  const sizes = toNumbers(wanted as PlainTensor);
  const axes = a.c.axes("axes", a.c.ints("axes") ?? shape.map((_, i) => i), shape.length);
  if (sizes.length !== axes.length || sizes.some((size) => !(size >= 1))) return undefined;
  const starts = shape.map(() => 0);
  const ends = [...shape];
  const pads = [...shape, ...shape].map(() => 0);
  axes.forEach((axis, i) => {
    const [have, size] = [shape[axis] as number, sizes[i] as number];
    if (size <= have) {
      starts[axis] = Math.floor((have - size) / 2);
      ends[axis] = (starts[axis] as number) + size;
    } else {
      pads[axis] = Math.floor((size - have) / 2);
      pads[shape.length + axis] = size - have - (pads[axis] as number);
    }
  });
  const all = shape.map((_, axis) => axis);
  const cut = a.slice("0", all, starts, ends);
  return [pads.some((count) => count > 0) ? a.add("Pad", [cut, a.integers(...pads)]) : cut];
};

/** What is on or above a diagonal, or below it, and zeros. */
const trilu: FormDescription = (a, inputs) => {
  const { shape, type } = needed(inputs, 0, "input");
  const k = inputs[1];
  const [rows, columns] = shape.slice(-2) as [number, number];
  if (shape.length < 2 || type === "float64" || (k && !("data" in k))) return undefined;
  const from = k ? Number((k as PlainTensor).data[0]) : 0;
  const isUpper = a.c.int("upper", 1) === 1;
  const mask = new Uint8Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) mask[i * columns + j] = Number(isUpper ? j - i >= from : j - i <= from);
  a.c.budget.take("bool", [rows, columns]);
  const chosen = a.constant({ type: "bool", shape: [rows, columns], data: mask });
  const zero = a.constant(fill(make(a.c, type, []), 0));
  return [a.add("Where", [chosen, "0", zero])];
};

/** The most copies of an axis that are put together. */
const MOST_COPIES = 64;

/** Copies joined, along the last axes first: those are the small ones. */
const tile: FormDescription = (a, inputs) => {
  const { shape } = needed(inputs, 0, "input");
  const repeats = inputs[1];
  if (!repeats || !("data" in repeats) || inputs[2]) return undefined;
  const counts = toNumbers(repeats as PlainTensor);
  if (counts.length !== shape.length || counts.some((count) => !(count >= 1 && count <= MOST_COPIES))) return undefined;
  let y = "0";
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const count = counts[axis] as number;
    if (count > 1) y = a.add("Concat", new Array<string>(count).fill(y), { axis });
  }
  return [y === "0" ? a.add("Identity", ["0"]) : y];
};

/** 1 at the place of the largest along an axis; before operator set 13 along all from there on. */
const hardmax: FormDescription = (a, inputs) => {
  const { shape } = needed(inputs, 0, "input");
  const isFlat = a.c.opset < 13;
  const axis = a.c.axis("axis", a.c.int("axis", isFlat ? 1 : -1), shape.length);
  const flat = [countOf(shape.slice(0, axis)), countOf(shape.slice(axis))];
  const x = isFlat ? a.reshape("0", ...flat) : "0";
  const [along, rest] = isFlat ? [flat[1] as number, 0] : [shape[axis] as number, shape.length - 1 - axis];
  const places = int64s(
    Array.from({ length: along }, (_, i) => i),
    [along, ...new Array<number>(rest).fill(1)],
  );
  const isTop = a.add("Equal", [a.add("ArgMax", [x], { axis: isFlat ? 1 : axis }), a.constant(places)]);
  const y = a.add("Convert", [isTop], { to: 1 });
  return [isFlat ? a.reshape(y, ...shape) : y];
};

/** Powers that layers know are theirs; every other exponent, and one that a run computes. */
const pow: FormDescription = (a, inputs) => {
  const [x, y] = [needed(inputs, 0, "X"), needed(inputs, 1, "Y")];
  return isSingle(x) && x.type === y.type && a.c.opset >= 7 ? [a.add("PowOfTwo", ["0", "1"])] : undefined;
};

export const ELEMENT_FORMS = formed({
  Pow: pow,
  Tile: tile,
  Hardmax: single(hardmax),
  Trilu: trilu,
  Selu: single(selu),
  Celu: single(celu),
  Softsign: single(softsign),
  Mean: single(mean),
  SpaceToDepth: spaceToDepth,
  CenterCropPad: centerCropPad,
  ReduceLogSumExp: (a, inputs) => (isSingle(inputs[0]) ? logSumExp(a, inputs) : undefined),
  LpNormalization: single(lpNormalization),
  MeanVarianceNormalization: single(meanVariance),
});
