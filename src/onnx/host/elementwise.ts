// Operators by element, with NumPy broadcasting. Formulas are those of the ONNX operator specification.

import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { isBig } from "../../base/spec.js";
import type { Budgeted } from "../file/budget.js";
import { ARRAYS, type ElementType, elementType, isFloat, LARGEST } from "../file/element-type.js";
import { roundToEven, roundToType } from "../file/halves.js";
import type { Element, PlainTensor } from "../file/plain-tensor.js";
import { broadcastShape } from "../semantics/shapes.js";
import { type Context, type HostOp, need } from "./context.js";
import { broadcast } from "./indexing.js";
import { cast, make } from "./make.js";

/** f over numbers, or over bigints where the type has 64 bits. */
export function map(c: Budgeted, t: PlainTensor, f: (x: number) => number, big?: (x: bigint) => bigint): PlainTensor {
  const out = make(c, t.type, t.shape);
  const from = t.data as ArrayLike<Element>;
  const to = out.data as unknown as Element[];
  if (isBig(t.type)) {
    const g = big ?? ((x: bigint) => BigInt(Math.trunc(f(Number(x)))));
    for (let i = 0; i < from.length; i++) to[i] = g(from[i] as bigint);
  } else for (let i = 0; i < from.length; i++) to[i] = f(from[i] as number);
  return roundToType(out);
}

/** f over pairs that broadcast. */
function combine(
  c: Budgeted,
  a: PlainTensor,
  b: PlainTensor,
  type: ElementType,
  f: (x: never, y: never) => Element | boolean,
): PlainTensor {
  const shape = broadcastShape(a.shape, b.shape);
  const x = broadcast(c, a, shape).data as ArrayLike<Element>;
  const y = broadcast(c, b, shape).data as ArrayLike<Element>;
  const out = make(c, type, shape);
  const to = out.data as unknown as Element[];
  const g = f as (x: Element, y: Element) => Element;
  for (let i = 0; i < to.length; i++) to[i] = g(x[i] as Element, y[i] as Element) as number;
  return roundToType(out);
}

/** Operator sets before 7 align the second operand at an axis, or at the end, and only where `broadcast` is set. */
function aligned(c: Context, a: PlainTensor, b: PlainTensor): PlainTensor {
  if (c.opset >= 7 || !c.has("axis") || c.int("broadcast", 0) === 0) return b;
  const axis = c.axis("axis", c.int("axis", 0), a.shape.length);
  const after = a.shape.length - axis - b.shape.length;
  if (after < 0) throw new ModelError(`"axis" expected room for ${b.shape.length} axes, got ${axis}`);
  return { ...b, shape: [...b.shape, ...new Array<number>(after).fill(1)] };
}

function same(a: PlainTensor, b: PlainTensor): void {
  if (a.type !== b.type) throw new ModelError(`"${a.type}" expected two operands of one type, got ${b.type}`);
}

function arithmetic(f: (x: number, y: number) => number, big: (x: bigint, y: bigint) => bigint): HostOp {
  return (c, first, second) => {
    const a = need(first, "A");
    const b = aligned(c, a, need(second, "B"));
    same(a, b);
    return combine(c, a, b, a.type, (isBig(a.type) ? big : f) as never);
  };
}

function compare(f: (x: Element, y: Element) => boolean): HostOp {
  return (c, first, second) => {
    const a = need(first, "A");
    const b = aligned(c, a, need(second, "B"));
    same(a, b);
    return combine(c, a, b, "bool", f as never);
  };
}

function unary(f: (x: number) => number, big?: (x: bigint) => bigint): HostOp {
  return (c, x) => map(c, need(x, "X"), f, big);
}

/** A function of one number with attributes. */
function shaped(make: (c: Context) => (x: number) => number): HostOp {
  return (c, x) => map(c, need(x, "X"), make(c));
}

