// Cases of operators on images: sampling, boxes, places.

const product = (list) => list.reduce((a, b) => a * b, 1);

/** Sizes or scales up to `most` times. */
function resize(r, opset) {
  const mode = r.pick(["nearest", "linear", "cubic"]);
  const rank = mode === "cubic" ? 4 : r.pick([4, 4, 3]);
  const x = r.floats([r.int(1, 2), r.int(1, 3), ...r.shape(rank - 2, 7).map((n) => n + 1)]);
  if (opset === 10) {
    const scales = x.shape.map((_, i) => (i < 2 ? 1 : r.pick([0.5, 0.7, 1, 1.3, 2, 2.5])));
    return {
      inputs: [x, r.floats([rank], (i) => scales[i])],
      attributes: { mode: r.pick(["nearest", "linear"]) },
      K: 64,
    };
  }
  const modes = [
    "half_pixel",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    ...(opset >= 19 ? ["half_pixel_symmetric"] : []),
  ];
  const attributes = { mode, coordinate_transformation_mode: r.pick(modes) };
  if (mode === "nearest")
    attributes.nearest_mode = r.pick(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]);
  if (mode === "cubic" && r.chance(0.4)) attributes.exclude_outside = 1;
  if (mode === "cubic" && r.chance(0.4)) attributes.cubic_coeff_a = { float: -0.5 };
  if (opset >= 18 && mode !== "nearest" && r.chance(0.2)) attributes.antialias = 1;
  const empty = opset >= 13 ? null : r.floats([0]);
  if (r.chance(0.5)) {
    const sizes = x.shape.map((n, i) => (i < 2 ? n : r.int(1, 2 * n)));
    return { inputs: [x, empty, opset >= 13 ? null : r.floats([0]), r.longs(sizes)], attributes, K: 64 };
  }
  const scales = x.shape.map((_, i) => (i < 2 ? 1 : r.pick([0.5, 0.7, 1, 1.3, 2, 2.5])));
  return { inputs: [x, empty, r.floats([rank], (i) => scales[i])], attributes, K: 64 };
}

function gridSample(r, opset) {
  const [N, C, H, W] = r.shape(4, 4).map((n, i) => (i > 1 ? n + 1 : n));
  const modes = opset >= 20 ? ["linear", "nearest", "cubic"] : ["bilinear", "nearest", "bicubic"];
  const attributes = {
    mode: r.pick(modes),
    padding_mode: r.pick(["zeros", "border", "reflection"]),
    align_corners: r.int(0, 1),
  };
  return {
    inputs: [r.floats([N, C, H, W]), r.floats([N, r.int(1, 4), r.int(1, 4), 2], [-1.2, 1.2])],
    attributes,
    K: 256,
  };
}

function roiAlign(r, opset) {
  const x = r.floats([r.int(1, 2), r.int(1, 3), 8, 8]);
  const count = r.int(1, 3);
  const boxes = r
    .list(count, () => {
      const [left, top] = [r.float(0, 6), r.float(0, 6)];
      return [left, top, left + r.float(1, 6), top + r.float(1, 6)];
    })
    .flat();
  const attributes = {
    output_height: r.int(1, 3),
    output_width: r.int(1, 3),
    sampling_ratio: r.int(0, 2),
    spatial_scale: { float: r.pick([1, 0.5]) },
  };
  if (r.chance(0.5)) attributes.mode = r.pick(["avg", "max"]);
  if (opset >= 16 && r.chance(0.5))
    attributes.coordinate_transformation_mode = r.pick(["half_pixel", "output_half_pixel"]);
  return {
    inputs: [x, r.floats([count, 4], (i) => boxes[i]), r.tensor("int64", [count], [0, x.shape[0] - 1])],
    attributes,
    K: 256,
  };
}

function nonMaxSuppression(r) {
  const [batch, classes, boxes] = [r.int(1, 2), r.int(1, 2), r.int(1, 8)];
  const corners = r.list(batch * boxes, () => [r.float(0, 1), r.float(0, 1), r.float(0, 1), r.float(0, 1)]).flat();
  const inputs = [
    r.floats([batch, boxes, 4], (i) => corners[i]),
    r.floats([batch, classes, boxes], [0, 1]),
    r.longs([r.int(0, 4)]),
    r.floats([1], [0.1, 0.6]),
    r.chance(0.6) ? r.floats([1], [0.1, 0.6]) : null,
  ];
  return { inputs, attributes: r.chance(0.5) ? { center_point_box: r.int(0, 1) } : {} };
}

function maxUnpool(r) {
  const [N, C, H, W] = r.shape(4, 4);
  const places = H * W * 4;
  const indices = r
    .list(N * C, (plane) =>
      r
        .permutation(places)
        .slice(0, H * W)
        .map((at) => plane * places + at),
    )
    .flat();
  return {
    inputs: [r.floats([N, C, H, W]), r.longs(indices, [N, C, H, W])],
    attributes: { kernel_shape: [2, 2], strides: [2, 2] },
  };
}

export const IMAGES = {
  Resize: resize,
  Upsample: (r, opset) => {
    const x = r.floats([r.int(1, 2), r.int(1, 3), ...r.shape(2, 5)]);
    const scales = [1, 1, r.pick([1, 2, 2.5]), r.pick([1, 2, 3])];
    const mode = r.pick(["nearest", "linear"]);
    if (opset >= 9) return { inputs: [x, r.floats([4], (i) => scales[i])], attributes: { mode }, K: 64 };
    return { inputs: [x], attributes: { mode, scales: { floats: scales } }, K: 64 };
  },
  GridSample: gridSample,
  AffineGrid: (r) => {
    const [N, C, H, W] = r.shape(4, 4);
    return { inputs: [r.floats([N, 2, 3]), r.longs([N, C, H, W])], attributes: { align_corners: r.int(0, 1) }, K: 64 };
  },
  RoiAlign: roiAlign,
  NonMaxSuppression: nonMaxSuppression,
  Col2Im: (r) => {
    const block = r.shape(2, 3);
    const image = block.map((n) => n + r.int(0, 3));
    const places = product(image.map((n, i) => n - block[i] + 1));
    return {
      inputs: [r.floats([r.int(1, 2), r.int(1, 2) * product(block), places]), r.longs(image), r.longs(block)],
      attributes: {},
      K: 16,
    };
  },
  MaxUnpool: maxUnpool,
};
