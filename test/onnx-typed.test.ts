// What the rare kernels compute: comparisons, logic, whole numbers, powers, choices, conversions, products, running sums, places of
// extremes, pooling with places, and functions with numbers of their own. Against definitions; all of it on kernels.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import * as naive from "./naive.js";
import { type Attribute, type Constant, onnxFile, typed } from "./onnx-file.js";
import { fill, random } from "./random.js";
import * as reference from "./reference.js";

type Value = number | bigint;
type TypeName = "float32" | "int32" | "int64" | "uint8" | "int8" | "bool";
interface Data {
  readonly type: TypeName;
  readonly shape: readonly number[];
  readonly data: ArrayLike<Value>;
}

const ARRAYS = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
} as const;
const CODES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9 } as const;

function make(type: TypeName, shape: readonly number[], value: (i: number) => number): Data {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Array.from({ length: count }, (_, i) => value(i));
  const data =
    type === "int64" ? BigInt64Array.from(values, BigInt) : (ARRAYS[type] as Float32ArrayConstructor).from(values);
  return { type, shape, data };
}

/** Whole numbers from low to high, many of them alike. */
function whole(type: TypeName, shape: readonly number[], low: number, high: number): Data {
  const { integer } = random(`${type} ${shape} ${low}`);
  return make(type, shape, () => integer(low, high));
}
const floats = (shape: readonly number[], seed = "x"): Data => ({
  type: "float32",
  shape,
  data: fill(shape, `${seed} ${shape}`),
});

/** f over operands that are repeated along axes. */
function broadcast(operands: readonly Data[], f: (...values: never[]) => Value | boolean): Value[] {
  const shape = operands.map((operand) => operand.shape as number[]).reduce((a, b) => reference.broadcastShape(a, b));
  return [...naive.indices(shape)].map((index) => {
    const values = operands.map((operand) => {
      const own = index.slice(shape.length - operand.shape.length);
      const at = operand.shape.reduce((sum, size, axis) => sum * size + (size === 1 ? 0 : (own[axis] as number)), 0);
      return operand.data[at] as Value;
    });
    const answer = f(...(values as never[]));
    return typeof answer === "boolean" ? Number(answer) : answer;
  });
}

interface Case {
  readonly op: string;
  readonly inputs: readonly Data[];
  readonly constants?: Readonly<Record<string, Constant>>;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly opset?: number;
  /** Of every output: values, and how far they may be off, as a share of each and of 1; default not at all. */
  readonly expected: readonly ArrayLike<Value>[];
  readonly error?: number;
}

/** Runs, rows of a few, single values, operands in another order. */
const SHAPES: readonly (readonly (readonly number[])[])[] = [
  [
    [3, 37],
    [3, 37],
  ],
  [
    [3, 1, 5],
    [4, 1],
  ],
  [[5001], []],
  [[], [2, 3, 19]],
  [
    [2, 3, 4, 5],
    [1, 3, 1, 1],
  ],
];

const wrap32 = (value: number) => value | 0;
const wrap64 = (value: bigint) => BigInt.asIntN(64, value);
const modulo = (a: number, b: number) => (b === 0 ? 0 : ((a % b) + b) % b);