function fold(f: (x: Element, y: Element) => Element): HostOp {
  return (c, ...all) =>
    all.slice(1).reduce<PlainTensor>(
      (a, b) => {
        same(a, need(b, "data"));
        return combine(c, a, b as PlainTensor, a.type, f as never);
      },
      need(all[0], "data"),
    );
}

const larger = (x: Element, y: Element): Element => (Number.isNaN(x) || x > y ? x : y);
const smaller = (x: Element, y: Element): Element => (Number.isNaN(x) || x < y ? x : y);
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Error function: series below 2, continued fraction above; to 1e-15 (Abramowitz and Stegun 7.1.6 and 7.1.14). */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a >= 6) return Math.sign(x);
  let value: number;
  if (a < 2) {
    let term = a;
    value = a;
    for (let n = 1; Math.abs(term) > 1e-17 * value; n++) {
      term *= (2 * a * a) / (2 * n + 1);
      value += term;
    }
    value *= (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a);
  } else {
    let fraction = 0;
    for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
    value = 1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction);
  }
  return x < 0 ? -value : value;
}

/** The remainder with the sign of the divisor; 64-bit types too. */
function floorMod(x: number, y: number): number {
  const r = x % y;
  return r !== 0 && r < 0 !== y < 0 ? r + y : r;
}

function power(c: Budgeted, first: PlainTensor, second: PlainTensor): PlainTensor {
  const type = first.type;
  const a = isBig(type) ? cast(c, first, "float64") : first;
  const b = isBig(second.type) ? cast(c, second, "float64") : second;
  const out = combine(c, a, b, isBig(type) ? "float64" : type, ((x: number, y: number) => x ** y) as never);
  return cast(c, out, type);
}

const clip: HostOp = (c, input, low, high) => {
  const x = need(input, "input");
  // A bound that is left out is the least or largest number of the type: infinity comes out as that.
  const most = LARGEST[x.type];
  const bound = (t: PlainTensor | undefined, name: string, otherwise: number | undefined): Element | undefined => {
    if (t !== undefined) return t.data[0];
    return c.has(name) ? c.float(name, 0) : otherwise;
  };
  const min = bound(low, "min", most && -most);
  const max = bound(high, "max", most);
  const clamp = (v: Element): Element => {
    const raised = min !== undefined && v < min ? min : v;
    return max !== undefined && raised > max ? max : raised;
  };
  return map(c, x, clamp as (x: number) => number, clamp as (x: bigint) => bigint);
};

const prelu: HostOp = (c, input, weight) => {
  const x = need(input, "X");
  let slope = need(weight, "slope");
  // Before operator set 7 a slope of one axis runs along the channels.
  if (c.opset < 7 && slope.shape.length === 1 && x.shape.length > 1) {
    slope = { ...slope, shape: [slope.data.length, ...new Array<number>(x.shape.length - 2).fill(1)] };
  }
  return combine(
    c,
    x,
    slope,
    x.type,
    (isBig(x.type)
      ? (v: bigint, s: bigint) => (v < 0n ? v * s : v)
      : (v: number, s: number) => (v < 0 ? v * s : v)) as never,
  );
};

const where: HostOp = (c, condition, first, second) => {
  const [test, a, b] = [need(condition, "condition"), need(first, "X"), need(second, "Y")];
  same(a, b);
  const shape = broadcastShape(test.shape, a.shape, b.shape);
  const out = make(c, a.type, shape);
  const to = out.data as unknown as Element[];
  const [t, x, y] = [test, a, b].map((v) => broadcast(c, v, shape).data as ArrayLike<Element>) as [
    ArrayLike<Element>,
    ArrayLike<Element>,
    ArrayLike<Element>,
  ];
  for (let i = 0; i < to.length; i++) to[i] = (t[i] ? x[i] : y[i]) as Element;
  return out;
};

