// LSTM, GRU and RNN, on kernels and in JavaScript, held to the standard's equations written out one element at a time in float64.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime, Tensor } from "../src/index.js";
import { loadOnnx, type OnnxInput, type OnnxModel } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Attribute, type Constant, onnxFile, typed } from "./onnx-file.js";
import { fill } from "./random.js";

interface Size {
  /** Steps, rows of a batch, inputs, hidden units. */
  readonly T: number;
  readonly B: number;
  readonly I: number;
  readonly H: number;
}

/** Units: less than a panel of 8, one of them, one and a part; more than a work item of 16 or 32, and whole ones. One row of one step. */
const SIZES: readonly Size[] = [
  { T: 5, B: 3, I: 4, H: 6 },
  { T: 5, B: 3, I: 3, H: 8 },
  { T: 5, B: 3, I: 9, H: 13 },
  { T: 5, B: 3, I: 2, H: 37 },
  { T: 5, B: 3, I: 5, H: 64 },
];
const SMALL = SIZES[0] as Size;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

interface Options {
  readonly direction?: "reverse" | "bidirectional";
  readonly bias?: boolean;
  readonly lengths?: readonly number[];
  readonly states?: boolean;
  readonly peepholes?: boolean;
  readonly clip?: number;
  readonly layout?: 1;
  readonly linear?: 1;
  readonly coupled?: 1;
  readonly activations?: readonly string[];
  /** Numbers for those that take some. */
  readonly alphas?: readonly number[];
  readonly betas?: readonly number[];
}

/** Functions of the standard that are not those of the defaults. */
const FUNCTIONS: Readonly<Record<string, (v: number, alpha: number, beta: number) => number>> = {
  Sigmoid: sigmoid,
  Tanh: Math.tanh,
  Relu: (v) => Math.max(v, 0),
  LeakyRelu: (v, alpha) => (v < 0 ? alpha * v : v),
  HardSigmoid: (v, alpha, beta) => Math.min(Math.max(alpha * v + beta, 0), 1),
  Softsign: (v) => v / (1 + Math.abs(v)),
};

const GATES = { RNN: 1, GRU: 3, LSTM: 4 } as const;

