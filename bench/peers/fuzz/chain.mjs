// What follows the operator of a case, with --chain: layers of the kinds that are fused, folded and moved around here.

const same = (op, attributes = {}) => ({ op, attributes });
const product = (list) => list.reduce((a, b) => a * b, 1);

/** Steps by what they do: each answers nodes' parts, or undefined where the shape does not allow it; `shape` is what comes out. */
const STEPS = [
  (r) => same(r.pick(["Relu", "Sigmoid", "Tanh", "HardSwish", "Neg", "Abs", "Softplus", "Erf"])),
  (r) => same("LeakyRelu", { alpha: { float: r.float(0, 0.5) } }),
  (r) => ({ op: "Clip", constants: [r.scalar("float32", r.float(-1, 0)), r.scalar("float32", r.float(0, 2))] }),
  (r, shape) => {
    const row = shape.map((n, i) => (r.chance(0.5) || i === 0 ? 1 : n));
    return { op: r.pick(["Add", "Mul", "Sub"]), constants: [r.floats(row, [0.2, 1.5])] };
  },
  (r, shape) => ({
    op: r.pick(["Add", "Mul"]),
    constants: [r.floats(r.chance(0.5) ? [] : r.broadcast(shape))],
    isFirst: true,
  }),
  (r) => ({ op: r.pick(["Add", "Mul", "Sub"]), others: ["y0"], keeps: true }),
  (r, shape) => {
    const perm = r.permutation(shape.length);
    return { op: "Transpose", attributes: { perm }, shape: perm.map((axis) => shape[axis]) };
  },
  (r, shape) => {
    if (shape.length < 2) return undefined;
    const at = r.int(0, shape.length - 2);
    const to = [...shape.slice(0, at), shape[at] * shape[at + 1], ...shape.slice(at + 2)];
    return { op: "Reshape", constants: [r.longs(to)], shape: to };
  },
  (r, shape) => {
    const axis = r.int(0, Math.max(0, shape.length - 1));
    const factor = [4, 3, 2].find((n) => shape[axis] % n === 0);
    if (factor === undefined || shape.length > 5) return undefined;
    const to = [...shape.slice(0, axis), factor, shape[axis] / factor, ...shape.slice(axis + 1)];
    return { op: "Reshape", constants: [r.longs(to)], shape: to };
  },
  (r, shape, opset) => {
    if (shape.length === 0) return undefined;
    const axis = r.int(0, shape.length - 1);
    const to = shape.map((n, i) => (i === axis ? 1 : n));
    if (opset >= 18) return { op: "ReduceMean", constants: [r.longs([axis])], shape: to };
    return { op: "ReduceMean", attributes: { axes: [axis] }, shape: to };
  },
  (r, shape) => (shape.length > 0 ? same("Softmax", { axis: r.int(-1, shape.length - 1) }) : undefined),
  (r, shape) => {
    if (shape.length === 0) return undefined;
    const axis = r.int(0, shape.length - 1);
    const to = shape.map((n, i) => (i === axis ? 2 * n : n));
    return { op: "Concat", others: ["@"], attributes: { axis }, shape: to };
  },
  (r, shape) => {
    const axis = shape.findIndex((n) => n > 1);
    if (axis < 0) return undefined;
    const to = shape.map((n, i) => (i === axis ? n - 1 : n));
    return { op: "Slice", constants: [r.longs([1]), r.longs([shape[axis]]), r.longs([axis])], shape: to };
  },
  (r, shape) => {
    if (shape.length === 0) return undefined;
    const pads = r.list(2 * shape.length, (i) => (i % shape.length > 1 ? r.int(0, 1) : 0));
    return { op: "Pad", constants: [r.longs(pads)], shape: shape.map((n, i) => n + pads[i] + pads[i + shape.length]) };
  },
  (r, shape) => {
    if (shape.length < 2) return undefined;
    const cols = r.int(1, 9);
    return {
      op: "MatMul",
      constants: [r.floats([shape.at(-1), cols], [-0.7, 0.7])],
      shape: [...shape.slice(0, -1), cols],
    };
  },
  (r, shape) => {
    if (shape.length !== 4) return undefined;
    const kernel = r.pick([1, 3]);
    const filters = r.int(1, 9);
    const constants = [r.floats([filters, shape[1], kernel, kernel], [-0.5, 0.5]), r.floats([filters])];
    const pads = kernel === 3 ? [1, 1, 1, 1] : [0, 0, 0, 0];
    return { op: "Conv", constants, attributes: { pads }, shape: [shape[0], filters, shape[2], shape[3]] };
  },
  (r, shape) => {
    if (shape.length !== 4) return undefined;
    const constants = [r.floats([shape[1], 1, 3, 3], [-0.5, 0.5])];
    return { op: "Conv", constants, attributes: { pads: [1, 1, 1, 1], group: shape[1] } };
  },
  (r, shape) => {
    if (shape.length < 2) return undefined;
    const row = (bounds) => r.floats([shape[1]], bounds);
    return { op: "BatchNormalization", constants: [row(), row(), row(), row([0.5, 2])] };
  },
  (r, shape) => {
    if (shape.length !== 4 || shape[2] < 2 || shape[3] < 2) return undefined;
    const to = [shape[0], shape[1], shape[2] >> 1, shape[3] >> 1];
    return { op: r.pick(["MaxPool", "AveragePool"]), attributes: { kernel_shape: [2, 2], strides: [2, 2] }, shape: to };
  },
];

/** Nodes behind "y0" of this shape: { op, attributes, inputs, output }, and the constants that they read; the last output is "z". */
export function chainOf(r, first, opset, length) {
  let shape = first;
  let value = "y0";
  const [nodes, constants] = [[], []];
  for (let tries = 0; nodes.length < length && tries < 50; tries++) {
    const step = r.pick(STEPS)(r, shape, opset);
    const isLate = step?.keeps && shape.join() !== first.join();
    if (step === undefined || isLate || product(step.shape ?? shape) > 2 ** 14) continue;
    const names = (step.constants ?? []).map((constant) => {
      const name = `c${constants.length}`;
      constants.push({ ...constant, name, constant: true });
      return name;
    });
    const others = (step.others ?? []).map((name) => (name === "@" ? value : name));
    const inputs = step.isFirst ? [...names, value] : [value, ...others, ...names];
    const output = nodes.length === length - 1 ? "z" : `t${nodes.length}`;
    nodes.push({ op: step.op, attributes: step.attributes ?? {}, inputs, output });
    [shape, value] = [step.shape ?? shape, output];
  }
  return { nodes, constants };
}
