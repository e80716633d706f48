// Cases of operators that move and pick elements, and of those that make shapes.

const TYPES = ["float32", "float32", "float32", "int64", "int32", "uint8", "bool", "float64"];
const anything = (r, rank = r.int(1, 5), most = 4) => r.tensor(r.pick(TYPES), r.shape(rank, most));
const count = (shape) => shape.reduce((a, b) => a * b, 1);

/** Axes as the attribute that they were, or the operand that they became. */
const axesOf = (r, opset, since, axes) =>
  opset >= since ? { inputs: [r.longs(axes)], attributes: {} } : { inputs: [], attributes: { axes } };

function slice(r, opset) {
  const x = anything(r);
  const rank = x.shape.length;
  const axes = r.axes(rank);
  const one = (axis) => {
    const size = x.shape.at(axis);
    const step = opset >= 10 ? r.pick([1, 1, 2, -1, -2, 3]) : 1;
    const [from, to] = [r.int(-size - 1, size + 1), r.pick([r.int(-size - 1, size + 1), 2 ** 31 - 1, -(2 ** 31)])];
    return { from, to, step };
  };
  const parts = axes.map(one);
  const [starts, ends, steps] = ["from", "to", "step"].map((key) => parts.map((part) => part[key]));
  if (opset < 10) return { inputs: [x], attributes: { starts, ends, axes } };
  const inputs = [x, r.longs(starts), r.longs(ends), r.longs(axes)];
  return {
    inputs: steps.every((step) => step === 1) && r.chance(0.5) ? inputs : [...inputs, r.longs(steps)],
    attributes: {},
  };
}

function reshape(r, opset) {
  const x = anything(r);
  const factors = [];
  for (let rest = count(x.shape), d = 2; rest > 1; ) {
    if (rest % d === 0) {
      factors.push(d);
      rest /= d;
    } else d++;
  }
  const shape = r.list(r.int(1, 4), () => 1);
  for (const factor of factors) shape[r.int(0, shape.length - 1)] *= factor;
  const target = [...shape];
  if (r.chance(0.4)) target[r.int(0, target.length - 1)] = -1;
  if (target[0] === x.shape[0] && r.chance(0.5)) target[0] = 0;
  return opset >= 5 ? { inputs: [x, r.longs(target)], attributes: {} } : { inputs: [x], attributes: { shape: target } };
}

function split(r, opset) {
  const x = anything(r);
  const axis = r.axis(x.shape.length);
  const size = x.shape.at(axis);
  const outputs = r.int(1, Math.min(size, 4));
  if (opset >= 18 && r.chance(0.4)) return { inputs: [x], attributes: { axis, num_outputs: outputs }, outputs };
  const sizes = r.list(outputs, () => 1);
  for (let rest = size - outputs; rest > 0; rest--) sizes[r.int(0, outputs - 1)]++;
  if (opset >= 13) return { inputs: [x, r.longs(sizes)], attributes: { axis }, outputs };
  return { inputs: [x], attributes: { axis, split: sizes }, outputs };
}

function pad(r, opset) {
  const type = opset >= 13 ? r.pick(["float32", "float32", "int64", "int32"]) : "float32";
  const rank = r.int(1, 4);
  const x = r.tensor(
    type,
    r.shape(rank, 5).map((n) => n + 1),
  );
  const mode = r.pick(["constant", "constant", "reflect", "edge", ...(opset >= 19 ? ["wrap"] : [])]);
  const pads = r.list(2 * rank, (i) => (mode === "constant" ? r.int(-1, 3) : r.int(0, x.shape[i % rank] - 1)));
  if (opset < 11) return { inputs: [x], attributes: { mode, pads, value: { float: r.float() } } };
  const value = r.chance(0.5) ? r.scalar(type, r.int(-2, 2)) : null;
  if (opset < 18 || r.chance(0.5)) return { inputs: [x, r.longs(pads), value], attributes: { mode } };
  const axes = r.axes(rank);
  const some = r.list(2 * axes.length, (i) => pads.at((axes[i % axes.length] + rank) % rank));
  return { inputs: [x, r.longs(some), value, r.longs(axes)], attributes: { mode } };
}

/** Indices of an axis, from either end. */
const indices = (r, opset, shape, size) =>
  r.tensor(r.pick(["int64", "int32"]), shape, () => (opset >= 11 ? r.int(-size, size - 1) : r.int(0, size - 1)));

const gather = (r, opset) => {
  const x = anything(r);
  const axis = opset >= 11 ? r.axis(x.shape.length) : r.int(0, x.shape.length - 1);
  return { inputs: [x, indices(r, opset, r.shape(r.int(0, 2), 4), x.shape.at(axis))], attributes: { axis } };
};

