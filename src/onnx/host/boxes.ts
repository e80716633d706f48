// What detectors do with boxes.
import { ModelError, show } from "../../base/errors.js";
import { int64s, numbers } from "../file/plain-tensor.js";
import { type HostOp, need } from "./context.js";

/** Whether two boxes share more of what they cover together than a part. */
function isOverlap(corners: Float64Array, a: number, b: number, part: number): boolean {
  const of = (at: number) => corners[at] as number;
  const height = Math.min(of(a + 2), of(b + 2)) - Math.max(of(a), of(b));
  const width = Math.min(of(a + 3), of(b + 3)) - Math.max(of(a + 1), of(b + 1));
  const shared = Math.max(0, height) * Math.max(0, width);
  const area = (at: number) => (of(at + 2) - of(at)) * (of(at + 3) - of(at + 1));
  const all = area(a) + area(b) - shared;
  return !(shared <= part * all);
}

/** Places of scores beyond a threshold, the best first, of equal ones the lower: a heap, since few are taken of many. */
class Best {
  readonly #scores: Float32Array;
  readonly #heap: Int32Array;
  size = 0;

  constructor(scores: Float32Array, threshold: number) {
    this.#scores = scores;
    this.#heap = new Int32Array(scores.length);
    for (let i = 0; i < scores.length; i++) if ((scores[i] as number) > threshold) this.#heap[this.size++] = i;
    for (let i = (this.size >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  take(): number {
    const heap = this.#heap;
    const best = heap[0] as number;
    heap[0] = heap[--this.size] as number;
    this.#sink(0);
    return best;
  }

  #sink(start: number): void {
    const [scores, heap, size] = [this.#scores, this.#heap, this.size];
    let at = start;
    const place = heap[at] as number;
    const score = scores[place] as number;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      let other = heap[child] as number;
      if (child + 1 < size) {
        const right = heap[child + 1] as number;
        const [a, b] = [scores[other] as number, scores[right] as number];
        if (b > a || (b === a && right < other)) {
          child++;
          other = right;
        }
      }
      const best = scores[other] as number;
      if (score > best || (score === best && place < other)) break;
      heap[at] = other;
      at = child;
    }
    heap[at] = place;
  }
}

/** Indices [batch, class, box] of boxes that no better one of their class overlaps. */
const nonMaxSuppression: HostOp = (c, boxesInput, scoresInput, mostInput, overlapInput, thresholdInput) => {
  const boxes = need(boxesInput, "boxes");
  const scores = need(scoresInput, "scores");
  const [batches = 0, count = 0] = boxes.shape;
  const classes = scores.shape[1] ?? 0;
  if (
    boxes.shape.length !== 3 ||
    boxes.shape[2] !== 4 ||
    scores.shape.length !== 3 ||
    scores.shape[0] !== batches ||
    scores.shape[2] !== count
  ) {
    throw new ModelError(`"scores" expected [${batches}, classes, ${count}], got ${show([...scores.shape])}`);
  }
  const most = mostInput === undefined ? 0 : Number(mostInput.data[0]);
  const overlap = overlapInput === undefined ? 0 : Number(overlapInput.data[0]);
  const threshold = thresholdInput === undefined ? -Infinity : Number(thresholdInput.data[0]);
  const isCentre = c.int("center_point_box", 0) === 1;
  // Corners: top, left, bottom, right.
  const corners = new Float64Array(4 * count);
  const found: number[] = [];
  const given = numbers(boxes);
  for (let b = 0; b < batches; b++) {
    for (let i = 0; i < 4 * count; i += 4) {
      const at = b * count * 4 + i;
      const [p, q, r, s] = [given[at], given[at + 1], given[at + 2], given[at + 3]] as [number, number, number, number];
      if (isCentre) {
        corners[i] = q - s / 2;
        corners[i + 1] = p - r / 2;
        corners[i + 2] = q + s / 2;
        corners[i + 3] = p + r / 2;
      } else {
        corners[i] = Math.min(p, r);
        corners[i + 1] = Math.min(q, s);
        corners[i + 2] = Math.max(p, r);
        corners[i + 3] = Math.max(q, s);
      }
    }
    for (let k = 0; k < classes; k++) {
      const start = (b * classes + k) * count;
      const own = numbers(scores).subarray(start, start + count);
      const heap = new Best(own, threshold);
      c.budget.spend(heap.size * Math.min(heap.size, most));
      const kept: number[] = [];
      while (heap.size > 0 && kept.length < most) {
        const next = heap.take();
        if (kept.some((other) => isOverlap(corners, 4 * next, 4 * other, overlap))) continue;
        kept.push(next);
        found.push(b, k, next);
      }
    }
  }
  return int64s(found, [found.length / 3, 3]);
};

export const BOXES: Readonly<Record<string, HostOp>> = {
  NonMaxSuppression: nonMaxSuppression,
};
