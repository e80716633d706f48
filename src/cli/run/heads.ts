// What --decode knows: heads of networks, by what their outputs are, and which outputs are which.
import type { Tensor } from "../../index.js";
import type * as Vision from "../../vision/index.js";
import { UsageError } from "../errors.js";

type VisionModule = typeof Vision;

/** What a head has to work with. Outputs come in the order of the model's. */
export interface HeadContext {
  readonly vision: VisionModule;
  readonly outputs: readonly Tensor[];
  /** The way to the picture as it is looked at; undefined of arrays. */
  readonly view: Vision.AnswerView | undefined;
  readonly labels: readonly string[] | undefined;
  readonly score: number | undefined;
  readonly iou: number | undefined;
  readonly top: number;
  readonly activation: "auto" | "softmax" | "sigmoid" | "none";
  readonly metadata: Readonly<Record<string, string>>;
}

export type Answer =
  | { readonly kind: "classes"; readonly classes: readonly Vision.ClassScore[] }
  | { readonly kind: "boxes"; readonly boxes: readonly Vision.Detection[] }
  | { readonly kind: "points"; readonly points: readonly (readonly number[])[]; readonly names?: readonly string[] }
  | { readonly kind: "lines"; readonly lines: readonly Vision.TextRegion[] }
  | { readonly kind: "map"; readonly map: Vision.LabelMap; readonly shares: readonly ClassShare[] }
  | { readonly kind: "numbers"; readonly outputs: readonly OutputNumbers[] };

export interface ClassShare {
  readonly index: number;
  readonly share: number;
  readonly label?: string;
}

/** What there is to say of an output that nobody decodes. */
export interface OutputNumbers {
  readonly shape: readonly number[];
  readonly least: number;
  readonly most: number;
  readonly mean: number;
  readonly first: readonly number[];
}

export interface Head {
  readonly says: string;
  readonly decode: (context: HeadContext) => Answer;
}

/** Options that all decoders of boxes take, those that were given. least, overlap: what the head has where nothing is said. */
function common({ view, labels, score, iou }: HeadContext, least?: number, overlap?: number) {
  const [s, o] = [score ?? least, iou ?? overlap];
  return {
    ...(view && { view }),
    ...(labels && { labels }),
    ...(s !== undefined && { score: s }),
    ...(o !== undefined && { iou: o }),
  };
}

const lastOf = ({ shape }: Tensor) => shape.at(-1) ?? 0;
const cellsOf = ({ shape }: Tensor) => shape.at(-2) ?? 0;

function only({ outputs }: HeadContext): Tensor {
  const [first] = outputs;
  if (first === undefined) throw new UsageError(`"--decode" expected an output, got a network without any`);
  return first;
}

/** Outputs by their rows, largest first: one group a stride. */
function byStride(outputs: readonly Tensor[]): Tensor[][] {
  const groups = new Map<number, Tensor[]>();
  for (const output of outputs) {
    const group = groups.get(cellsOf(output)) ?? [];
    groups.set(cellsOf(output), group);
    group.push(output);
  }
  return [...groups].sort((a, b) => b[0] - a[0]).map(([, group]) => group);
}

const shapesText = (outputs: readonly Tensor[]) => outputs.map(({ shape }) => `[${shape.join(", ")}]`).join(", ");

const unfit = (head: string, expected: string, outputs: readonly Tensor[]) =>
  new UsageError(`"--decode ${head}" expected ${expected}, got outputs ${shapesText(outputs)}`);

const yolo =
  (version: 5 | 8 | "x") =>
  (context: HeadContext): Answer => {
    const { metadata, vision } = context;
    const isSegmenting = version === 8 && metadata.task === "segment";
    const [, count, values] = /^\[(\d+), (\d+)\]$/.exec(metadata.kpt_shape ?? "") ?? [];
    const options = {
      version,
      ...common(context, 0.25, version === 8 ? 0.7 : 0.45),
      ...(isSegmenting && { masks: 32 }),
      ...(count && { points: [Number(count), Number(values)] as const }),
    };
    return { kind: "boxes", boxes: vision.decodeYolo(only(context), options) };
  };

