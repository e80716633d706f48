// What detectors do with boxes.
import { ModelError, show } from "../../base/errors.js";
import { int64s, numbers } from "../file/plain-tensor.js";
import { type HostOp, need } from "./context.js";

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
  const box = (b: number, i: number): readonly [number, number, number, number] => {
    const [p, q, r, s] = [0, 1, 2, 3].map((d) => numbers(boxes)[(b * count + i) * 4 + d] as number) as [
      number,
      number,
      number,
      number,
    ];
    if (isCentre) return [q - s / 2, p - r / 2, q + s / 2, p + r / 2];
    return [Math.min(p, r), Math.min(q, s), Math.max(p, r), Math.max(q, s)];
  };
  const areaOf = (a: readonly [number, number, number, number]) => (a[2] - a[0]) * (a[3] - a[1]);
  const found: number[] = [];
  for (let b = 0; b < batches; b++) {
    for (let k = 0; k < classes; k++) {
      const score = (i: number) => numbers(scores)[(b * classes + k) * count + i] as number;
      const order = Array.from({ length: count }, (_, i) => i)
        .filter((i) => score(i) > threshold)
        .sort((i, j) => score(j) - score(i) || i - j);
      c.budget.spend(order.length * Math.min(order.length, most));
      const kept: (readonly [number, number, number, number])[] = [];
      for (const i of order) {
        if (kept.length >= most) break;
        const own = box(b, i);
        const isFree = kept.every((other) => {
          const h = Math.min(own[2], other[2]) - Math.max(own[0], other[0]);
          const w = Math.min(own[3], other[3]) - Math.max(own[1], other[1]);
          const shared = Math.max(0, h) * Math.max(0, w);
          return shared <= overlap * (areaOf(own) + areaOf(other) - shared);
        });
        if (!isFree) continue;
        kept.push(own);
        found.push(b, k, i);
      }
    }
  }
  return int64s(found, [found.length / 3, 3]);
};

export const BOXES: Readonly<Record<string, HostOp>> = {
  NonMaxSuppression: nonMaxSuppression,
};
