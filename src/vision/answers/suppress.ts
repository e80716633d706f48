// Non-maximum suppression: of boxes that show the same thing one stays. On columns of numbers, which decoders fill; objects are
// made of what is kept only.
import { boolean, finite, integer, knownOptions, oneOf } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import type { Box } from "../view.js";
import { requireNumber } from "./numbers.js";

/** Where something is, how sure the model is, and what it is. */
export interface Detection {
  /** In pixels of the photo, or of the model where no view is given; it may reach over the edge. */
  readonly box: Box;
  /** 0 to 1. */
  readonly score: number;
  /** Of the class, as the output counts them. */
  readonly index: number;
  /** Name of the class, where labels are given. */
  readonly label?: string;
  /** Key points, [x, y] or [x, y, score], where the head has some; in the same pixels. */
  readonly points?: readonly (readonly number[])[];
  /** What the head says of its mask: factors of the model's prototypes, where `masks` says how many. */
  readonly coefficients?: Float32Array;
}

/** What nonMaxSuppression() takes: detections, and objects of your own that have a box and a score. */
export interface Suppressible extends Omit<Detection, "index"> {
  /** Of the class. Default 0. */
  readonly index?: number;
}

/** What stays of boxes that overlap. */
export type SuppressionMethod = "greedy" | "weighted" | "soft";

/** How boxes suppress each other. */
export interface SuppressionOptions {
  /** Boxes that overlap by more, as intersection over union, show the same; 1 keeps all. Default 0.45. */
  readonly iou?: number;
  /** Whether only boxes of one class suppress each other. Default true. */
  readonly perClass?: boolean;
  /**
   * "greedy": the best stays. "weighted": the mean of all that it suppresses, weighted by score, has its place (BlazeFace).
   * "soft": scores sink by exp(-iou^2 / sigma) with each better box (Bodla et al. 2017), `iou` plays no part. Default "greedy".
   */
  readonly method?: SuppressionMethod;
  /** Most boxes. Default 300. */
  readonly max?: number;
  /** Of "soft". Default 0.5. */
  readonly sigma?: number;
}

/** Of nonMaxSuppression(). */
export interface NonMaxSuppressionOptions extends SuppressionOptions {
  /** Boxes whose score is not above it go, also those that "soft" lowers so far. Default 0.001. */
  readonly score?: number;
}

export const SUPPRESSION_OPTIONS = ["iou", "perClass", "method", "max", "sigma", "score"] as const;

export type Suppression = Required<NonMaxSuppressionOptions>;

export function checkedSuppression(options: NonMaxSuppressionOptions, least: number): Suppression {
  const { iou = 0.45, perClass = true, method = "greedy", max = 300, sigma = 0.5, score = least } = options;
  if (!(finite("iou", iou) >= 0 && iou <= 1)) throw new RangeError(`"iou" expected 0 to 1, got ${iou}`);
  if (!(finite("sigma", sigma) > 0)) throw new RangeError(`"sigma" expected a number above 0, got ${sigma}`);
  return {
    iou,
    perClass: boolean("perClass", perClass),
    method: oneOf("method", method, ["greedy", "weighted", "soft"]),
    max: integer("max", max, 1),
    sigma,
    score: finite("score", score),
  };
}

/** Candidates as columns: box i is at 4 * i. */
export interface Found {
  readonly boxes: number[];
  readonly scores: number[];
  readonly classes: number[];
  /** Rows of the output that they come from. */
  readonly rows: number[];
}

/** Most candidates that are compared, the best of all: what Ultralytics compares. */
const MAX_CANDIDATES = 30_000;

type Made = Pick<Detection, "box" | "score" | "points">;

/** What stays, best first; `make` makes the object of a candidate. */
export function suppressed<T extends Made>(found: Found, options: Suppression, make: (i: number) => T): T[] {
  const { boxes, classes } = found;
  const { iou, perClass, method, max, sigma, score } = options;
  const scores = found.scores.slice();
  const order = scores
    .map((_, i) => i)
    .filter((i) => (scores[i] as number) > score)
    .sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b)
    .slice(0, MAX_CANDIDATES);
  const sameClass = (a: number, b: number) => !perClass || classes[a] === classes[b];
  if (method === "greedy") return greedy(found, order, perClass, iou, max).map(make);
  const kept: T[] = [];
  let left = order;
  while (left.length > 0 && kept.length < max) {
    if (method === "weighted") {
      const top = left[0] as number;
      const isSame = (i: number) => i === top || (sameClass(top, i) && overlap(boxes, top, i) > iou);
      kept.push(mean(left.filter(isSame).map(make)));
      left = left.filter((i) => !isSame(i));
    } else {
      const top = left.reduce((a, b) => ((scores[b] as number) > (scores[a] as number) ? b : a));
      kept.push({ ...make(top), score: scores[top] as number });
      left = left.filter((i) => {
        if (sameClass(top, i)) scores[i] = (scores[i] as number) * Math.exp(-(overlap(boxes, top, i) ** 2) / sigma);
        return i !== top && (scores[i] as number) > score;
      });
    }
  }
  return kept;
}

