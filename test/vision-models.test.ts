// Decoders on what real networks answered: outputs that onnxruntime computed for photos, held to boxes that the models' own Python
// made of them, or to the decoders of answers-reference.ts. Skipped where the data is not there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type AnswerView,
  type Detection,
  decodeBoxes,
  decodeDistances,
  decodeGrid,
  decodePoints,
  decodeSsd,
  heatmapKeypoints,
  labelMap,
  type Shaped,
  ssdAnchors,
} from "../src/vision/answers/index.js";
import type { Ref } from "./answers-reference.js";
import * as reference from "./answers-reference.js";

const REFS = new URL("../../shared/data/refs/", import.meta.url);

/** A .npy file of float32. */
function npy(path: URL): Shaped & { data: Float32Array } {
  const bytes = readFileSync(path);
  const length = bytes.readUInt16LE(8);
  const shape = /'shape': \(([^)]*)\)/.exec(bytes.toString("latin1", 10, 10 + length))?.[1] as string;
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset + 10 + length, bytes.byteOffset + bytes.length));
  return {
    data,
    shape: shape
      .split(",")
      .filter((size) => size.trim())
      .map(Number),
  };
}

function outputs(model: string, photo: string): (Shaped & { data: Float32Array })[] {
  const folder = new URL(`${model}/${photo}/`, REFS);
  const count = readdirSync(folder).filter((name) => name.startsWith("output_")).length;
  return Array.from({ length: count }, (_, i) => npy(new URL(`output_${i}.npy`, folder)));
}

/** Where a photo was stretched, or laid in the top left corner: x and y apart. */
const scaled = (x: number, y: number): AnswerView => ({
  toImage: ([a, b]) => [a * x, b * y],
  boxToImage: ([a, b, c, d]) => [a * x, b * y, c * x, d * y],
});

function expectBoxes(found: readonly Detection[], expected: readonly Ref[]): void {
  expect(found.length).toBe(expected.length);
  expect(found.length).toBeGreaterThan(0);
  for (const [i, one] of found.entries()) {
    const want = expected[i] as Ref;
    expect(one.index).toBe(want.index);
    const numbers = (d: Detection | Ref) => [...d.box, d.score, ...(d.points ?? []).flat()];
    for (const [k, value] of numbers(one).entries()) expect(value).toBeCloseTo(numbers(want)[k] as number, 6);
  }
}