/** Y [T, directions, B, H], Y_h and Y_c [directions, B, H], by the equations of the standard. */
function naive(
  op: keyof typeof GATES,
  { T, B, I, H }: Size,
  x: Float32Array,
  w: Float32Array,
  r: Float32Array,
  o: Options,
  more: Record<string, Float32Array>,
) {
  const gates = GATES[op];
  const D = o.direction === "bidirectional" ? 2 : 1;
  const y = new Float64Array(T * D * B * H);
  const [yh, yc] = [new Float64Array(D * B * H), new Float64Array(D * B * H)];
  const clip = (v: number) => (o.clip === undefined ? v : Math.min(Math.max(v, -o.clip), o.clip));
  const [alphas, betas] = [[...(o.alphas ?? [])], [...(o.betas ?? [])]];
  const names = o.activations ?? (op === "RNN" ? ["Tanh"] : ["Sigmoid", "Tanh", "Tanh"]);
  const [f, g, h] = names.map((name) => {
    const alpha = name === "HardSigmoid" || name === "LeakyRelu" ? (alphas.shift() ?? Number.NaN) : 0;
    const beta = name === "HardSigmoid" ? (betas.shift() ?? Number.NaN) : 0;
    return (v: number) => (FUNCTIONS[name] as (typeof FUNCTIONS)[string])(v, alpha, beta);
  }) as [(v: number) => number, (v: number) => number, (v: number) => number];
  for (let d = 0; d < D; d++) {
    for (let n = 0; n < B; n++) {
      const first = (d * B + n) * H;
      let state = Array.from({ length: H }, (_, j) => more["h0"]?.[first + j] ?? 0);
      let cell = Array.from({ length: H }, (_, j) => more["c0"]?.[first + j] ?? 0);
      const end = o.lengths?.[n] ?? T;
      for (let s = 0; s < end; s++) {
        const t = o.direction === "reverse" || d === 1 ? end - 1 - s : s;
        const input = (gate: number, j: number) => {
          const row = d * gates * H + gate * H + j;
          let sum = more["b"]?.[d * 2 * gates * H + gate * H + j] ?? 0;
          for (let i = 0; i < I; i++) sum += (w[row * I + i] as number) * (x[(t * B + n) * I + i] as number);
          return sum;
        };
        const back = (gate: number, j: number, of: readonly number[]) => {
          const row = d * gates * H + gate * H + j;
          let sum = more["b"]?.[d * 2 * gates * H + (gates + gate) * H + j] ?? 0;
          for (let i = 0; i < H; i++) sum += (r[row * H + i] as number) * (of[i] as number);
          return sum;
        };
        const both = (gate: number, j: number) => input(gate, j) + back(gate, j, state);
        const peep = (which: number, j: number) => more["p"]?.[(d * 3 + which) * H + j] ?? 0;
        const at = [...state.keys()];
        if (op === "RNN") state = at.map((j) => f(clip(both(0, j))));
        else if (op === "GRU") {
          const z = at.map((j) => f(clip(both(0, j))));
          const reset = at.map((j) => f(clip(both(1, j))));
          const product = at.map((j) => (reset[j] as number) * (state[j] as number));
          const hidden = at.map((j) =>
            g(clip(input(2, j) + (o.linear ? (reset[j] as number) * back(2, j, state) : back(2, j, product)))),
          );
          state = at.map(
            (j) => (1 - (z[j] as number)) * (hidden[j] as number) + (z[j] as number) * (state[j] as number),
          );
        } else {
          const i = at.map((j) => f(clip(both(0, j) + peep(0, j) * (cell[j] as number))));
          const forget = at.map((j) =>
            o.coupled ? 1 - (i[j] as number) : f(clip(both(2, j) + peep(2, j) * (cell[j] as number))),
          );
          const fresh = at.map((j) => g(clip(both(3, j))));
          const next = at.map(
            (j) => (forget[j] as number) * (cell[j] as number) + (i[j] as number) * (fresh[j] as number),
          );
          const out = at.map((j) => f(clip(both(1, j) + peep(1, j) * (next[j] as number))));
          [cell, state] = [next, at.map((j) => (out[j] as number) * h(next[j] as number))];
        }
        y.set(state, ((t * D + d) * B + n) * H);
      }
      yh.set(state, first);
      yc.set(cell, first);
    }
  }
  return [y, yh, yc];
}

/** [a, b, c...] as [b, a, c...], or with its first axis behind two others. */
function moved(data: ArrayLike<number>, shape: readonly number[], order: readonly number[]): Float32Array {
  const out = shape.reduce((p, s) => p * s, 1);
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((p, s) => p * s, 1));
  const to = order.map((axis) => shape[axis] as number);
  return Float32Array.from({ length: out }, (_, at) => {
    let [rest, from] = [at, 0];
    for (let k = order.length - 1; k >= 0; k--) {
      from += (rest % (to[k] as number)) * (strides[order[k] as number] as number);
      rest = Math.floor(rest / (to[k] as number));
    }
    return data[from] as number;
  });
}

const CASES: readonly (readonly [keyof typeof GATES, Options])[] = [
  ...(["RNN", "GRU", "LSTM"] as const).flatMap((op) => [
    [op, {}] as const,
    [op, { bias: true, direction: "reverse", lengths: [2, 5, 0] }] as const,
    [op, { bias: true, direction: "bidirectional", lengths: [5, 1, 3], states: true }] as const,
    [op, { bias: true, states: true, layout: 1, clip: 0.5 }] as const,
    [op, { bias: true, direction: "bidirectional", layout: 1, lengths: [5, 5, 4] }] as const,
  ]),
  ["RNN", { bias: true, activations: ["HardSigmoid"], alphas: [0.3], betas: [0.4] }],
  ["GRU", { bias: true, states: true, linear: 1, direction: "bidirectional" }],
  ["GRU", { linear: 1, lengths: [3, 5, 1], states: true }],
  ["GRU", { bias: true, activations: ["Tanh", "Relu"] }],
  ["GRU", { activations: ["HardSigmoid", "LeakyRelu"], alphas: [0.25, 0.1], betas: [0.45] }],
  ["LSTM", { bias: true, states: true, peepholes: true, direction: "bidirectional" }],
  ["LSTM", { bias: true, coupled: 1, peepholes: true, clip: 0.7 }],
  ["LSTM", { bias: true, activations: ["Tanh", "Relu", "Sigmoid"] }],
];