function byElement(): Record<string, Case> {
  const cases: Record<string, Case> = {};
  const put = (
    op: string,
    inputs: readonly Data[],
    f: (...values: never[]) => Value | boolean,
    more: Partial<Case> = {},
  ) => {
    const title = `${op} of ${inputs.map(({ type, shape }) => `${type} [${shape}]`).join(", ")}`;
    cases[`${title}${more.attributes ? " fmod" : ""}`] = { op, inputs, expected: [broadcast(inputs, f)], ...more };
  };
  const comparisons: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
    Equal: (a, b) => a === b,
    Less: (a, b) => a < b,
    LessOrEqual: (a, b) => a <= b,
    Greater: (a, b) => a > b,
    GreaterOrEqual: (a, b) => a >= b,
  };
  for (const [first = [], second = []] of SHAPES) {
    for (const [op, f] of Object.entries(comparisons))
      for (const type of ["float32", "int32", "int64"] as const)
        put(op, [whole(type, first, -3, 3), whole(type, second, -3, 3)], f as never);
    put(
      "Equal",
      [whole("bool", first, 0, 1), whole("bool", second, 0, 1)],
      ((a: number, b: number) => a === b) as never,
    );
    const logic = {
      And: (a: number, b: number) => a && b,
      Or: (a: number, b: number) => a || b,
      Xor: (a: number, b: number) => a ^ b,
    };
    for (const [op, f] of Object.entries(logic))
      put(op, [whole("bool", first, 0, 1), whole("bool", second, 0, 1)], f as never);
    const small: Readonly<Record<string, (a: number, b: number) => number>> = {
      Add: (a, b) => wrap32(a + b),
      Sub: (a, b) => wrap32(a - b),
      Mul: (a, b) => Math.imul(a, b),
      Div: (a, b) => (b === 0 ? 0 : wrap32(a / b)),
      Mod: modulo,
      Max: Math.max,
      Min: Math.min,
    };
    for (const [op, f] of Object.entries(small)) {
      put(
        op,
        [whole("int32", first, -99, 99), whole("int32", second, -5, 5)],
        ((a: number, b: number) => f(a, b) + 0) as never,
      );
      const big = (a: bigint, b: bigint) => BigInt(f(Number(a), Number(b)));
      put(op, [whole("int64", first, -99, 99), whole("int64", second, -5, 5)], big as never);
    }
    put(
      "Mod",
      [whole("int32", first, -99, 99), whole("int32", second, 1, 5)],
      ((a: number, b: number) => (a % b) + 0) as never,
      {
        attributes: { fmod: 1 },
      },
    );
    for (const type of ["float32", "int64", "uint8"] as const) {
      const operands = [whole("bool", second, 0, 1), whole(type, first, 0, 99), whole(type, second, 0, 99)];
      put("Where", operands, ((c: number, a: Value, b: Value) => (c ? a : b)) as never);
    }
    const positive = (shape: readonly number[], seed: string) => {
      const { uniform } = random(seed);
      return make("float32", shape, () => Math.fround(uniform(0.1, 4)));
    };
    const power = (a: number, b: number) => a ** b;
    put("Pow", [positive(first, "base"), floats(second, "exponent")], power as never, { error: 2e-6 });
  }
  put("Where", [whole("bool", [4, 1, 1], 0, 1), floats([4, 3, 5]), floats([5])], ((c: number, a: Value, b: Value) =>
    c ? a : b) as never);
  put("Not", [whole("bool", [3, 11], 0, 1)], ((a: number) => 1 - a) as never);
  const edges = make("int32", [4], (i) => [-(2 ** 31), -(2 ** 31), 7, -7][i] as number);
  put("Div", [edges, make("int32", [4], (i) => [-1, 0, -1, 2][i] as number)], ((a: number, b: number) =>
    b ? wrap32(a / b) : 0) as never);
  const wide = make("int64", [3], (i) => [2 ** 53, -(2 ** 53), 5][i] as number);
  put("Mul", [wide, make("int64", [3], (i) => [4096, 4096, -3][i] as number)], ((a: bigint, b: bigint) =>
    wrap64(a * b)) as never);
  const numbers = [Number.NaN, 0, -0, 1, Infinity, -Infinity];
  const pairs = numbers.flatMap((a) => numbers.map((b) => [a, b] as const));
  const side = (i: 0 | 1) => make("float32", [36], (at) => pairs[at]?.[i] as number);
  for (const [op, f] of Object.entries(comparisons)) put(op, [side(0), side(1)], f as never);
  const bases = [-2, -2, -2, -8, 0, 0, 0, 1, 5, Infinity, -0.5, 2];
  const exponents = [3, 2, -1, 1 / 3, 2, 0, -1, Infinity, 0, -1, -2, -Infinity];
  const of = (values: readonly number[]) => make("float32", [values.length], (i) => Math.fround(values[i] as number));
  // 1 to the infinite is 1, as C has it.
  const power = (a: number, b: number) => (a === 1 ? 1 : a ** b);
  put("Pow", [of(bases), of(exponents)], power as never, { error: 1e-6 });
  return cases;
}

function conversions(): Record<string, Case> {
  const cases: Record<string, Case> = {};
  const real = make("float32", [2, 19], (i) => Math.fround((i - 19) * 1.75));
  const from: readonly Data[] = [
    real,
    ...(["int32", "int64", "uint8", "int8"] as const).map((type) =>
      whole(type, [2, 19], type === "uint8" ? 0 : -99, 99),
    ),
  ];
  for (const x of [...from, whole("bool", [2, 19], 0, 1)]) {
    for (const to of ["float32", "int32", "int64", "uint8", "bool"] as const) {
      if (x.type === to) continue;
      const value = (v: Value): Value => {
        const cut = Math.trunc(Number(v));
        if (to === "bool") return Number(Number(v) !== 0);
        if (to === "int64") return BigInt(cut);
        return to === "float32" ? Number(v) : to === "uint8" ? cut & 255 : cut + 0;
      };
      cases[`Cast of ${x.type} to ${to}`] = {
        op: "Cast",
        inputs: [x],
        attributes: { to: CODES[to] },
        expected: [Array.from(x.data, value)],
      };
    }
  }
  cases["Cast of NaN and infinities to bool"] = {
    op: "Cast",
    inputs: [make("float32", [4], (i) => [Number.NaN, Infinity, -0, 0.25][i] as number)],
    attributes: { to: CODES.bool },
    expected: [[1, 1, 0, 1]],
  };
  cases["Cast of NaN and infinities to int64: 0 and the ends"] = {
    op: "Cast",
    inputs: [make("float32", [3], (i) => [Number.NaN, Infinity, -Infinity][i] as number)],
    attributes: { to: CODES.int64 },
    expected: [[0n, 2n ** 63n - 1n, -(2n ** 63n)]],
  };
  return cases;
}