/** Scores and boxes of each stride: scores come first in the file, unless labels say which they are. */
function gfl(context: HeadContext): Answer {
  const { outputs, labels, vision } = context;
  const heads = byStride(outputs).map((group) => {
    const [a, b] = group as [Tensor, Tensor];
    if (group.length !== 2) throw unfit("gfl", "scores and distances of each stride", outputs);
    const isTurned = labels !== undefined && lastOf(a) !== labels.length && lastOf(b) === labels.length;
    return isTurned ? { scores: b, boxes: a } : { scores: a, boxes: b };
  });
  return { kind: "boxes", boxes: vision.decodeDistances(heads, common(context, 0.4, 0.5)) };
}

/** Objectness and classes are both of one column: classes come first in the file. */
function yunet(context: HeadContext): Answer {
  const { outputs, vision } = context;
  const heads = byStride(outputs).map((group) => {
    const [scores, objectness] = group.filter((output) => lastOf(output) === 1);
    const [boxes, points] = [4, 10].map((columns) => group.find((output) => lastOf(output) === columns));
    if (!scores || !objectness || !boxes || !points)
      throw unfit("yunet", "cls, obj, bbox and kps of each stride", outputs);
    return { scores, objectness, boxes, points };
  });
  return {
    kind: "boxes",
    boxes: vision.decodeDistances(heads, { boxes: "exp", offset: 0, ...common(context, 0.6, 0.3) }),
  };
}

function scrfd(context: HeadContext): Answer {
  const { outputs, vision } = context;
  const heads = byStride(outputs).map((group) => {
    const [scores, boxes, points] = [1, 4, 10].map((columns) => group.find((output) => lastOf(output) === columns));
    if (!scores || !boxes) throw unfit("scrfd", "scores and distances of each stride", outputs);
    return { scores, boxes, ...(points && { points }) };
  });
  return { kind: "boxes", boxes: vision.decodeDistances(heads, { offset: 0, ...common(context, 0.5, 0.4) }) };
}

/** Boxes are of four columns, or of the last output where both are. */
function ready(context: HeadContext, own: Vision.BoxesOptions): Answer {
  const { outputs, vision } = context;
  const boxes = outputs.findLast((output) => lastOf(output) === 4);
  const scores = outputs.find((output) => output !== boxes && output.shape.length === 3);
  if (!boxes || !scores) throw unfit("boxes", "[1, N, 4] and [1, N, classes]", outputs);
  return { kind: "boxes", boxes: vision.decodeBoxes(boxes, scores, { ...own, ...common(context) }) };
}

function shares(context: HeadContext): Answer {
  const { modelHeight = 1, modelWidth = 1 } = context.view ?? {};
  return ready(
    { ...context, score: context.score ?? 0.7, iou: context.iou ?? 0.3 },
    { size: [modelHeight, modelWidth], background: 0 },
  );
}

function blazeface(context: HeadContext): Answer {
  const { outputs, vision, view } = context;
  const side = view?.modelWidth ?? 128;
  const anchors = vision.ssdAnchors({ size: side, strides: [8, 16], sizes: [[side, side], Array(6).fill(side)] });
  const [scores, boxes] = [1, 16].map((columns) => outputs.filter((output) => lastOf(output) === columns));
  if (!scores?.length || !boxes?.length) throw unfit("blazeface", "scores [1, N, 1] and boxes [1, N, 16]", outputs);
  const own = {
    anchors,
    variances: [1 / side, 1 / side],
    sizes: "linear",
    points: 6,
    activation: "sigmoid",
    method: "weighted",
  } as const;
  return { kind: "boxes", boxes: vision.decodeSsd(scores, boxes, { ...own, ...common(context, 0.5, 0.3) }) };
}

/** Whether scores are what a softmax answers. */
function isDistribution(scores: ArrayLike<number>): boolean {
  let sum = 0;
  for (let i = 0; i < scores.length; i++) {
    const value = scores[i] as number;
    if (!(value >= 0 && value <= 1)) return false;
    sum += value;
  }
  return Math.abs(sum - 1) < 1e-3;
}

