// Single-shot detectors: offsets from anchors, which are a function of the input's size (Liu et al. 2016).
import { finite, integer, knownOptions, oneOf, pair } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import {
  at,
  bestClass,
  checkedStrides,
  type DetectionOptions,
  detectionOptions,
  detectionsOf,
  listOf,
  noneFound,
  pointsOf,
  rowsOf,
  scoreOf,
  sizeOf,
} from "./detections.js";
import { matrixOf, requireLabels, type Shaped } from "./numbers.js";
import { ACTIVATIONS, type ScoreActivation } from "./scores.js";
import { addTo, type Detection } from "./suppress.js";

/** Of decodeSsd(). */
export interface SsdOptions extends DetectionOptions {
  /** [N, 4] numbers: centre x, y, width and height of every anchor, as shares of the input; ssdAnchors() makes them. */
  readonly anchors: ArrayLike<number>;
  /** [height, width] of the model's input. Default: the view's. */
  readonly size?: number | readonly [number, number];
  /** What offsets of centres and of sizes are multiplied by. Default [0.1, 0.2]; MediaPipe: 1 / the input's side, both. */
  readonly variances?: readonly [centre: number, size: number];
  /** A size is anchor * exp(offset), or "linear", anchor * offset, as MediaPipe has it. Default "exp". */
  readonly sizes?: "exp" | "linear";
  /** Key points: how many follow the box in its row, or a tensor [1, N, 2 * points] of them (RetinaFace). Default none. */
  readonly points?: number | Shaped | readonly Shaped[];
  /** Makes scores of logits. Default "none". */
  readonly activation?: ScoreActivation;
  /** A class that is none; SSD and RetinaFace: 0. Default: all are classes. */
  readonly background?: number;
}

/**
 * Boxes from scores [1, N, C] and offsets [1, N, 4 + 2 * points] of N anchors, or lists of them, one a level: SSD, RetinaFace,
 * BlazeFace, palm detection. x = anchor x + offset * variance * anchor width.
 *
 * @throws ShapeError for counts that do not fit, RangeError for NaN and options out of range, TypeError for options of the wrong kind.
 */
export function decodeSsd(
  scores: Shaped | readonly Shaped[],
  boxes: Shaped | readonly Shaped[],
  options: SsdOptions,
): Detection[] {
  const own = ["anchors", "size", "variances", "sizes", "points", "activation", "background"];
  const checked = detectionOptions("decodeSsd", options, own);
  const { anchors, variances: [centre, extent] = [0.1, 0.2], points = 0, background } = options;
  const isLinear = oneOf("sizes", options.sizes ?? "exp", ["exp", "linear"]) === "linear";
  const activation = oneOf("activation", options.activation ?? "none", ACTIVATIONS);
  const [height, width] = pair("size", sizeOf(options.size, checked.view), 1);
  finite("variances[0]", centre);
  finite("variances[1]", extent);
  const levels = (name: string, x: Shaped | readonly Shaped[]) =>
    listOf(x).map((one) => matrixOf(name, one, "[1, N, columns]"));
  const [allScores, allBoxes] = [levels("scores", scores), levels("boxes", boxes)];
  const allPoints = typeof points === "number" ? allBoxes : levels("points", points);
  const rows = allBoxes.reduce((sum, level) => sum + level.rows, 0);
  if (!(anchors?.length === 4 * rows))
    throw new ShapeError(`"anchors" expected ${4 * rows} numbers, 4 for each row of "boxes", got ${anchors?.length}`);
  const classes = allScores[0]?.columns ?? 0;
  requireLabels(checked.labels, classes);
  if (background !== undefined) integer("background", background, 0, classes - 1);
  const found = noneFound();
  const places: { readonly level: number; readonly row: number }[] = [];
  const firstPoint = typeof points === "number" ? 4 : 0;
  const count = typeof points === "number" ? integer("points", points, 0) : (allPoints[0]?.columns ?? 0) / 2;
  allBoxes.forEach((box, level) => {
    const [score, point] = [allScores[level], allPoints[level]];
    if (score?.rows !== box.rows || point?.rows !== box.rows || score.columns !== classes)
      throw new ShapeError(
        `"scores" expected ${box.rows} rows of ${classes}, as "boxes" has, got ${score?.rows} of ${score?.columns}`,
      );
    if (box.columns < 4 || point.columns < firstPoint + 2 * count || !Number.isInteger(count))
      throw new ShapeError(`"boxes" expected rows of a box and ${count} points, got ${box.columns} numbers`);
    const [columns, offsets] = [rowsOf(score), rowsOf(box)];
    const before = places.length;
    for (let row = 0; row < box.rows; row++) {
      places.push({ level, row });
      const best = bestClass(columns, row, classes, background);
      if (best < 0) continue;
      const one = scoreOf(columns, row, best, classes, activation);
      if (!(one > checked.score)) continue;
      const [ax, ay, aw, ah] = anchor(before + row);
      const size = (offset: number, side: number) => (isLinear ? offset * extent : Math.exp(offset * extent)) * side;
      const x = (at(offsets, row, 0) * centre * aw + ax) * width;
      const y = (at(offsets, row, 1) * centre * ah + ay) * height;
      const w = (size(at(offsets, row, 2), aw) * width) / 2;
      const h = (size(at(offsets, row, 3), ah) * height) / 2;
      addTo(found, [x - w, y - h, x + w, y + h], one, best, before + row);
    }
  });
  function anchor(row: number) {
    return [0, 1, 2, 3].map((k) => anchors[4 * row + k]) as [number, number, number, number];
  }
  return detectionsOf(found, checked, (index) => {
    if (count === 0) return {};
    const { level, row } = places[index] as (typeof places)[number];
    const offsets = rowsOf(allPoints[level] as (typeof allPoints)[number]);
    const [ax, ay, aw, ah] = anchor(index);
    const value = (p: number, k: number) => {
      const offset = at(offsets, row, firstPoint + 2 * p + k) * centre;
      return finite("points", k === 0 ? (offset * aw + ax) * width : (offset * ah + ay) * height);
    };
    return { points: pointsOf(count, 2, value) };
  });
}

