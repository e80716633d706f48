// Points of one person, face or hand: peaks of heatmaps, or coordinates as they are.
import { finite, knownOptions, oneOf, pair } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import { type AnswerView, viewOf } from "./detections.js";
import { valueAt } from "./grid.js";
import { type Planes, planesOf, requireLabels, requireNumber, type Shaped, valuesOf } from "./numbers.js";
import { logistic } from "./scores.js";

/** A point with its score. */
export interface Keypoint {
  /** [x, y] in pixels of the photo, or of the model where no view is given. */
  readonly point: readonly [x: number, y: number];
  /** Of the heatmap there. */
  readonly score: number;
  /** Of the heatmap. */
  readonly index: number;
  /** Its name, where labels are given. */
  readonly label?: string;
}

/** Of heatmapKeypoints(). */
export interface KeypointOptions {
  /** Takes points to the photo. Default: they stay in the model's pixels. */
  readonly view?: AnswerView;
  /** Names of the points, one a heatmap. */
  readonly labels?: readonly string[];
  /** Pixels of the model's input a cell. Default 4; PoseNet: 8, 16 or 32. */
  readonly stride?: number;
  /** "sigmoid" for heatmaps of logits. Default "none". */
  readonly activation?: "sigmoid" | "none";
  /** 1 for [1, K, H, W], -1 for [1, H, W, K], as TensorFlow's models have it. Default 1. */
  readonly axis?: 1 | -1;
}

/**
 * The best place of each of K heatmaps, in their order. With `offsets`, [1, 2K, H, W], y of all points before x of all, in pixels
 * (PoseNet); without, a quarter of a cell towards the higher neighbour (HRNet, SimpleBaseline).
 *
 * @throws ShapeError for shapes that do not fit and labels that are not one a point, RangeError for NaN and options out of range,
 *   TypeError for options of the wrong kind.
 */
export function heatmapKeypoints(heatmaps: Shaped, offsets?: Shaped, options: KeypointOptions = {}): Keypoint[] {
  knownOptions("heatmapKeypoints options", options, ["view", "labels", "stride", "activation", "axis"]);
  const { axis = 1, labels, stride = 4 } = options;
  const view = viewOf(options.view);
  const activation = oneOf("activation", options.activation ?? "none", ["sigmoid", "none"]);
  finite("stride", stride);
  const heat = planesOf("heatmaps", heatmaps, axis);
  const { width, height, channels } = heat;
  requireLabels(labels, channels);
  const moves = offsets && planesOf("offsets", offsets, axis);
  if (moves && (moves.channels !== 2 * channels || moves.width !== width || moves.height !== height))
    throw new ShapeError(
      `"offsets" expected ${2 * channels} channels of ${height} x ${width}, got ${show(offsets.shape)}`,
    );
  return Array.from({ length: channels }, (_, k): Keypoint => {
    const [x, y] = peakOf(heat, k);
    const toward = (a: number, b: number) => Math.sign(a - b) / 4 || 0;
    const across = x > 0 && x < width - 1 ? toward(valueAt(heat, k, x + 1, y), valueAt(heat, k, x - 1, y)) : 0;
    const down = y > 0 && y < height - 1 ? toward(valueAt(heat, k, x, y + 1), valueAt(heat, k, x, y - 1)) : 0;
    const point: [number, number] = moves
      ? [x * stride + valueAt(moves, channels + k, x, y), y * stride + valueAt(moves, k, x, y)]
      : [(x + across) * stride, (y + down) * stride];
    const score = valueAt(heat, k, x, y);
    return {
      point: view?.toImage(point) ?? point,
      score: activation === "sigmoid" ? logistic(score) : score,
      index: k,
      ...(labels && { label: labels[k] as string }),
    };
  });
}

function peakOf(heat: Planes, k: number): [x: number, y: number] {
  let [best, x, y] = [Number.NEGATIVE_INFINITY, 0, 0];
  for (let i = 0; i < heat.width * heat.height; i++) {
    const [u, v] = [i % heat.width, Math.floor(i / heat.width)];
    const value = valueAt(heat, k, u, v);
    if (value <= best) continue;
    requireNumber("heatmaps", value, i);
    [best, x, y] = [value, u, v];
  }
  return [x, y];
}

/** Of decodePoints(). */
export interface PointOptions {
  /** Takes x and y to the photo. Default: they stay in the model's pixels. */
  readonly view?: AnswerView;
  /** Numbers of a point, x and y first: 3 of face and hand meshes, which have a depth. Default 2. */
  readonly values?: number;
  /** [height, width] of the model's input where x and y are shares of it. Default: they are pixels. */
  readonly size?: number | readonly [number, number];
}

/**
 * Points that a model answers as coordinates, [1, K * values] or [1, K * values, 1, 1]: face mesh, hand landmarks. What comes behind
 * x and y is answered as it is.
 *
 * @throws ShapeError for a count that is no whole number of points, RangeError for NaN and options out of range, TypeError.
 */
export function decodePoints(output: Shaped, options: PointOptions = {}): number[][] {
  knownOptions("decodePoints options", options, ["view", "values", "size"]);
  const { values = 2, size = 1 } = options;
  const view = viewOf(options.view);
  const [height, width] = pair("size", size, 1);
  const data = valuesOf("output", output);
  if (!(Number.isInteger(values) && values >= 2))
    throw new RangeError(`"values" expected integer >= 2, got ${show(values)}`);
  if (data.length % values !== 0)
    throw new ShapeError(`"output" expected points of ${values} numbers, got ${show(output.shape)}`);
  return Array.from({ length: data.length / values }, (_, p) => {
    const [x = 0, y = 0, ...more] = Array.from({ length: values }, (_, k) => finite("output", data[p * values + k]));
    return [...(view?.toImage([x * width, y * height]) ?? [x * width, y * height]), ...more];
  });
}