function classes(context: HeadContext): Answer {
  const { vision, labels, top, score, activation } = context;
  const output = only(context);
  const data = output.toArray();
  const own = activation === "auto" ? (isDistribution(data) ? "none" : "softmax") : activation;
  const found = vision.topK(data, top, {
    activation: own,
    ...(labels && { labels }),
    ...(score !== undefined && { threshold: score }),
  });
  return { kind: "classes", classes: found };
}

/** The axis of channels: pictures have far more rows and columns. */
const axisOf = ({ shape }: Tensor): 1 | -1 => ((shape[1] ?? 0) > (shape.at(-1) ?? 0) ? -1 : 1);

function map(context: HeadContext): Answer {
  const { vision, labels, score } = context;
  const output = only(context);
  const found = vision.labelMap(output, {
    axis: axisOf(output),
    ...(labels && { labels }),
    ...(score !== undefined && { threshold: score }),
  });
  const counts = new Map<number, number>();
  for (const index of found.data) counts.set(index, (counts.get(index) ?? 0) + 1);
  const shares = [...counts]
    .map(([index, count]) => ({
      index,
      share: count / found.data.length,
      ...(labels && { label: labels[index] as string }),
    }))
    .sort((a, b) => b.share - a.share);
  return { kind: "map", map: found, shares };
}

function heatmaps(context: HeadContext): Answer {
  const { vision, view, labels } = context;
  const output = only(context);
  const axis = axisOf(output);
  const columns = (axis < 0 ? output.shape[2] : output.shape[3]) ?? 1;
  const stride = view?.modelWidth ? view.modelWidth / columns : 4;
  const found = vision.heatmapKeypoints(output, undefined, {
    stride,
    axis,
    ...(view && { view }),
    ...(labels && { labels }),
  });
  return {
    kind: "points",
    points: found.map(({ point, score }) => [...point, score]),
    ...(labels && { names: labels }),
  };
}

const points =
  (values: number) =>
  (context: HeadContext): Answer => {
    const { vision, view } = context;
    const [output] = [...context.outputs].sort((a, b) => b.size - a.size);
    if (output === undefined) throw unfit("points", "an output", context.outputs);
    return { kind: "points", points: vision.decodePoints(output, { values, ...(view && { view }) }) };
  };

function numbers({ outputs }: HeadContext): Answer {
  return {
    kind: "numbers",
    outputs: outputs.map((output) => {
      const data = output.toArray() as ArrayLike<number>;
      let [least, most, sum] = [Infinity, -Infinity, 0];
      for (let i = 0; i < data.length; i++) {
        const value = Number(data[i]);
        least = Math.min(least, value);
        most = Math.max(most, value);
        sum += value;
      }
      return {
        shape: output.shape,
        least,
        most,
        mean: sum / data.length,
        first: Array.from(data).slice(0, 6).map(Number),
      };
    }),
  };
}