/** Of ssdAnchors(): `sizes`, or `scales` and `aspectRatios`. */
export interface SsdAnchorOptions {
  /** [height, width] of the model's input. */
  readonly size: number | readonly [number, number];
  /** Of the feature maps. */
  readonly strides: readonly number[];
  /**
   * Anchors of a cell of each map, in pixels: sides of squares, or [width, height]. RetinaFace: [[16, 32], [64, 128], [256, 512]].
   * BlazeFace, whose anchors all have the input's size: [[128, 128], [128, 128, 128, 128, 128, 128]].
   */
  readonly sizes?: readonly (readonly (number | readonly [number, number])[])[];
  /** Smallest and largest scale, spread over the maps, as TensorFlow and MediaPipe do: [0.2, 0.95]. */
  readonly scales?: readonly [least: number, most: number];
  /** Width / height of a cell's anchors, with `scales`. Default [1, 2, 0.5, 3, 1 / 3]. */
  readonly aspectRatios?: readonly number[];
  /** With `scales`: one more square, between this scale and the next. Default true. */
  readonly between?: boolean;
  /** With `scales`: the first map has only three, of scale 0.1 and of ratios 2 and 1/2. Default true. */
  readonly fewerInFirst?: boolean;
}

/**
 * [N, 4] anchors for decodeSsd(): map by map, cell by cell from the top left, centres in the middle of cells.
 *
 * @throws ShapeError for sizes that are not one list a stride, RangeError for options out of range, TypeError for others.
 */
export function ssdAnchors(options: SsdAnchorOptions): Float32Array {
  knownOptions("ssdAnchors options", options, [
    "size",
    "strides",
    "sizes",
    "scales",
    "aspectRatios",
    "between",
    "fewerInFirst",
  ]);
  const [height, width] = pair("size", options.size, 1);
  const strides = checkedStrides(options.strides);
  const { sizes } = options;
  if ((sizes === undefined) === (options.scales === undefined))
    throw new TypeError(`"ssdAnchors options" expected either sizes or scales, got ${sizes ? "both" : "none"}`);
  if (sizes !== undefined && sizes.length !== strides.length)
    throw new ShapeError(`"sizes" expected ${strides.length} lists, one a stride, got ${sizes.length}`);
  const shares = sizes
    ? sizes.map((level) => level.map((side) => pairOf(side)).map(([w, h]) => [w / width, h / height] as const))
    : strides.map((_, i) => scaled(options, i, strides.length));
  const anchors: number[] = [];
  strides.forEach((stride, i) => {
    const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
    // Where a stride does not divide the size, RetinaFace goes by the stride, TensorFlow by the number of cells.
    const [stepX, stepY] = sizes ? [stride / width, stride / height] : [1 / columns, 1 / rows];
    for (let cell = 0; cell < rows * columns; cell++)
      for (const [w, h] of shares[i] as (typeof shares)[number])
        anchors.push(
          ((cell % columns) + 0.5) * stepX,
          (Math.floor(cell / columns) + 0.5) * stepY,
          finite("sizes", w),
          finite("sizes", h),
        );
  });
  return Float32Array.from(anchors);
}

const pairOf = (side: number | readonly [number, number]) =>
  typeof side === "number" ? ([side, side] as const) : side;

/** Width and height of the anchors of a map, as TensorFlow's multiple grid anchor generator has them. */
function scaled(options: SsdAnchorOptions, map: number, maps: number): (readonly [number, number])[] {
  const { aspectRatios = [1, 2, 0.5, 3, 1 / 3], between = true, fewerInFirst = true } = options;
  const [least, most] = options.scales as readonly [number, number];
  if (!(finite("scales", least) > 0 && finite("scales", most) >= least))
    throw new RangeError(`"scales" expected [least, most], got ${show(options.scales)}`);
  const scaleOf = (i: number) => (i >= maps ? 1 : maps === 1 ? least : least + ((most - least) * i) / (maps - 1));
  const scale = scaleOf(map);
  const shaped = (ratio: number, side: number) => [side * Math.sqrt(ratio), side / Math.sqrt(ratio)] as const;
  if (map === 0 && fewerInFirst) return [shaped(1, 0.1), shaped(2, scale), shaped(0.5, scale)];
  const all = aspectRatios.map((ratio) => shaped(ratio, scale));
  return between ? [...all, shaped(1, Math.sqrt(scale * scaleOf(map + 1)))] : all;
}
