// Matrix products and quantised operators. Integers are multiplied as numbers: exact up to 2^53.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { Context, type HostOp, need } from "./context.js";
import { ELEMENTWISE } from "./elementwise.js";
import { MOVEMENT } from "./movement.js";
import { REDUCTION } from "./reduction.js";
import {
  broadcast,
  broadcastShape,
  cast,
  type ElementType,
  elementType,
  type HostTensor,
  isBig,
  make,
  numbers,
  reshaped,
  roundToEven,
  settle,
  spend,
  toNumbers,
  transpose,
} from "./tensor.js";
import { convolve, WINDOW } from "./window.js";

/** NumPy's matmul: the last two axes are multiplied, those before broadcast; vectors gain an axis and lose it again. */
export function matmul(first: HostTensor, second: HostTensor, type: ElementType = first.type): HostTensor {
  const isRow = first.shape.length === 1;
  const isColumn = second.shape.length === 1;
  const a = isRow ? reshaped(first, [1, ...first.shape]) : first;
  const b = isColumn ? reshaped(second, [...second.shape, 1]) : second;
  const [rows, inner] = a.shape.slice(-2) as [number, number];
  const [depth, columns] = b.shape.slice(-2) as [number, number];
  if (a.shape.length < 2 || b.shape.length < 2 || inner !== depth) {
    throw new ModelError(`"B" expected ${inner} rows, got ${show([...second.shape])}`);
  }
  const lead = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [x, y] = [broadcast(a, [...lead, rows, inner]), broadcast(b, [...lead, inner, columns])];
  const out = make(type, [...lead, rows, columns]);
  const [p, q, to] = [x.data, y.data, out.data as unknown as (number | bigint)[]] as const;
  const batches = countOf(lead);
  spend(batches * rows * columns * inner);
  for (let n = 0; n < batches; n++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < inner; k++)
          sum += Number(p[(n * rows + i) * inner + k]) * Number(q[(n * inner + k) * columns + j]);
        to[(n * rows + i) * columns + j] = isBig(type) ? BigInt(sum) : sum;
      }
    }
  }
  const shape = [...lead, ...(isRow ? [] : [rows]), ...(isColumn ? [] : [columns])];
  return settle(reshaped(out, shape));
}

const gemm: HostOp = (c, first, second, third) => {
  const turn = (t: HostTensor, name: string) => (c.int(name, 0) === 1 ? transpose(t, [1, 0]) : t);
  const product = matmul(turn(need(first, "A"), "transA"), turn(need(second, "B"), "transB"));
  const [alpha, beta] = [c.float("alpha", 1), c.float("beta", 1)];
  const bias = third && numbers(broadcast(cast(third, product.type), product.shape));
  const data = numbers(product);
  if (isBig(product.type)) throw new UnsupportedError(`"A" expected at most 32 bits, got ${product.type}`);
  for (let i = 0; i < data.length; i++) data[i] = alpha * (data[i] as number) + beta * (bias?.[i] ?? 0);
  return settle(product);
};

