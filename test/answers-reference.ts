// Decoders as the models' own Python has them, in float64 and in the plainest words: lists of objects, no tricks. The truth for
// src/vision/answers; imports nothing of it.

export interface Ref {
  box: number[];
  score: number;
  index: number;
  points?: number[][];
}

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export function softmax(row: readonly number[]): number[] {
  const max = Math.max(...row);
  const shares = row.map((x) => Math.exp(x - max));
  const sum = shares.reduce((a, b) => a + b, 0);
  return shares.map((share) => share / sum);
}

/** Rows of a flat array. */
export function rows(data: ArrayLike<number>, columns: number): number[][] {
  return Array.from({ length: data.length / columns }, (_, r) =>
    Array.from({ length: columns }, (_, c) => data[r * columns + c] as number),
  );
}

/** [C, N] to N rows of C. */
export function transposed(data: ArrayLike<number>, columns: number): number[][] {
  const all = rows(data, columns);
  return Array.from({ length: columns }, (_, i) => all.map((row) => row[i] as number));
}

export function iou(a: readonly number[], b: readonly number[]): number {
  const [a0, a1, a2, a3] = a as [number, number, number, number];
  const [b0, b1, b2, b3] = b as [number, number, number, number];
  const inter = Math.max(0, Math.min(a2, b2) - Math.max(a0, b0)) * Math.max(0, Math.min(a3, b3) - Math.max(a1, b1));
  const union = (a2 - a0) * (a3 - a1) + (b2 - b0) * (b3 - b1) - inter;
  return inter === 0 ? 0 : inter / union;
}

/** torchvision.ops.batched_nms, or nms where classes don't matter. */
export function nms(all: readonly Ref[], threshold: number, perClass = true, max = 300): Ref[] {
  const left = [...all].sort((a, b) => b.score - a.score);
  const kept: Ref[] = [];
  while (left.length > 0) {
    const top = left.shift() as Ref;
    kept.push(top);
    for (let i = left.length - 1; i >= 0; i--) {
      const other = left[i] as Ref;
      if ((!perClass || other.index === top.index) && iou(top.box, other.box) > threshold) left.splice(i, 1);
    }
  }
  return kept.slice(0, max);
}

/** MediaPipe's WeightedNonMaxSuppression. */
export function weightedNms(all: readonly Ref[], threshold: number): Ref[] {
  let remained = [...all].sort((a, b) => b.score - a.score);
  const kept: Ref[] = [];
  while (remained.length > 0) {
    const top = remained[0] as Ref;
    const candidates: Ref[] = [];
    const next: Ref[] = [];
    for (const one of remained) (one === top || iou(one.box, top.box) > threshold ? candidates : next).push(one);
    const total = candidates.reduce((sum, { score }) => sum + score, 0);
    const blend = (of: (one: Ref) => number) => candidates.reduce((sum, one) => sum + of(one) * one.score, 0) / total;
    kept.push({
      box: [0, 1, 2, 3].map((k) => blend((one) => one.box[k] as number)),
      score: top.score,
      index: top.index,
      ...(top.points && {
        points: top.points.map((_, p) => [0, 1].map((k) => blend((one) => one.points?.[p]?.[k] as number))),
      }),
    });
    remained = next;
  }
  return kept;
}

/** Soft-NMS with a Gaussian penalty, figure 2 of Bodla et al. 2017. */
export function softNms(all: readonly Ref[], sigma: number, least: number): Ref[] {
  let left = all.map((one) => ({ ...one }));
  const kept: Ref[] = [];
  while (left.length > 0) {
    let top = left[0] as Ref;
    for (const one of left) if (one.score > top.score) top = one;
    left = left.filter((one) => one !== top);
    kept.push({ ...top });
    for (const one of left) if (one.index === top.index) one.score *= Math.exp(-(iou(top.box, one.box) ** 2) / sigma);
    left = left.filter(({ score }) => score > least);
  }
  return kept;
}

const largest = (row: readonly number[]): number => row.indexOf(Math.max(...row));

const fromCentre = (x: number, y: number, w: number, h: number): number[] => [
  x - w / 2,
  y - h / 2,
  x + w / 2,
  y + h / 2,
];

/** Ultralytics yolov5, utils/general.py: non_max_suppression() without multi_label. */
export function yolo5(all: readonly number[][], conf: number): Ref[] {
  return all.flatMap((row) => {
    const [x, y, w, h, objectness] = row as [number, number, number, number, number];
    if (!(objectness > conf)) return [];
    const scores = row.slice(5).map((c) => c * objectness);
    const index = largest(scores);
    return (scores[index] as number) > conf
      ? [{ box: fromCentre(x, y, w, h), score: scores[index] as number, index }]
      : [];
  });
}

/** Ultralytics ultralytics/utils/nms.py, on rows of 4 + classes + the rest. */
export function yolo8(all: readonly number[][], classes: number, conf: number): (Ref & { rest: number[] })[] {
  return all.flatMap((row) => {
    const [x, y, w, h] = row as [number, number, number, number];
    const scores = row.slice(4, 4 + classes);
    const index = largest(scores);
    const score = scores[index] as number;
    return score > conf ? [{ box: fromCentre(x, y, w, h), score, index, rest: row.slice(4 + classes) }] : [];
  });
}

