// Text: where lines are, from a map of probabilities (differentiable binarisation, Liao et al. 2020), and what they say (Graves et al.
// 2006).
import { finite, integer, knownOptions, oneOf } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import type { Region } from "../spec.js";
import { type AnswerView, bestClass, rowsOf, scoreOf, viewOf } from "./detections.js";
import { numbersOf, planesOf, requireNumber, type Shaped } from "./numbers.js";
import { minAreaRect, type Point, type Rect } from "./rectangle.js";
import { ACTIVATIONS, type ScoreActivation } from "./scores.js";

/** A line of text. */
export interface TextRegion {
  /** A part of the picture as a preprocessor takes it: turned by its angle about its middle. */
  readonly region: Required<Region>;
  /** Its corners, clockwise from the top left one of upright text. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Mean of the map inside the rectangle, before it grows. */
  readonly score: number;
}

/** Of textRegions(). */
export interface TextRegionOptions {
  /** Takes regions to the photo. Default: they stay in the map's pixels. */
  readonly view?: AnswerView;
  /** Pixels of the map above it are text. Default 0.3. */
  readonly threshold?: number;
  /** Regions score at least this. Default 0.6. */
  readonly score?: number;
  /** How far rectangles grow on each side: area / perimeter times this. Default 1.5, as PaddleOCR's library; its tools have 2.0. */
  readonly unclip?: number;
  /** Least shorter side in pixels of the map, before it grows. Default 3. */
  readonly minSide?: number;
  /** Most regions, from the top. Default 1000. */
  readonly max?: number;
}

/**
 * Lines of text of a map [1, 1, H, W] of probabilities: connected pixels above the threshold, the smallest rectangle around them at
 * any angle, grown. In reading order: from the top, and of those in one line from the left.
 *
 * @throws ShapeError for other shapes, RangeError for NaN and options out of range, TypeError for options of the wrong kind.
 */
export function textRegions(map: Shaped, options: TextRegionOptions = {}): TextRegion[] {
  knownOptions("textRegions options", options, ["view", "threshold", "score", "unclip", "minSide", "max"]);
  const { threshold = 0.3, score: least = 0.6, unclip = 1.5, minSide = 3, max = 1000 } = options;
  for (const [name, value] of Object.entries({ threshold, score: least, unclip, minSide })) finite(name, value);
  integer("max", max, 1);
  const view = viewOf(options.view);
  const { data, channels, width, height } = planesOf("map", map, 1);
  if (channels !== 1) throw new ShapeError(`"map" expected one channel, [1, 1, H, W], got ${show(map.shape)}`);
  const regions: TextRegion[] = [];
  for (const points of components(data, width, height, threshold)) {
    const rect = minAreaRect(points);
    if (Math.min(rect.width, rect.height) < minSide) continue;
    const score = meanInside(data, width, height, rect);
    if (score < least) continue;
    const grow = (2 * (rect.width * rect.height * unclip)) / (2 * (rect.width + rect.height));
    const grown = { ...rect, width: rect.width + grow, height: rect.height + grow };
    if (Math.min(grown.width, grown.height) < minSide + 2) continue;
    regions.push(regionOf(grown, score, view));
    if (regions.length === max) break;
  }
  return inReadingOrder(regions);
}

/** A rectangle of the map in the photo. Where a photo was stretched it is no rectangle there: its upper and left side count. */
function regionOf({ x, y, width, height, angle }: Rect, score: number, view: AnswerView | undefined): TextRegion {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const corner = (u: number, v: number): Point => {
    const point: Point = [x + u * cos - v * sin, y + u * sin + v * cos];
    return view?.toImage(point) ?? point;
  };
  const [w, h] = [width / 2, height / 2];
  const points = [corner(-w, -h), corner(w, -h), corner(w, h), corner(-w, h)] as const;
  const [a, b, c, d] = points;
  const [long, tall] = [Math.hypot(b[0] - a[0], b[1] - a[1]), Math.hypot(d[0] - a[0], d[1] - a[1])];
  const [cx, cy] = [(a[0] + c[0]) / 2, (a[1] + c[1]) / 2];
  const region = {
    x: cx - long / 2,
    y: cy - tall / 2,
    width: long,
    height: tall,
    angle: Math.atan2(b[1] - a[1], b[0] - a[0]),
  };
  return { region, points, score };
}

/**
 * Middles of the first and last pixel of every row of each component, in the order of their first pixels: all that a convex hull
 * needs. Pixels belong together by edges and corners.
 */