const shift: HostOp = (c, a, b) => {
  const left = c.oneOf("direction", "", ["LEFT", "RIGHT"]) === "LEFT";
  const x = need(a, "X");
  return combine(
    c,
    x,
    need(b, "Y"),
    x.type,
    (isBig(x.type)
      ? (v: bigint, n: bigint) => (left ? v << n : v >> n)
      : (v: number, n: number) => (left ? v * 2 ** n : Math.floor(v / 2 ** n))) as never,
  );
};

const gelu: HostOp = (c, x) =>
  map(
    c,
    need(x, "X"),
    c.oneOf("approximate", "none", ["none", "tanh"]) === "tanh"
      ? (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))
      : (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
  );

/** Operator set 1 spells the type: FLOAT, DOUBLE, INT32. */
const SPELT: Readonly<Record<string, ElementType>> = { FLOAT: "float32", DOUBLE: "float64" };

const castTo: HostOp = (c, x) => {
  const name = c.opset < 6 ? c.string("to", "") : undefined;
  const type =
    name === undefined ? elementType(c.int("to", 0), "to") : (SPELT[name] ?? (name.toLowerCase() as ElementType));
  if (!Object.hasOwn(ARRAYS, type)) throw new UnsupportedError(`"to" expected a numeric type, got ${show(name)}`);
  return cast(c, need(x, "input"), type);
};
const castLike: HostOp = (c, x, like) => cast(c, need(x, "input"), need(like, "target_type").type);

/** Whole numbers: towards zero, and 0 where the divisor is. */
const truncated = (x: number, y: number): number => (y === 0 ? 0 : Math.trunc(x / y));

const divide: HostOp = (c, first, second) => {
  const a = need(first, "A");
  const f = isFloat(a.type) ? (x: number, y: number) => x / y : truncated;
  return arithmetic(f, (x, y) => (y === 0n ? 0n : x / y))(c, first, second);
};

const mod: HostOp = (c, first, second) => {
  const isC = c.int("fmod", 0) === 1;
  const big = (x: bigint, y: bigint): bigint => {
    const r = y === 0n ? 0n : x % y;
    return !isC && r !== 0n && r < 0n !== y < 0n ? r + y : r;
  };
  return arithmetic(isC ? (x, y) => x % y : floorMod, big)(c, first, second);
};

const dropout: HostOp = (c, input, _ratio, training) => {
  const x = need(input, "data");
  const isTraining = c.opset < 7 ? c.int("is_test", 0) === 0 && c.outputs > 1 : Boolean(training?.data[0]);
  const ratio = _ratio === undefined ? c.float("ratio", 0.5) : Number(_ratio.data[0]);
  if (isTraining && ratio !== 0) throw new UnsupportedError(`"Dropout" expected inference, got training_mode`);
  const kept = make(c, "bool", x.shape);
  (kept.data as Uint8Array).fill(1);
  return [x, c.opset < 10 ? cast(c, kept, x.type) : kept];
};