describe.skipIf(!existsSync(REFS))("on outputs of real networks", () => {
  it("PicoDet: dog, couch and cat in the cat-and-dog photo", () => {
    const all = outputs("picodet_s_320", "catdog");
    const heads = [0, 1, 2, 3].map((i) => ({ scores: all[i] as Shaped, boxes: all[4 + i] as Shaped }));
    const found = decodeDistances(heads, { score: 0.4, iou: 0.5, size: 320, view: scaled(640 / 320, 480 / 320) });
    // Of COCO's 80 classes.
    const expected = [
      { index: 16, box: [0, 126, 534, 420] },
      { index: 57, box: [0, 1, 639, 478] },
      { index: 15, box: [373, 33, 583, 392] },
    ];
    expect(found.map(({ index }) => index)).toEqual(expected.map(({ index }) => index));
    for (const [i, { box, score, index }] of found.entries()) {
      expect(reference.iou(box, expected[i]?.box as number[])).toBeGreaterThan(0.97);
      const column = heads
        .flatMap(({ scores }) => reference.rows(scores.data as Float32Array, 80))
        .map((row) => row[index]);
      expect(score).toBe(Math.max(...(column as number[])));
    }
  });

  it("FastestDet: all that its own Python finds", () => {
    const [output] = outputs("FastestDet-coco", "catdog") as [Shaped & { data: Float32Array }];
    const expected = reference.nms(reference.fastestdet(output.data, 85, 22, 22, 16, 0.4), 0.45);
    expectBoxes(decodeGrid(output, { score: 0.4 }), expected);
  });

  it("UltraFace: 2 faces and 4, both networks", () => {
    for (const model of ["ultraface-RFB-320", "ultraface-slim-320"])
      for (const [photo, faces] of [
        ["photo2", 4],
        ["photo13", 2],
      ] as const) {
        const [scores, boxes] = outputs(model, photo) as [Shaped, Shaped];
        const found = decodeBoxes(boxes, scores, { size: [240, 320], background: 0, score: 0.7, iou: 0.3 });
        expect([found.length, model, photo]).toEqual([faces, model, photo]);
        const made = reference.rows(boxes.data as Float32Array, 4).flatMap((box, i): Ref[] => {
          const score = (scores.data as Float32Array)[2 * i + 1] as number;
          return score > 0.7 ? [{ box: box.map((v, k) => v * (k % 2 ? 240 : 320)), score, index: 1 }] : [];
        });
        expectBoxes(found, reference.nms(made, 0.3));
      }
  });

  it("YuNet: 2 faces with 5 points inside", () => {
    const all = outputs("yunet_n_320", "photo13");
    const head = (i: number) => ({ scores: all[i], objectness: all[3 + i], boxes: all[6 + i], points: all[9 + i] });
    const heads = [0, 1, 2].map(
      (i) => head(i) as { scores: Shaped; boxes: Shaped; objectness: Shaped; points: Shaped },
    );
    const found = decodeDistances(heads, { boxes: "exp", offset: 0, score: 0.6, iou: 0.3, size: 320 });
    const expected = [8, 16, 32].flatMap((stride, i) => {
      const [cls, obj, box, points] = [0, 3, 6, 9].map((k) => (all[k + i] as Shaped).data as Float32Array) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      return reference
        .rows(box, 4)
        .map((one, cell) =>
          reference.yunet(
            cls[cell] as number,
            obj[cell] as number,
            one,
            reference.rows(points, 10)[cell] as number[],
            cell,
            320 / stride,
            stride,
          ),
        )
        .filter(({ score }) => score > 0.6);
    });
    expectBoxes(found, reference.nms(expected, 0.3));
    expect(found.length).toBe(2);
    for (const { box, points = [] } of found) {
      expect(points.length).toBe(5);
      for (const [x = 0, y = 0] of points) {
        expect(x > box[0] && x < box[2] && y > box[1] && y < box[3]).toBe(true);
      }
    }
  });

  it("BlazeFace: faces with 6 points, where the reference has them", () => {
    const all = outputs("blazeface-front-128", "photo13");
    const sizes = [
      [128, 128],
      [128, 128, 128, 128, 128, 128],
    ];
    const anchors = ssdAnchors({ size: 128, strides: [8, 16], sizes });
    const found = decodeSsd(all.slice(0, 2), all.slice(2), {
      anchors,
      size: 128,
      variances: [1 / 128, 1 / 128],
      sizes: "linear",
      points: 6,
      activation: "sigmoid",
      score: 0.5,
      iou: 0.3,
      method: "weighted",
    });
    const scores = [...(all[0] as { data: Float32Array }).data, ...(all[1] as { data: Float32Array }).data];
    const raw = [2, 3].flatMap((i) => reference.rows((all[i] as { data: Float32Array }).data, 16));
    const expected = raw.flatMap((row, i): Ref[] => {
      const score = reference.sigmoid(scores[i] as number);
      if (!(score > 0.5)) return [];
      const { box, points } = reference.blazeface(row, reference.rows(anchors, 4)[i] as number[], 128, 6);
      return [
        {
          box: box.map((v) => v * 128),
          score,
          index: 0,
          points: (points as number[][]).map((p) => p.map((v) => v * 128)),
        },
      ];
    });
    expectBoxes(found, reference.weightedNms(expected, 0.3));
    for (const { box, points = [] } of found)
      for (const [x = 0, y = 0] of points.slice(0, 4))
        expect(x > box[0] && x < box[2] && y > box[1] - 5 && y < box[3]).toBe(true);
  });

  it("BodyPix: the best of each of 17 points, and people in the map", () => {
    const all = outputs("bodypix-mbv1-050-s16", "photo2");
    const [heatmaps, segments, offsets] = [all[2], all[6], all[7]] as [Shaped, Shaped, Shaped];
    const found = heatmapKeypoints(heatmaps, offsets, { stride: 16, axis: -1, activation: "sigmoid" });
    expect(found.length).toBe(17);
    const rows = reference.rows(heatmaps.data as Float32Array, 17);
    const moves = reference.rows(offsets.data as Float32Array, 34);
    for (const { point, index, score } of found) {
      const column = rows.map((row) => row[index] as number);
      const cell = column.indexOf(Math.max(...column));
      expect(point[0]).toBeCloseTo((cell % 20) * 16 + (moves[cell]?.[17 + index] as number), 9);
      expect(point[1]).toBeCloseTo(Math.floor(cell / 20) * 16 + (moves[cell]?.[index] as number), 9);
      expect(score).toBeCloseTo(reference.sigmoid(column[cell] as number), 9);
    }
    const { data, width, height } = labelMap(segments, { axis: -1, threshold: 0 });
    expect([width, height]).toEqual([20, 15]);
    const share = [...data].reduce((sum, one) => sum + one, 0) / data.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.9);
  });

  it("FaceMesh: 468 points around the face's middle", () => {
    const [mesh] = outputs("mediapipe-facemesh", "baby") as [Shaped & { data: Float32Array }];
    const points = decodePoints(mesh, { values: 3, view: scaled(2, 2) });
    expect(points.length).toBe(468);
    for (const [i, [x, y, z]] of points.entries())
      expect([x, y, z]).toEqual([
        2 * (mesh.data[3 * i] as number),
        2 * (mesh.data[3 * i + 1] as number),
        mesh.data[3 * i + 2],
      ]);
    const [nose, forehead, chin] = [1, 10, 152].map((i) => points[i] as number[]) as [number[], number[], number[]];
    expect(forehead[1]).toBeLessThan(nose[1] as number);
    expect(chin[1]).toBeGreaterThan(nose[1] as number);
  });
});