function* components(data: ArrayLike<number>, width: number, height: number, threshold: number): Generator<Point[]> {
  const isOpen = new Uint8Array(width * height);
  for (let i = 0; i < isOpen.length; i++) {
    requireNumber("map", data[i] as number, i);
    isOpen[i] = Number((data[i] as number) > threshold);
  }
  const stack: number[] = [];
  const least = new Int32Array(height).fill(width);
  const most = new Int32Array(height).fill(-1);
  for (let start = 0; start < isOpen.length; start++) {
    if (!isOpen[start]) continue;
    const top = Math.floor(start / width);
    let bottom = top;
    isOpen[start] = 0;
    stack.push(start);
    while (stack.length > 0) {
      const cell = stack.pop() as number;
      const y = Math.floor(cell / width);
      const x = cell - y * width;
      if (x < (least[y] as number)) least[y] = x;
      if (x > (most[y] as number)) most[y] = x;
      if (y > bottom) bottom = y;
      for (let v = y > 0 ? y - 1 : 0; v <= y + 1 && v < height; v++)
        for (let next = v * width + (x > 0 ? x - 1 : 0), end = v * width + Math.min(x + 2, width); next < end; next++) {
          if (!isOpen[next]) continue;
          isOpen[next] = 0;
          stack.push(next);
        }
    }
    const points: Point[] = [];
    for (let y = top; y <= bottom; y++)
      points.push([(least[y] as number) + 0.5, y + 0.5], [(most[y] as number) + 0.5, y + 0.5]);
    least.fill(width, top, bottom + 1);
    most.fill(-1, top, bottom + 1);
    yield points;
  }
}

/** Mean of pixels whose middles are in a rectangle. */
function meanInside(
  data: ArrayLike<number>,
  columns: number,
  rows: number,
  { x, y, width, height, angle }: Rect,
): number {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [reachX, reachY] = [
    (Math.abs(width * cos) + Math.abs(height * sin)) / 2,
    (Math.abs(width * sin) + Math.abs(height * cos)) / 2,
  ];
  let [sum, count] = [0, 0];
  for (let v = Math.max(Math.floor(y - reachY), 0); v < Math.min(y + reachY + 1, rows); v++)
    for (let u = Math.max(Math.floor(x - reachX), 0); u < Math.min(x + reachX + 1, columns); u++) {
      const dx = u + 0.5 - x;
      const dy = v + 0.5 - y;
      // What an edge goes through is inside, rounding aside.
      if (Math.abs(dx * cos + dy * sin) > width / 2 + 1e-6 || Math.abs(dy * cos - dx * sin) > height / 2 + 1e-6)
        continue;
      sum += data[v * columns + u] as number;
      count++;
    }
  return count === 0 ? 0 : sum / count;
}

/** From the top; regions whose middles are within half of the lower one's height of each other are one line, from the left. */
function inReadingOrder(regions: readonly TextRegion[]): TextRegion[] {
  const middle = ({ region }: TextRegion) => region.y + region.height / 2;
  const lines: TextRegion[][] = [];
  for (const one of [...regions].sort((a, b) => middle(a) - middle(b))) {
    const first = lines.at(-1)?.[0];
    const isSame = first && middle(one) - middle(first) < Math.min(one.region.height, first.region.height) / 2;
    if (isSame) lines.at(-1)?.push(one);
    else lines.push([one]);
  }
  return lines.flatMap((line) => line.sort((a, b) => a.region.x - b.region.x));
}

/** Of ctcDecode(). */
export interface CtcOptions {
  /** The class that is no character; -1 for the last. Default 0. */
  readonly blank?: number;
  /** Makes scores of logits. Default "none". */
  readonly activation?: ScoreActivation;
}

/** A line as it reads. */
export interface CtcText {
  /** Its characters. */
  readonly text: string;
  /** Mean of the characters' scores; 0 without any. */
  readonly score: number;
}

/**
 * The text of [1, T, C] or [T, 1, C], the best class of each step: repetitions are one character unless a blank is between them.
 * `alphabet`: C - 1 characters, a text or a list, without the blank. PaddleOCR's: the lines of its dictionary and a space.
 *
 * @throws ShapeError for other shapes and an alphabet of another length, RangeError for NaN, TypeError for options of the wrong kind.
 */
export function ctcDecode(scores: Shaped, alphabet: string | readonly string[], options: CtcOptions = {}): CtcText {
  knownOptions("ctcDecode options", options, ["blank", "activation"]);
  const activation = oneOf("activation", options.activation ?? "none", ACTIVATIONS);
  const data = numbersOf("scores", scores);
  const classes = scores.shape.at(-1) ?? 0;
  if (scores.shape.slice(0, -1).filter((size) => size !== 1).length > 1 || classes < 2)
    throw new ShapeError(`"scores" expected [1, steps, classes], got ${show(scores.shape)}`);
  const characters = typeof alphabet === "string" ? [...alphabet] : alphabet;
  if (!Array.isArray(characters)) throw new TypeError(`"alphabet" expected a text or a list, got ${show(alphabet)}`);
  if (characters.length !== classes - 1) {
    const hint = characters.length === classes - 2 ? "; PaddleOCR's models have a space behind their dictionary" : "";
    throw new ShapeError(
      `"alphabet" expected ${classes - 1} characters, one a class but the blank, got ${characters.length}${hint}`,
    );
  }
  const given = integer("blank", options.blank ?? 0, -1, classes - 1);
  const blank = given < 0 ? classes - 1 : given;
  const rows = data.length / classes;
  const columns = rowsOf({ data, rows, columns: classes });
  let [text, total, count, before] = ["", 0, 0, blank];
  for (let row = 0; row < rows; row++) {
    const index = bestClass(columns, row, classes);
    if (index !== before && index !== blank && index >= 0) {
      text += characters[index < blank ? index : index - 1];
      total += scoreOf(columns, row, index, classes, activation);
      count++;
    }
    before = index;
  }
  return { text, score: count === 0 ? 0 : total / count };
}