/** By name. */
export const HEADS: Readonly<Record<string, Head>> = {
  classes: { says: "[1, C]: the best classes (--top, --activation)", decode: classes },
  yolo5: { says: "[1, N, 5 + C] with objectness: YOLOv5, v6, v7", decode: yolo(5) },
  yolo8: { says: "[1, 4 + C, N]: YOLOv8, v9, 11, 12", decode: yolo(8) },
  yolox: { says: "[1, N, 5 + C] relative to cells: YOLOX", decode: yolo("x") },
  rows: {
    says: "[1, N, 6 or 7], suppressed already: YOLOv10, YOLO26, SSD exports",
    decode: (context) => ({ kind: "boxes", boxes: context.vision.decodeRows(only(context), common(context)) }),
  },
  boxes: { says: "[1, N, 4] in pixels and [1, N, C]", decode: (context) => ready(context, {}) },
  shares: { says: "[1, N, 4] as shares of the input and [1, N, C], class 0 the background: UltraFace", decode: shares },
  gfl: { says: "scores and 4 x bins a stride: PicoDet", decode: gfl },
  nanodet: {
    says: "[1, N, C + 32], all strides in one: NanoDet",
    decode: (context) => ({
      kind: "boxes",
      boxes: context.vision.decodeDistances(only(context), { bins: 8, offset: 0, ...common(context, 0.4, 0.6) }),
    }),
  },
  scrfd: { says: "scores, distances and points a stride: SCRFD", decode: scrfd },
  yunet: { says: "cls, obj, bbox and kps a stride: YuNet", decode: yunet },
  blazeface: { says: "offsets from anchors: BlazeFace, front", decode: blazeface },
  grid: {
    says: "[1, 5 + C, H, W]: FastestDet",
    decode: (context) => ({ kind: "boxes", boxes: context.vision.decodeGrid(only(context), common(context)) }),
  },
  map: { says: "[1, C, H, W]: a class a pixel, shares of them (--mask)", decode: map },
  heatmaps: { says: "[1, K, H, W]: a point of each, HRNet", decode: heatmaps },
  points2: { says: "x, y as they are: landmarks", decode: points(2) },
  points3: { says: "x, y, z as they are: face and hand meshes", decode: points(3) },
  text: {
    says: "[1, 1, H, W]: lines of text, PP-OCR's detector",
    decode: (context) => ({
      kind: "lines",
      lines: context.vision.textRegions(only(context), {
        ...(context.view && { view: context.view }),
        ...(context.score !== undefined && { score: context.score }),
      }),
    }),
  },
  numbers: { says: "shape, least, most and mean of each output", decode: numbers },
};

/** By what Ultralytics calls a task. */
const TASKS: Readonly<Record<string, string>> = {
  detect: "yolo8",
  segment: "yolo8",
  pose: "yolo8",
  classify: "classes",
};

/** What flags ask for beside a head, which plain numbers have none of. */
export interface Asked {
  readonly decode: string | undefined;
  /** How many names --labels has. */
  readonly labels?: number;
  readonly score?: number;
  readonly iou?: number;
  readonly activation?: string;
}

const isRow = ({ shape }: Pick<Tensor, "shape">) => shape.filter((size) => size > 1).length === 1;

/**
 * The head that is asked for; else the one of the task that an exporter wrote into the file, or classes where the only output is one
 * row, or the only one of as many scores as there are names, or numbers: which names and scores are not asked of.
 */
export function headFor(asked: Asked, context: Pick<HeadContext, "outputs" | "metadata">): Head {
  const { outputs, metadata } = context;
  const { decode } = asked;
  if (decode !== undefined) {
    const head = Object.hasOwn(HEADS, decode) ? HEADS[decode] : undefined;
    if (head === undefined)
      throw new UsageError(`"--decode" expected one of ${Object.keys(HEADS).join(", ")}, got "${decode}"`);
    return decode === "numbers" ? plain(asked, outputs) : head;
  }
  const [first] = outputs;
  const task = Object.hasOwn(metadata, "task") ? TASKS[metadata.task as string] : undefined;
  // What suppresses itself has few, short rows.
  const isShort =
    task === "yolo8" &&
    first !== undefined &&
    first.shape.length === 3 &&
    (first.shape[2] as number) < (first.shape[1] as number);
  if (isShort) return HEADS.rows as Head;
  if (task !== undefined) return HEADS[task] as Head;
  if (outputs.length === 1 && first !== undefined && isRow(first)) return HEADS.classes as Head;
  const named = outputs.filter((output) => isRow(output) && output.size === asked.labels);
  if (named.length === 1)
    return { ...(HEADS.classes as Head), decode: (context) => classes({ ...context, outputs: named }) };
  return plain(asked, outputs);
}

/** Numbers, unless something is asked that they do not have. */
function plain({ decode, ...flags }: Asked, outputs: readonly Tensor[]): Head {
  const [flag] = Object.entries(flags).find(([, value]) => value !== undefined) ?? [];
  if (flag === undefined) return HEADS.numbers as Head;
  const cure = decode === undefined ? "--decode says what they are (lanewise presets)" : "another --decode has them";
  throw new UsageError(
    `"--${flag}" expected answers with names and scores, got plain numbers, ${shapesText(outputs)}: ${cure}`,
  );
}