/** Megvii YOLOX, yolox/utils/demo_utils.py: demo_postprocess(), then rows as yolov5 has them. */
export function yolox(
  all: readonly number[][],
  [height, width]: readonly [number, number],
  strides: readonly number[],
): number[][] {
  const cells: number[][] = [];
  for (const stride of strides)
    for (let y = 0; y < Math.floor(height / stride); y++)
      for (let x = 0; x < Math.floor(width / stride); x++) cells.push([x, y, stride]);
  return all.map((row, i) => {
    const [gx, gy, stride] = cells[i] as [number, number, number];
    const [x, y, w, h, ...rest] = row as [number, number, number, number];
    return [(x + gx) * stride, (y + gy) * stride, Math.exp(w) * stride, Math.exp(h) * stride, ...rest];
  });
}

/** RetinaFace in PyTorch, utils/box_utils.py: decode() and decode_landm(); anchors [cx, cy, w, h], all in shares of the input. */
export function retina(
  loc: readonly number[],
  anchor: readonly number[],
  [v0, v1]: readonly [number, number],
): number[] {
  const [ax, ay, aw, ah] = anchor as [number, number, number, number];
  const [dx, dy, dw, dh] = loc as [number, number, number, number];
  const [w, h] = [aw * Math.exp(dw * v1), ah * Math.exp(dh * v1)];
  const [x, y] = [ax + dx * v0 * aw - w / 2, ay + dy * v0 * ah - h / 2];
  return [x, y, w + x, h + y];
}

/** RetinaFace in PyTorch, layers/functions/prior_box.py: PriorBox.forward(). */
export function priorBox(
  [height, width]: readonly [number, number],
  steps: readonly number[],
  minSizes: readonly (readonly number[])[],
): number[] {
  const anchors: number[] = [];
  for (const [k, step] of steps.entries())
    for (let i = 0; i < Math.ceil(height / step); i++)
      for (let j = 0; j < Math.ceil(width / step); j++)
        for (const size of minSizes[k] as readonly number[])
          anchors.push(((j + 0.5) * step) / width, ((i + 0.5) * step) / height, size / width, size / height);
  return anchors;
}

/** MediaPipe's ssd_anchors_calculator.cc for options of one aspect ratio list; layers of one stride share a map. */
export function mediapipeAnchors(options: {
  size: number;
  strides: readonly number[];
  minScale: number;
  maxScale: number;
  aspectRatios: readonly number[];
  interpolated: boolean;
  reduce: boolean;
  fixed: boolean;
}): number[] {
  const { size, strides, minScale, maxScale, aspectRatios, interpolated, reduce, fixed } = options;
  const scaleAt = (i: number) =>
    strides.length === 1 ? (minScale + maxScale) / 2 : minScale + ((maxScale - minScale) * i) / (strides.length - 1);
  const anchors: number[] = [];
  let layer = 0;
  while (layer < strides.length) {
    const shapes: [ratio: number, scale: number][] = [];
    let last = layer;
    while (last < strides.length && strides[last] === strides[layer]) {
      const scale = scaleAt(last);
      if (last === 0 && reduce) shapes.push([1, 0.1], [2, scale], [0.5, scale]);
      else {
        for (const ratio of aspectRatios) shapes.push([ratio, scale]);
        if (interpolated) shapes.push([1, Math.sqrt(scale * (last === strides.length - 1 ? 1 : scaleAt(last + 1)))]);
      }
      last++;
    }
    const cells = Math.ceil(size / (strides[layer] as number));
    for (let y = 0; y < cells; y++)
      for (let x = 0; x < cells; x++)
        for (const [ratio, scale] of shapes)
          anchors.push(
            (x + 0.5) / cells,
            (y + 0.5) / cells,
            fixed ? 1 : scale * Math.sqrt(ratio),
            fixed ? 1 : scale / Math.sqrt(ratio),
          );
    layer = last;
  }
  return anchors;
}

/** MediaPipe's tensors_to_detections: linear sizes, offsets in pixels of the input. */
export function blazeface(
  raw: readonly number[],
  anchor: readonly number[],
  size: number,
  points: number,
): Pick<Ref, "box" | "points"> {
  const [ax, ay, aw, ah] = anchor as [number, number, number, number];
  const [dx, dy, dw, dh] = raw as [number, number, number, number];
  const [x, y, w, h] = [(dx / size) * aw + ax, (dy / size) * ah + ay, (dw / size) * aw, (dh / size) * ah];
  return {
    box: fromCentre(x, y, w, h),
    points: Array.from({ length: points }, (_, p) => [
      ((raw[4 + 2 * p] as number) / size) * aw + ax,
      ((raw[5 + 2 * p] as number) / size) * ah + ay,
    ]),
  };
}