/** Elements along an axis of a box, and where they go. */
function* lines(shape: readonly number[], axis: number): Generator<number[]> {
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const size = shape[axis] as number;
  const outer = shape.slice(0, axis).reduce((product, length) => product * length, 1);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) yield Array.from({ length: size }, (_, k) => (o * size + k) * inner + i);
}

function along(): Record<string, Case> {
  const cases: Record<string, Case> = {};
  for (const shape of [
    [3, 7],
    [2, 5, 6],
    [2, 9, 3, 5],
    [1, 1],
    [4, 23],
  ]) {
    const x = whole("float32", shape, -4, 4);
    const numbers = x.data as ArrayLike<number>;
    for (let axis = 0; axis < shape.length; axis++) {
      const all = [...lines(shape, axis)];
      for (const [op, sign] of [
        ["ArgMax", 1],
        ["ArgMin", -1],
      ] as const)
        for (const isLast of [0, 1]) {
          const places = all.map((line) => {
            const values = line.map((at) => sign * (numbers[at] as number));
            const top = Math.max(...values);
            return BigInt(isLast ? values.lastIndexOf(top) : values.indexOf(top));
          });
          cases[`${op} of [${shape}] along ${axis}${isLast ? ", the last" : ""}`] = {
            op,
            inputs: [x],
            attributes: { axis, keepdims: isLast, select_last_index: isLast },
            expected: [places],
          };
        }
      for (const [exclusive, reverse] of [
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 1],
      ]) {
        const sums = new Array<number>(numbers.length).fill(0);
        for (const line of all) {
          let sum = 0;
          for (const at of reverse ? line.reverse() : line) {
            sums[at] = exclusive ? sum : sum + (numbers[at] as number);
            sum += numbers[at] as number;
          }
          if (reverse) line.reverse();
        }
        cases[`CumSum of [${shape}] along ${axis}, ${exclusive} ${reverse}`] = {
          op: "CumSum",
          inputs: [x],
          constants: { axis: typed("int64", [], [axis]) },
          attributes: { exclusive: exclusive as number, reverse: reverse as number },
          expected: [sums],
        };
      }
      const real = floats(shape, "product");
      cases[`ReduceProd of [${shape}] along ${axis}`] = {
        op: "ReduceProd",
        inputs: [real],
        constants: { axes: typed("int64", [1], [axis]) },
        expected: [all.map((line) => line.reduce((product, at) => product * (real.data[at] as number), 1))],
        error: 4e-6,
      };
    }
  }
  const x = floats([2, 3, 4, 5], "several");
  cases["ReduceProd along axes that are no neighbours"] = {
    op: "ReduceProd",
    inputs: [x],
    constants: { axes: typed("int64", [2], [-1, 1]) },
    attributes: { keepdims: 0 },
    expected: [
      reference.build([2, 4], (n = 0, j = 0) => {
        let product = 1;
        for (let c = 0; c < 3; c++)
          for (let k = 0; k < 5; k++) product *= x.data[((n * 3 + c) * 4 + j) * 5 + k] as number;
        return product;
      }).data,
    ],
    error: 4e-6,
  };
  const nan = (expected: Value, ...values: number[]): Case => ({
    op: "ArgMax",
    inputs: [make("float32", [values.length], (i) => values[i] as number)],
    attributes: { axis: 0 },
    expected: [[expected]],
  });
  cases["ArgMax after NaN"] = nan(0n, Number.NaN, 1, 2, 3, 4);
  cases["ArgMax around NaN"] = nan(4n, 1, Number.NaN, 2, Number.NaN, 5, 0);
  return cases;
}