/** Sums of products over subscripts, the letters of the equation; "..." stands for the axes that broadcast. */
const einsum: HostOp = (c, ...inputs) => {
  const equation = c.string("equation", "").replaceAll(" ", "");
  const [left = "", right] = equation.split("->");
  const terms = left.split(",");
  if (terms.length !== inputs.length)
    throw new ModelError(`"equation" expected ${inputs.length} terms, got ${show(equation)}`);
  const given = inputs.map((t) => need(t, "Inputs"));
  const dots = Math.max(
    0,
    ...terms.map((term, i) => (term.includes("...") ? (given[i] as HostTensor).shape.length - (term.length - 3) : 0)),
  );
  const letters = (term: string, rank?: number): string[] => {
    const [before = "", after] = term.split("...");
    if (after === undefined) return [...before];
    const own = rank === undefined ? dots : rank - before.length - after.length;
    return [...before, ...Array.from({ length: own }, (_, i) => String(dots - own + i)), ...after];
  };
  const names = terms.map((term, i) => letters(term, (given[i] as HostTensor).shape.length));
  const counts = new Map<string, number>();
  for (const letter of names.flat()) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  const implied = [...counts.keys()].filter((letter) => /\d/.test(letter) || counts.get(letter) === 1).sort();
  const output = right === undefined ? implied : letters(right);
  const sizes = new Map<string, number>();
  names.forEach((own, i) => {
    const { shape } = given[i] as HostTensor;
    if (own.length !== shape.length)
      throw new ModelError(`"equation" expected ${own.length} axes, got ${show([...shape])}`);
    own.forEach((letter, axis) => {
      const size = shape[axis] as number;
      const known = sizes.get(letter) ?? 1;
      if (known !== 1 && size !== 1 && known !== size)
        throw new ModelError(`"equation" expected one size of ${letter}, got ${known} and ${size}`);
      sizes.set(letter, Math.max(known, size));
    });
  });
  for (const letter of output)
    if (!sizes.has(letter)) throw new ModelError(`"equation" expected letters of its inputs, got ${letter}`);
  const summed = [...sizes.keys()].filter((letter) => !output.includes(letter));
  const order = [...output, ...summed];
  const extents = order.map((letter) => sizes.get(letter) as number);
  const strides = given.map((t, i) =>
    order.map((letter) =>
      (names[i] as string[]).reduce(
        (stride, own, axis) =>
          own === letter && t.shape[axis] !== 1 ? stride + countOf(t.shape.slice(axis + 1)) : stride,
        0,
      ),
    ),
  );
  const out = make(
    (given[0] as HostTensor).type,
    output.map((letter) => sizes.get(letter) as number),
  );
  const inner = countOf(extents.slice(output.length));
  const total = countOf(extents);
  spend(total * given.length);
  const sums = numbers(make("float64", out.shape)) as unknown as Float64Array;
  for (let i = 0; i < total; i++) {
    let product = 1;
    given.forEach((t, operand) => {
      let [rest, at] = [i, 0];
      for (let d = order.length - 1; d >= 0; d--) {
        at += (rest % (extents[d] as number)) * ((strides[operand] as number[])[d] as number);
        rest = Math.floor(rest / (extents[d] as number));
      }
      product *= Number(t.data[at]);
    });
    const to = Math.floor(i / inner);
    sums[to] = (sums[to] as number) + product;
  }
  return cast({ type: "float64", shape: out.shape, data: sums }, out.type);
};

// ------------------------------------------------------------------------------------------------ quantised operators

const RANGES: Partial<Record<ElementType, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

function rangeOf(type: ElementType): readonly [number, number] {
  const range = RANGES[type];
  if (range === undefined) throw new UnsupportedError(`"zero_point" expected an 8 or 16 bit integer type, got ${type}`);
  return range;
}

/** A scale or zero point of one value, one a row of an axis, or one a block of it, for every element. */
function spread(
  t: HostTensor | undefined,
  shape: readonly number[],
  axis: number,
  block: number,
): Float64Array | number {
  if (t === undefined) return 0;
  if (countOf(t.shape) === 1) return Number(t.data[0]);
  const values = toNumbers(t);
  const inner = countOf(shape.slice(axis + 1));
  const size = shape[axis] as number;
  if (t.shape.length === 1) {
    if (values.length !== size) throw new ModelError(`"scale" expected ${size} values, got ${values.length}`);
    const each = new Float64Array(countOf(shape));
    for (let i = 0; i < each.length; i += inner) each.fill(values[(i / inner) % size] as number, i, i + inner);
    return each;
  }
  const blocks = t.shape[axis] as number;
  return Float64Array.from({ length: countOf(shape) }, (_, i) => {
    const outer = Math.floor(i / (inner * size));
    return values[
      (outer * blocks + Math.floor((Math.floor(i / inner) % size) / block)) * inner + (i % inner)
    ] as number;
  });
}

const at = (values: Float64Array | number, i: number): number =>
  typeof values === "number" ? values : (values[i] as number);

function axisAttribute(c: Context, t: HostTensor): number {
  return t.shape.length === 0
    ? 0
    : c.axis("axis", Math.max(-t.shape.length, Math.min(t.shape.length - 1, c.int("axis", 1))), t.shape.length);
}

export function quantize(
  x: HostTensor,
  scale: Float64Array | number,
  zero: Float64Array | number,
  type: ElementType,
): HostTensor {
  const [low, high] = rangeOf(type);
  const out = make(type, x.shape);
  for (let i = 0; i < out.data.length; i++) {
    const value = roundToEven(Math.fround(Number(x.data[i]) / at(scale, i))) + at(zero, i);
    numbers(out)[i] = Math.max(low, Math.min(high, value));
  }
  return out;
}