/** InsightFace scrfd.py: distance2bbox() and distance2kps() on anchor centres of two anchors a cell. */
export function scrfd(
  boxes: readonly number[][],
  kps: readonly number[][],
  stride: number,
  width: number,
  anchors: number,
): Pick<Ref, "box" | "points">[] {
  return boxes.map((distance, i) => {
    const cell = Math.floor(i / anchors);
    const [x, y] = [(cell % width) * stride, Math.floor(cell / width) * stride];
    const [l, t, r, b] = distance.map((d) => d * stride) as [number, number, number, number];
    const k = (kps[i] as number[]).map((d) => d * stride);
    return {
      box: [x - l, y - t, x + r, y + b],
      points: Array.from({ length: k.length / 2 }, (_, p) => [x + (k[2 * p] as number), y + (k[2 * p + 1] as number)]),
    };
  });
}

/** PaddleDetection deploy/third_engine/demo_onnxruntime: softmax over bins, expectation, times stride, from the cell's middle. */
export function picodet(raw: readonly number[], cell: number, width: number, stride: number, offset = 0.5): number[] {
  const bins = raw.length / 4;
  const [l, t, r, b] = [0, 1, 2, 3].map((side) => {
    const shares = softmax(raw.slice(side * bins, side * bins + bins));
    return shares.reduce((sum, share, i) => sum + share * i, 0) * stride;
  }) as [number, number, number, number];
  const [x, y] = [((cell % width) + offset) * stride, (Math.floor(cell / width) + offset) * stride];
  return [x - l, y - t, x + r, y + b];
}

/** OpenCV face_detect.cpp: FaceDetectorYNImpl::postProcess(). */
export function yunet(
  cls: number,
  obj: number,
  bbox: readonly number[],
  kps: readonly number[],
  cell: number,
  width: number,
  stride: number,
): Ref {
  const [col, row] = [cell % width, Math.floor(cell / width)];
  const clamp = (x: number) => Math.min(Math.max(x, 0), 1);
  const [b0, b1, b2, b3] = bbox as [number, number, number, number];
  const [cx, cy] = [(col + b0) * stride, (row + b1) * stride];
  const [w, h] = [Math.exp(b2) * stride, Math.exp(b3) * stride];
  return {
    box: fromCentre(cx, cy, w, h),
    score: Math.sqrt(clamp(cls) * clamp(obj)),
    index: 0,
    points: Array.from({ length: kps.length / 2 }, (_, p) => [
      ((kps[2 * p] as number) + col) * stride,
      ((kps[2 * p + 1] as number) + row) * stride,
    ]),
  };
}

/** FastestDet utils/tool.py: handle_preds(), in pixels of an input of so many cells times stride. */
export function fastestdet(
  data: ArrayLike<number>,
  channels: number,
  height: number,
  width: number,
  stride: number,
  conf: number,
): Ref[] {
  const found: Ref[] = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const v = Array.from({ length: channels }, (_, c) => data[(c * height + y) * width + x] as number);
      const classes = v.slice(5);
      const index = largest(classes);
      const score = (v[0] as number) ** 0.6 * (classes[index] as number) ** 0.4;
      if (!(score > conf)) continue;
      const [w, h] = [sigmoid(v[3] as number), sigmoid(v[4] as number)];
      const [cx, cy] = [(x + Math.tanh(v[1] as number)) / width, (y + Math.tanh(v[2] as number)) / height];
      const share = fromCentre(cx, cy, w, h);
      found.push({ box: share.map((s, k) => s * stride * (k % 2 ? height : width)), score, index });
    }
  return found;
}

/** CenterNet lib/models/decode.py: _nms() with a kernel of 3, then ctdet_decode(). */
export function centernet(
  heat: readonly number[][][],
  wh: readonly number[][][],
  reg: readonly number[][][] | undefined,
  stride: number,
  least: number,
): Ref[] {
  const found: Ref[] = [];
  for (const [c, plane] of heat.entries())
    for (const [y, line] of plane.entries())
      for (const [x, value] of line.entries()) {
        let max = Number.NEGATIVE_INFINITY;
        for (let v = y - 1; v <= y + 1; v++)
          for (let u = x - 1; u <= x + 1; u++) max = Math.max(max, plane[v]?.[u] ?? Number.NEGATIVE_INFINITY);
        if (max !== value || !(value > least)) continue;
        const [w, h] = [wh[0]?.[y]?.[x] as number, wh[1]?.[y]?.[x] as number];
        const [dx, dy] = [reg?.[0]?.[y]?.[x] ?? 0, reg?.[1]?.[y]?.[x] ?? 0];
        found.push({ box: fromCentre(x + dx, y + dy, w, h).map((edge) => edge * stride), score: value, index: c });
      }
  return found.sort((a, b) => b.score - a.score);
}

/** CTC, greedily: the best path, repetitions joined, blanks dropped. */
export function ctc(all: readonly number[][], alphabet: readonly string[], blank: number): string {
  const symbols = [...alphabet.slice(0, blank), undefined, ...alphabet.slice(blank)];
  const path = all.map(largest);
  return path
    .filter((index, t) => index !== path[t - 1])
    .map((index) => symbols[index] ?? "")
    .join("");
}