function pools(): Record<string, Case> {
  const cases: Record<string, Case> = {};
  const boxes: readonly (readonly naive.Axis[])[] = [
    [{ kernel: 3, stride: 2, pads: [1, 1] }],
    [
      { kernel: 3, stride: 2, pads: [2, 1] },
      { kernel: 2, dilation: 2, pads: [1, 0] },
    ],
    [{ kernel: 2 }, { kernel: 3, pads: [1, 1] }, { kernel: 3, stride: 3, pads: [0, 2] }],
  ];
  for (const axes of boxes)
    for (const isCeil of [false, true]) {
      const shape = [2, 3, ...[9, 7, 6].slice(0, axes.length)];
      const x = whole("float32", shape, -9, 9);
      const image = reference.ref(shape, x.data as ArrayLike<number>);
      cases[`MaxPool over ${axes.length} axes with places${isCeil ? ", to the end" : ""}`] = {
        op: "MaxPool",
        inputs: [x],
        attributes: {
          kernel_shape: axes.map(({ kernel }) => kernel),
          strides: axes.map(({ stride = 1 }) => stride),
          dilations: axes.map(({ dilation = 1 }) => dilation),
          pads: [0, 1].flatMap((side) => axes.map(({ pads = [0, 0] }) => pads[side] as number)),
          ceil_mode: Number(isCeil),
        },
        expected: [
          naive.maxPool(image, axes, { isCeil }).data,
          Array.from(naive.maxPlaces(image, axes, { isCeil }).data, BigInt),
        ],
      };
    }
  return cases;
}

function functions(): Record<string, Case> {
  const cases: Record<string, Case> = {};
  const x = make("float32", [3, 29], (i) => Math.fround((i - 43) * 1.3));
  const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));
  const of: Readonly<Record<string, readonly [Readonly<Record<string, Attribute>>, (v: number) => number]>> = {
    Softplus: [{}, softplus],
    Mish: [{}, (v) => v * Math.tanh(softplus(v))],
    Shrink: [{ bias: { float: 0.5 }, lambd: { float: 1.5 } }, (v) => (v < -1.5 ? v + 0.5 : v > 1.5 ? v - 0.5 : 0)],
    ThresholdedRelu: [{ alpha: { float: 2 } }, (v) => (v > 2 ? v : 0)],
  };
  for (const [op, [attributes, f]] of Object.entries(of))
    cases[op] = { op, inputs: [x], attributes, expected: [Array.from(x.data as ArrayLike<number>, f)], error: 4e-6 };
  return cases;
}

const CASES: Readonly<Record<string, Case>> = {
  ...byElement(),
  ...conversions(),
  ...along(),
  ...pools(),
  ...functions(),
  "Trilu above a diagonal": {
    op: "Trilu",
    inputs: [make("float32", [2, 3, 4], (i) => (i === 0 ? -Infinity : i))],
    constants: { k: typed("int64", [], [1]) },
    expected: [[0, 1, 2, 3, 0, 0, 6, 7, 0, 0, 0, 11, 0, 13, 14, 15, 0, 0, 18, 19, 0, 0, 0, 23]],
  },
  "Trilu below the diagonal": {
    op: "Trilu",
    inputs: [make("int64", [2, 3], (i) => i + 1)],
    attributes: { upper: 0 },
    expected: [[1n, 0n, 0n, 4n, 5n, 0n]],
  },
};

describe.each(BINARIES)("$name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(Object.keys(CASES))("%s", async (name) => {
    const { op, inputs, constants = {}, attributes = {}, opset = 18, expected, error = 0 } = CASES[name] as Case;
    const named = Object.fromEntries(inputs.map((input, i) => [`x${i}`, input]));
    const outputs = expected.map((_, i) => `y${i}`);
    const model = await loadOnnx(
      rt,
      onnxFile({
        nodes: [{ op, inputs: [...Object.keys(named), ...Object.keys(constants)], outputs, attributes }],
        inputs: Object.fromEntries(Object.entries(named).map(([key, { shape }]) => [key, shape])),
        types: Object.fromEntries(Object.entries(named).map(([key, { type }]) => [key, CODES[type]])),
        outputs,
        constants,
        opset,
      }),
    );
    try {
      const answers = model.run(
        Object.fromEntries(
          Object.entries(named).map(([key, { shape, data }]) => [key, { shape, data: data as Float32Array }]),
        ),
      );
      expected.forEach((wanted, o) => {
        const got = [...(answers[`y${o}`]?.toArray() ?? [])] as Value[];
        expect(got.length).toBe(wanted.length);
        const wrong = got.findIndex((value, i) => {
          const right = wanted[i] as Value;
          if (value === right || (Number.isNaN(value) && Number.isNaN(right))) return false;
          return !(Math.abs(Number(value) - Number(right)) <= error * Math.max(1e-3, Math.abs(Number(right))));
        });
        expect([wrong, got[wrong]]).toEqual([-1, undefined]);
      });
      expect(model.summary().rows.filter(({ reason }) => reason === "JavaScript")).toEqual([]);
    } finally {
      model.dispose();
    }
  });
});