export function dequantize(
  x: HostTensor,
  scale: Float64Array | number,
  zero: Float64Array | number,
  type: ElementType = "float32",
): HostTensor {
  const out = make(type, x.shape);
  for (let i = 0; i < out.data.length; i++) numbers(out)[i] = (Number(x.data[i]) - at(zero, i)) * at(scale, i);
  return settle(out);
}

const quantizeLinear: HostOp = (c, input, scale, zero) => {
  const x = need(input, "x");
  const axis = axisAttribute(c, x);
  const block = c.int("block_size", 0);
  const type =
    zero?.type ?? (c.int("output_dtype", 0) ? elementType(c.int("output_dtype", 0), "output_dtype") : "uint8");
  return quantize(x, spread(need(scale, "y_scale"), x.shape, axis, block), spread(zero, x.shape, axis, block), type);
};

const dequantizeLinear: HostOp = (c, input, scale, zero) => {
  const x = need(input, "x");
  const axis = axisAttribute(c, x);
  const block = c.int("block_size", 0);
  const s = need(scale, "x_scale");
  return dequantize(x, spread(s, x.shape, axis, block), spread(zero, x.shape, axis, block), s.type);
};

const dynamicQuantize: HostOp = (_, input) => {
  const x = need(input, "x");
  const values = toNumbers(x);
  const low = values.reduce((a, b) => Math.min(a, b), 0);
  const high = values.reduce((a, b) => Math.max(a, b), 0);
  const scale = Math.fround((high - low) / 255);
  const zero = scale === 0 ? 0 : Math.max(0, Math.min(255, roundToEven(-low / scale)));
  const point = make("uint8", []);
  numbers(point)[0] = zero;
  return [quantize(x, scale || 1, zero, "uint8"), { type: "float32", shape: [], data: Float32Array.of(scale) }, point];
};

/** x - zero point, as whole numbers in float64; a zero point of one value, or one a row of `axis`. */
function centred(x: HostTensor, zero: HostTensor | undefined, axis: number): HostTensor {
  return dequantize(x, 1, spread(zero, x.shape, Math.max(0, axis), 0), "float64");
}

const matmulInteger: HostOp = (_, first, second, zeroA, zeroB) => {
  const [a, b] = [need(first, "A"), need(second, "B")];
  return cast(matmul(centred(a, zeroA, a.shape.length - 2), centred(b, zeroB, b.shape.length - 1)), "int32");
};

const convInteger: HostOp = (c, first, second, zeroX, zeroW) =>
  cast(convolve(c, centred(need(first, "x"), zeroX, 1), centred(need(second, "w"), zeroW, 0), undefined), "int32");

/** Scales whole-number sums into a quantised type. */
function requantize(
  sums: HostTensor,
  scale: Float64Array | number,
  out: HostTensor,
  outZero: HostTensor | undefined,
  type: ElementType,
): HostTensor {
  const factor = Number(out.data[0]);
  const scales = typeof scale === "number" ? factor / scale : scale.map((value) => factor / value);
  return quantize(sums, scales, outZero === undefined ? 0 : Number(outZero.data[0]), type);
}

const qLinearMatMul: HostOp = (_, first, scaleA, zeroA, second, scaleB, zeroB, scaleY, zeroY) => {
  const [a, b] = [need(first, "a"), need(second, "b")];
  const sums = matmul(centred(a, zeroA, a.shape.length - 2), centred(b, zeroB, b.shape.length - 1));
  const rank = sums.shape.length;
  const [sa, sb] = [
    spread(need(scaleA, "a_scale"), sums.shape, rank - 2, 0),
    spread(need(scaleB, "b_scale"), sums.shape, rank - 1, 0),
  ];
  const scale =
    typeof sa === "number" && typeof sb === "number"
      ? sa * sb
      : Float64Array.from({ length: sums.data.length }, (_, i) => at(sa, i) * at(sb, i));
  return requantize(sums, scale, need(scaleY, "y_scale"), zeroY, need(zeroY, "y_zero_point").type);
};