/** The node, its operands but x as constants, and what it should answer. */
function made(op: keyof typeof GATES, size: Size, o: Options) {
  const { T, B, I, H } = size;
  const gates = GATES[op];
  const D = o.direction === "bidirectional" ? 2 : 1;
  const data = (...shape: number[]) => fill(shape, `${op} ${shape}`).map((v) => v / Math.sqrt(shape.at(-1) as number));
  const constant = (dims: readonly number[], values: Float32Array): Constant => ({ dims, data: values });
  const x = fill([T, B, I], `${op} x`);
  const [w, r] = [data(D, gates * H, I), data(D, gates * H, H)];
  const more: Record<string, Float32Array> = {};
  const constants: Record<string, Constant> = {
    w: constant([D, gates * H, I], w),
    r: constant([D, gates * H, H], r),
  };
  const put = (name: string, shape: readonly number[], isState = false) => {
    const values = data(...shape);
    more[name] = values;
    const isTurned = isState && o.layout === 1;
    constants[name] = isTurned ? constant([B, D, H], moved(values, shape, [1, 0, 2])) : constant(shape, values);
  };
  if (o.bias) put("b", [D, 2 * gates * H]);
  if (o.states) put("h0", [D, B, H], true);
  if (o.states && op === "LSTM") put("c0", [D, B, H], true);
  if (o.peepholes) put("p", [D, 3 * H]);
  if (o.lengths) constants["lengths"] = typed("int32", [B], o.lengths);
  const names = ["b", "lengths", "h0", "c0", "p"].map((name) => (constants[name] ? name : ""));
  while (names.at(-1) === "") names.pop();
  const attributes: Record<string, Attribute> = { hidden_size: H };
  if (o.direction) attributes["direction"] = o.direction;
  if (o.layout) attributes["layout"] = 1;
  if (o.linear) attributes["linear_before_reset"] = 1;
  if (o.coupled) attributes["input_forget"] = 1;
  if (o.clip) attributes["clip"] = { float: o.clip };
  if (o.activations) attributes["activations"] = { strings: o.activations };
  if (o.alphas) attributes["activation_alpha"] = { floats: o.alphas };
  if (o.betas) attributes["activation_beta"] = { floats: o.betas };
  const outputs = op === "LSTM" ? ["y", "yh", "yc"] : ["y", "yh"];
  const shape = o.layout ? [B, T, I] : [T, B, I];
  const file = {
    nodes: [{ op, inputs: ["x", "w", "r", ...names], outputs, attributes }],
    outputs,
    constants,
    opset: 22,
  };
  const input = { data: o.layout ? moved(x, [T, B, I], [1, 0, 2]) : x, shape };
  const check = (answers: Readonly<Record<string, Tensor>>) =>
    outputs.forEach((name, i) => {
      const own = i === 0 ? [T, D, B, H] : [D, B, H];
      const order = o.layout ? (i === 0 ? [2, 0, 1, 3] : [1, 0, 2]) : own.map((_, axis) => axis);
      const got = answers[name] as Tensor;
      const want = moved(wanted[i] as Float64Array, own, order);
      expect([...got.shape]).toEqual(order.map((axis) => own[axis]));
      // Sums of I + H + 2 terms below 1, rounded each; the error of a step is that of the state that the next begins with.
      const tolerance = T * 4 * (I + H + 2) * 2 ** -24;
      let worst = 0;
      got.toArray().forEach((value, at) => {
        worst = Math.max(worst, Math.abs(Number(value) - (want[at] as number)));
      });
      expect(worst, name).toBeLessThan(tolerance);
    });
  const wanted = naive(op, size, x, w, r, o, more);
  return { file, input, check };
}

const isJavaScript = (model: OnnxModel): boolean => model.summary().rows.some(({ reason }) => reason === "JavaScript");