function gatherND(r, opset) {
  const x = anything(r, r.int(2, 4));
  const batch = opset >= 12 ? r.int(0, 1) : 0;
  const depth = r.int(1, x.shape.length - batch);
  const lead = [...x.shape.slice(0, batch), ...r.shape(r.int(1, 2), 3)];
  const at = r.tensor("int64", [...lead, depth], (i) =>
    r.int(-x.shape[batch + (i % depth)], x.shape[batch + (i % depth)] - 1),
  );
  return { inputs: [x, at], attributes: batch > 0 ? { batch_dims: batch } : {} };
}

/** Places are different, unless they are added up: what else happens to two for one place nobody says. */
function scatterElements(r, opset) {
  const x = r.floats(r.shape(r.int(1, 3), 4));
  const axis = opset >= 11 ? r.axis(x.shape.length) : r.int(0, x.shape.length - 1);
  const at = (axis + x.shape.length) % x.shape.length;
  const shape = x.shape.map((n) => r.int(1, n));
  const size = x.shape[at];
  const shift = r.int(0, size - 1);
  const inner = count(shape.slice(at + 1));
  const places = r.tensor("int64", shape, (i) => (Math.floor(i / inner) + shift) % size);
  places.data = places.data.map((_, i) => BigInt((Math.floor(i / inner) % shape[at]) + shift) % BigInt(size));
  const reductions =
    opset >= 18 ? ["none", "add", "mul", "max", "min"] : opset >= 16 ? ["none", "add", "mul"] : ["none"];
  const reduction = r.pick(reductions);
  return {
    inputs: [x, places, r.floats(shape)],
    attributes: { axis, ...(reduction !== "none" && { reduction }) },
    K: 4,
  };
}

function scatterND(r, opset) {
  const x = r.floats(r.shape(r.int(1, 3), 4));
  const depth = r.int(1, x.shape.length);
  const places = count(x.shape.slice(0, depth));
  const chosen = r.permutation(places).slice(0, r.int(1, places));
  const coordinates = chosen.flatMap((place) => {
    const at = [];
    for (let axis = depth - 1, rest = place; axis >= 0; axis--) {
      at.unshift(rest % x.shape[axis]);
      rest = Math.floor(rest / x.shape[axis]);
    }
    return at;
  });
  const updates = r.floats([chosen.length, ...x.shape.slice(depth)]);
  const reduction = opset >= 18 ? r.pick(["none", "add", "mul", "max", "min"]) : "none";
  const attributes = reduction === "none" ? {} : { reduction };
  return { inputs: [x, r.longs(coordinates, [chosen.length, depth]), updates], attributes, K: 4 };
}

const ONE_OF = (r, type, least, most) => r.tensor(type, [], [least, most]);

function range(r) {
  const type = r.pick(["float32", "int64", "int32"]);
  const step = r.pick([1, 2, 3, -1]);
  const start = r.int(-4, 4);
  const values = [start, start + step * r.int(0, 6) + r.int(0, 1), step];
  return { inputs: values.map((value) => r.scalar(type, value)), attributes: {} };
}