const qLinearConv: HostOp = (c, x, scaleX, zeroX, w, scaleW, zeroW, scaleY, zeroY, bias) => {
  const sums = convolve(c, centred(need(x, "x"), zeroX, 1), centred(need(w, "w"), zeroW, 0), bias);
  const filters = spread(need(scaleW, "w_scale"), sums.shape, 1, 0);
  const factor = Number(need(scaleX, "x_scale").data[0]);
  const scale = typeof filters === "number" ? filters * factor : filters.map((value) => value * factor);
  return requantize(sums, scale, need(scaleY, "y_scale"), zeroY, need(zeroY, "y_zero_point").type);
};

const real = (x: HostTensor | undefined, scale: HostTensor | undefined, zero: HostTensor | undefined): HostTensor =>
  dequantize(need(x, "X"), Number(need(scale, "X_scale").data[0]), zero === undefined ? 0 : Number(zero.data[0]));

const back = (y: HostTensor, scale: HostTensor | undefined, zero: HostTensor | undefined): HostTensor =>
  quantize(
    y,
    Number(need(scale, "Y_scale").data[0]),
    zero === undefined ? 0 : Number(zero.data[0]),
    zero?.type ?? "uint8",
  );

/** com.microsoft: two operands (value, scale, zero point), then the output's scale and zero point. */
function quantizedPair(op: string): HostOp {
  return (c, a, scaleA, zeroA, b, scaleB, zeroB, scaleY, zeroY) =>
    back(call(ELEMENTWISE[op], c, real(a, scaleA, zeroA), real(b, scaleB, zeroB)), scaleY, zeroY);
}

/** com.microsoft: one operand, then the output's scale and zero point. */
function quantizedUnary(op: HostOp | undefined): HostOp {
  return (c, x, scaleX, zeroX, scaleY, zeroY) => back(call(op, c, real(x, scaleX, zeroX)), scaleY, zeroY);
}

function call(op: HostOp | undefined, c: Context, ...inputs: (HostTensor | undefined)[]): HostTensor {
  const answer = (op as HostOp)(c, ...inputs);
  return Array.isArray(answer) ? (answer[0] as HostTensor) : answer;
}

/** Channels last where the attribute says so: moved to the front, computed, moved back. */
function channelsLastAware(op: HostOp): HostOp {
  return (c, x, ...rest) => {
    if (c.int("channels_last", 0) === 0) return op(c, x, ...rest);
    const t = need(x, "X");
    const rank = t.shape.length;
    const spatial = Array.from({ length: rank - 2 }, (_, i) => i);
    const y = call(op, c, transpose(t, [0, rank - 1, ...spatial.map((i) => i + 1)]), ...rest);
    return transpose(y, [0, ...spatial.map((i) => i + 2), 1]);
  };
}

const qLinearConcat: HostOp = (c, scaleY, zeroY, ...parts) => {
  const inputs = Array.from({ length: parts.length / 3 }, (_, i) =>
    real(parts[3 * i], parts[3 * i + 1], parts[3 * i + 2]),
  );
  return back(call(MOVEMENT["Concat"], c, ...inputs), scaleY, zeroY);
};

export const ALGEBRA: Readonly<Record<string, HostOp>> = {
  MatMul: (_, a, b) => matmul(need(a, "A"), need(b, "B")),
  Gemm: gemm,
  Einsum: einsum,
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantize,
  MatMulInteger: matmulInteger,
  ConvInteger: convInteger,
  QLinearMatMul: qLinearMatMul,
  QLinearConv: qLinearConv,
};

/** Operators of the domain com.microsoft. */
export const MICROSOFT: Readonly<Record<string, HostOp>> = {
  QLinearAdd: quantizedPair("Add"),
  QLinearMul: quantizedPair("Mul"),
  QLinearSigmoid: quantizedUnary(ELEMENTWISE["Sigmoid"]),
  QLinearLeakyRelu: quantizedUnary(ELEMENTWISE["LeakyRelu"]),
  QLinearAveragePool: channelsLastAware(quantizedUnary(WINDOW["AveragePool"])),
  QLinearGlobalAveragePool: channelsLastAware(quantizedUnary(WINDOW["GlobalAveragePool"])),
  QLinearSoftmax: (c, x, scaleX, zeroX, scaleY, zeroY) => {
    return back(
      call(REDUCTION["Softmax"], new Context(c.node, c.int("opset", 13)), real(x, scaleX, zeroX)),
      scaleY,
      zeroY,
    );
  },
  QLinearConcat: qLinearConcat,
  DequantizeLinear: dequantizeLinear,
  QuantizeLinear: quantizeLinear,
};