/** Those that no better box overlaps: each is held against what is kept, whose numbers lie together. */
function greedy(found: Found, order: readonly number[], perClass: boolean, iou: number, max: number): number[] {
  const { boxes, classes } = found;
  const kept: number[] = [];
  const own = new Float64Array(6 * Math.min(max, order.length)); // corners, area, class
  for (const i of order) {
    const [x0, y0, x1, y1] = boxes.slice(4 * i, 4 * i + 4) as [number, number, number, number];
    const area = (x1 - x0) * (y1 - y0);
    const group = perClass ? (classes[i] as number) : 0;
    let k = 0;
    for (; k < 6 * kept.length; k += 6) {
      if (own[k + 5] !== group) continue;
      const width = Math.min(x1, own[k + 2] as number) - Math.max(x0, own[k] as number);
      const height = Math.min(y1, own[k + 3] as number) - Math.max(y0, own[k + 1] as number);
      if (width <= 0 || height <= 0) continue;
      const both = width * height;
      if (both > iou * (area + (own[k + 4] as number) - both)) break;
    }
    if (k < 6 * kept.length) continue;
    own.set([x0, y0, x1, y1, area, group], k);
    if (kept.push(i) === max) break;
  }
  return kept;
}

/** Intersection over union of two candidates. */
function overlap(boxes: readonly number[], a: number, b: number): number {
  const [p, q] = [4 * a, 4 * b];
  const at = (i: number) => boxes[i] as number;
  const width = Math.min(at(p + 2), at(q + 2)) - Math.max(at(p), at(q));
  const height = Math.min(at(p + 3), at(q + 3)) - Math.max(at(p + 1), at(q + 1));
  if (width <= 0 || height <= 0) return 0;
  const area = (i: number) => (at(i + 2) - at(i)) * (at(i + 3) - at(i + 1));
  return (width * height) / (area(p) + area(q) - width * height);
}

/** The first of a group at the mean place of all, weighted by score. */
function mean<T extends Made>(group: readonly T[]): T {
  const top = group[0] as T;
  const total = group.reduce((sum, { score }) => sum + score, 0);
  const of = (get: (one: T) => number) => group.reduce((sum, one) => sum + get(one) * one.score, 0) / total;
  const box = top.box.map((_, k) => of((one) => one.box[k] as number)) as unknown as Box;
  const points = top.points?.map((point, p) => point.map((_, k) => of((one) => one.points?.[p]?.[k] as number)));
  return { ...top, box, ...(points && { points }) };
}

/**
 * What stays of detections of one picture, best first. Objects are answered as they are, but for the places and scores that a
 * method changes. Two boxes overlap by the area that they share, divided by the area that they cover together.
 *
 * @throws TypeError for what is no list of detections, RangeError for NaN and options out of range.
 */
export function nonMaxSuppression<T extends Suppressible>(
  detections: readonly T[],
  options: NonMaxSuppressionOptions = {},
): T[] {
  knownOptions("nonMaxSuppression options", options, SUPPRESSION_OPTIONS);
  const checked = checkedSuppression(options, 0.001);
  if (!Array.isArray(detections)) throw new TypeError(`"detections" expected a list, got ${show(detections)}`);
  const found: Found = { boxes: [], scores: [], classes: [], rows: [] };
  for (const [i, { box, score, index = 0 }] of (detections as readonly T[]).entries()) {
    if (box?.length !== 4) throw new ShapeError(`"box" expected [x0, y0, x1, y1], got ${show(box)}`);
    addTo(found, box, score, index, i);
  }
  return suppressed(found, checked, (i) => detections[i] as T);
}

/** Adds a candidate. Throws RangeError for NaN and infinite corners. */
export function addTo(found: Found, box: Box, score: number, index: number, row: number): void {
  const [x0, y0, x1, y1] = box;
  requireNumber("scores", score, row);
  if (!Number.isFinite(x0 + y0 + x1 + y1))
    throw new RangeError(`"boxes" expected finite numbers, got ${show(box)} at ${row}`);
  found.boxes.push(x0, y0, x1, y1);
  found.scores.push(score);
  found.classes.push(index);
  found.rows.push(row);
}