describe.each(BINARIES)("recurrent layers on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(CASES)("%s %j", async (op, o) => {
    for (const size of SIZES) {
      const { file, input, check } = made(op, size, o);
      for (const declared of [input.shape, ["a", "b", "c"]]) {
        const model = await loadOnnx(rt, onnxFile({ ...file, inputs: { x: declared } }));
        check(model.run({ x: input }));
        expect(isJavaScript(model)).toBe(false);
        model.dispose();
      }
    }
  });

  it("one step of one row, and one without", async () => {
    for (const op of ["RNN", "GRU", "LSTM"] as const) {
      const { file, input, check } = made(op, { T: 1, B: 1, I: 3, H: 10 }, { bias: true, states: true });
      const model = await loadOnnx(rt, onnxFile({ ...file, inputs: { x: input.shape } }));
      check(model.run({ x: input }));
      check(model.run({ x: input }));
      model.dispose();
    }
  });

  it("take lengths and states of a run, and refuse lengths that no sequence has", async () => {
    for (const op of ["GRU", "LSTM"] as const) {
      const o: Options = { bias: true, direction: "bidirectional", lengths: [5, 1, 3], states: true };
      const { file, input, check } = made(op, SIZES[2] as Size, o);
      const names = ["lengths", "h0", "c0"].filter((name) => name in file.constants);
      const { constants } = file;
      const inputs: Record<string, readonly number[]> = { x: input.shape };
      const feeds: Record<string, OnnxInput> = { x: input };
      for (const name of names) {
        const { dims, data } = constants[name] as Constant;
        inputs[name] = dims;
        feeds[name] = { data, shape: dims };
        delete constants[name];
      }
      const model = await loadOnnx(rt, onnxFile({ ...file, inputs, types: { lengths: 6 } }));
      check(model.run(feeds));
      const before = rt.report().bytesInUse;
      for (const end of [6, -1]) {
        const wrong = { ...feeds, lengths: { data: Int32Array.of(5, end, 3), shape: [3] } };
        expect(() => model.run(wrong)).toThrow(`"sequence_lens" expected 0 to 5, got ${end}`);
      }
      expect(rt.report().bytesInUse).toBe(before);
      check(model.run(feeds));
      model.dispose();
    }
  });
});

describe("recurrent layers in JavaScript", () => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await (BINARIES[1] as (typeof BINARIES)[number]).create();
  });
  afterAll(() => rt.dispose());

  it.each([
    ["LSTM", { bias: true, peepholes: true, activations: ["Sigmoid", "Softsign", "Tanh"] }],
    ["GRU", { bias: true, states: true, linear: 1, activations: ["Sigmoid", "Softsign"] }],
    ["GRU", { bias: true, lengths: [3, 0, 5], activations: ["Sigmoid", "Softsign"] }],
    ["RNN", { bias: true, direction: "reverse", activations: ["Softsign"] }],
  ] as const)("%s %j, whose activations no kernel has", async (op, o) => {
    const { file, input, check } = made(op, SMALL, o);
    const model = await loadOnnx(rt, onnxFile({ ...file, inputs: { x: input.shape } }));
    check(model.run({ x: input }));
    expect(isJavaScript(model)).toBe(true);
    model.dispose();
  });

  it("weights that a run computes", async () => {
    const { file, input, check } = made("LSTM", SMALL, { bias: true });
    const { r, ...constants } = file.constants;
    const { dims, data } = r as Constant;
    const model = await loadOnnx(rt, onnxFile({ ...file, constants, inputs: { x: input.shape, r: dims } }));
    check(model.run({ x: input, r: { data, shape: dims } }));
    expect(isJavaScript(model)).toBe(true);
    model.dispose();
  });

  it("refuse weights of other shapes, and activations that there are none of", async () => {
    const { T, B, I, H } = SMALL;
    const file = (dims: readonly number[], activations?: readonly string[]) =>
      onnxFile({
        nodes: [
          {
            op: "RNN",
            inputs: ["x", "w", "r"],
            outputs: ["y"],
            attributes: { hidden_size: H, ...(activations && { activations: { strings: activations } }) },
          },
        ],
        inputs: { x: [T, B, I] },
        outputs: ["y"],
        constants: { w: { dims, data: fill(dims, "w") }, r: { dims: [1, H, H], data: fill([1, H, H], "r") } },
      });
    await expect(loadOnnx(rt, file([1, H, I + 1]))).rejects.toThrow(
      /\(RNN\): "W" expected \[1, 6, 4\], got \[1, 6, 5\]/,
    );
    await expect(loadOnnx(rt, file([1, H, I], ["Magic"]))).rejects.toThrow(
      /"activations" expected known functions, got "Magic"/,
    );
  });
});