export const MOVEMENT = {
  Reshape: reshape,
  Flatten: (r, opset) => {
    const x = anything(r);
    return {
      inputs: [x],
      attributes: { axis: opset >= 11 ? r.int(-x.shape.length, x.shape.length) : r.int(0, x.shape.length) },
    };
  },
  Squeeze: (r, opset) => {
    const shape = r.shape(r.int(2, 5), 2);
    const axes = shape.flatMap((n, i) => (n === 1 && r.chance(0.7) ? [i] : []));
    const x = r.tensor(r.pick(TYPES), shape);
    if (axes.length === 0) return { inputs: [x], attributes: {} };
    const { inputs, attributes } = axesOf(r, opset, 13, axes);
    return { inputs: [x, ...inputs], attributes };
  },
  Unsqueeze: (r, opset) => {
    const x = anything(r, r.int(0, 3));
    const added = r.int(1, 2);
    const axes = r
      .permutation(x.shape.length + added)
      .slice(0, added)
      .map((axis) => (opset >= 11 && r.chance(0.3) ? axis - x.shape.length - added : axis));
    const { inputs, attributes } = axesOf(r, opset, 13, axes);
    return { inputs: [x, ...inputs], attributes };
  },
  Transpose: (r) => {
    const x = anything(r, r.int(1, 6), 4);
    return { inputs: [x], attributes: r.chance(0.85) ? { perm: r.permutation(x.shape.length) } : {} };
  },
  Concat: (r, opset) => {
    const type = r.pick(["float32", "float32", "int64", "uint8"]);
    const shape = r.shape(r.int(1, 4), 4);
    const axis = opset >= 11 ? r.axis(shape.length) : r.int(0, shape.length - 1);
    const part = () =>
      r.tensor(
        type,
        shape.map((n, i) => (i === (axis + shape.length) % shape.length ? r.int(1, 4) : n)),
      );
    return { inputs: r.list(r.int(1, 4), part), attributes: { axis } };
  },
  Split: split,
  Slice: slice,
  Pad: pad,
  Tile: (r) => {
    const x = anything(r, r.int(1, 4), 3);
    return { inputs: [x, r.longs(x.shape.map(() => r.int(1, 3)))], attributes: {} };
  },
  Expand: (r) => {
    const shape = r.shape(r.int(1, 4), 4);
    return { inputs: [r.tensor(r.pick(TYPES), r.broadcast(shape)), r.longs(r.broadcast(shape))], attributes: {} };
  },
  Shape: (r, opset) => {
    const x = anything(r);
    const rank = x.shape.length;
    return {
      inputs: [x],
      attributes:
        opset >= 15 && r.chance(0.5) ? { start: r.int(-rank - 1, rank), end: r.int(-rank - 1, rank + 1) } : {},
    };
  },
  Size: (r) => ({ inputs: [anything(r)], attributes: {} }),
  Gather: gather,
  GatherElements: (r, opset) => {
    const x = anything(r, r.int(1, 4));
    const axis = r.axis(x.shape.length);
    const at = (axis + x.shape.length) % x.shape.length;
    const shape = x.shape.map((n, i) => (i === at ? r.int(1, 5) : r.int(1, n)));
    return { inputs: [x, indices(r, opset, shape, x.shape[at])], attributes: { axis } };
  },
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  OneHot: (r, opset) => {
    const depth = r.int(1, 6);
    const shape = r.shape(r.int(1, 3), 4);
    const inputs = [
      r.tensor("int64", shape, () => r.int(-depth - 1, depth)),
      r.tensor("int64", r.pick([[], [1]]), () => depth),
      r.floats([2]),
    ];
    return {
      inputs,
      attributes: r.chance(0.6) ? { axis: opset >= 11 ? r.axis(shape.length + 1) : r.int(0, shape.length) } : {},
    };
  },
  NonZero: (r) => ({
    inputs: [r.tensor(r.pick(["float32", "int64", "bool"]), r.shape(r.int(1, 4), 4), () => r.int(0, 1))],
    attributes: {},
  }),
  Compress: (r, opset) => {
    const x = anything(r);
    const axis = opset >= 11 ? r.axis(x.shape.length) : r.int(0, x.shape.length - 1);
    const isFlat = r.chance(0.3);
    const mask = r.tensor("bool", [r.int(1, isFlat ? count(x.shape) : x.shape.at(axis))]);
    return { inputs: [x, mask], attributes: isFlat ? {} : { axis } };
  },
  ConstantOfShape: (r) => ({
    inputs: [r.longs(r.shape(r.int(1, 4), 3))],
    attributes: r.chance(0.6) ? { value: { tensor: r.tensor(r.pick(["float32", "int64", "bool"]), [1], [0, 1]) } } : {},
  }),
  Range: range,
  EyeLike: (r) => ({ inputs: [r.floats(r.shape(2))], attributes: r.chance(0.6) ? { k: r.int(-4, 4) } : {} }),
  Trilu: (r) => {
    const x = r.tensor(r.pick(["float32", "int64"]), r.shape(r.int(2, 4)));
    return { inputs: r.chance(0.6) ? [x, ONE_OF(r, "int64", -5, 5)] : [x], attributes: { upper: r.int(0, 1) } };
  },
  CenterCropPad: (r) => {
    const x = r.floats(r.shape(r.int(1, 3), 5));
    if (r.chance(0.5)) return { inputs: [x, r.longs(x.shape.map(() => r.int(1, 7)))], attributes: {} };
    const axes = r.axes(x.shape.length);
    return { inputs: [x, r.longs(axes.map(() => r.int(1, 7)))], attributes: { axes } };
  },
  DepthToSpace: (r, opset) => {
    const [N, C, H, W] = r.shape(4, 3);
    const block = r.int(1, 3);
    const mode = opset >= 11 ? { mode: r.pick(["DCR", "CRD"]) } : {};
    return { inputs: [r.floats([N, C * block * block, H, W])], attributes: { blocksize: block, ...mode } };
  },
  SpaceToDepth: (r) => {
    const [N, C, H, W] = r.shape(4, 3);
    const block = r.int(1, 3);
    return { inputs: [r.floats([N, C, H * block, W * block])], attributes: { blocksize: block } };
  },
  ReverseSequence: (r) => {
    const x = r.floats(r.shape(r.int(2, 4)));
    const batch = r.int(0, 1);
    const lengths = r.list(x.shape[batch], () => r.int(1, x.shape[1 - batch]));
    return { inputs: [x, r.longs(lengths)], attributes: { batch_axis: batch, time_axis: 1 - batch } };
  },
  Unique: (r) => {
    const x = r.tensor(r.pick(["float32", "int64"]), r.shape(r.int(1, 3), 4), () => r.int(0, 3));
    const attributes = { sorted: r.int(0, 1), ...(r.chance(0.5) && { axis: r.axis(x.shape.length) }) };
    return { inputs: [x], attributes, outputs: 4 };
  },
  Scatter: (r) => ({ ...scatterElements(r, 9) }),
};