export const ELEMENTWISE: Readonly<Record<string, HostOp>> = {
  Add: arithmetic(
    (x, y) => x + y,
    (x, y) => x + y,
  ),
  Sub: arithmetic(
    (x, y) => x - y,
    (x, y) => x - y,
  ),
  Mul: arithmetic(
    (x, y) => x * y,
    (x, y) => x * y,
  ),
  Div: divide,
  Mod: mod,
  Pow: (c, a, b) => power(c, need(a, "X"), aligned(c, need(a, "X"), need(b, "Y"))),
  PowOfTwo: (c, a, b) => power(c, need(a, "X"), need(b, "Y")), // what a form of Pow is made of
  PRelu: prelu,
  And: compare((x, y) => Boolean(x) && Boolean(y)),
  Or: compare((x, y) => Boolean(x) || Boolean(y)),
  Xor: compare((x, y) => Boolean(x) !== Boolean(y)),
  Equal: compare((x, y) => x === y),
  Less: compare((x, y) => x < y),
  LessOrEqual: compare((x, y) => x <= y),
  Greater: compare((x, y) => x > y),
  GreaterOrEqual: compare((x, y) => x >= y),
  BitShift: shift,
  Max: fold(larger),
  Min: fold(smaller),
  Sum: fold((x, y) => (x as number) + (y as number)),
  Mean: (c, ...all) => {
    const sum = ELEMENTWISE["Sum"]?.(c, ...all) as PlainTensor;
    return map(c, sum, (x) => x / all.length);
  },
  Where: where,
  Clip: clip,
  Cast: castTo,
  Convert: castTo, // what a form of Cast is made of
  CastLike: castLike,
  Dropout: dropout,
  Identity: (_, x) => need(x, "input"),
  Not: unary((x) => (x ? 0 : 1)),
  Abs: unary(Math.abs, (x) => (x < 0n ? -x : x)),
  Neg: unary(
    (x) => -x,
    (x) => -x,
  ),
  Sign: unary(Math.sign, (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n)),
  Ceil: unary(Math.ceil),
  Floor: unary(Math.floor),
  Round: unary(roundToEven),
  Sqrt: unary(Math.sqrt),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Tan: unary(Math.tan),
  Asin: unary(Math.asin),
  Acos: unary(Math.acos),
  Atan: unary(Math.atan),
  Sinh: unary(Math.sinh),
  Cosh: unary(Math.cosh),
  Asinh: unary(Math.asinh),
  Acosh: unary(Math.acosh),
  Atanh: unary(Math.atanh),
  Erf: unary(erf),
  Reciprocal: unary((x) => 1 / x),
  IsNaN: (c, x) => combine(c, need(x, "X"), need(x, "X"), "bool", ((v: number) => Number.isNaN(v)) as never),
  IsInf: (c, x) => {
    const [negative, positive] = [c.int("detect_negative", 1), c.int("detect_positive", 1)];
    const test = (v: number) => (positive && v === Infinity) || (negative && v === -Infinity) || false;
    return combine(c, need(x, "X"), need(x, "X"), "bool", test as never);
  },
  Relu: unary(
    (x) => Math.max(x, 0),
    (x) => (x > 0n ? x : 0n),
  ),
  Sigmoid: unary(sigmoid),
  Tanh: unary(Math.tanh),
  Softplus: unary(softplus),
  Softsign: unary((x) => x / (1 + Math.abs(x))),
  Mish: unary((x) => x * Math.tanh(softplus(x))),
  Gelu: gelu,
  HardSwish: unary((x) => x * Math.max(0, Math.min(1, x / 6 + 0.5))),
  Swish: shaped((c) => {
    const alpha = c.float("alpha", 1);
    return (x) => x * sigmoid(alpha * x);
  }),
  LeakyRelu: shaped((c) => {
    const alpha = c.float("alpha", 0.01);
    return (x) => (x < 0 ? alpha * x : x);
  }),
  Elu: shaped((c) => {
    const alpha = c.float("alpha", 1);
    return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
  }),
  Celu: shaped((c) => {
    const alpha = c.float("alpha", 1);
    return (x) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha));
  }),
  Selu: shaped((c) => {
    const alpha = c.float("alpha", 1.6732632423543772);
    const gamma = c.float("gamma", 1.0507009873554805);
    return (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x));
  }),
  ThresholdedRelu: shaped((c) => {
    const alpha = c.float("alpha", 1);
    return (x) => (x > alpha ? x : 0);
  }),
  HardSigmoid: shaped((c) => {
    const [alpha, beta] = [c.float("alpha", 0.2), c.float("beta", 0.5)];
    return (x) => Math.max(0, Math.min(1, alpha * x + beta));
  }),
  Shrink: shaped((c) => {
    const [bias, lambd] = [c.float("bias", 0), c.float("lambd", 0.5)];
    return (x) => (x < -lambd ? x + bias : x > lambd ? x - bias : 0);
  }),
};
