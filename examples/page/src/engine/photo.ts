// What is in a photo, and what the same network says of it after each of the usual mistakes.

import { IMAGENET } from "page:labels";
import type { Runtime } from "lanewise";
import { loadOnnx, type OnnxModel } from "lanewise/onnx";
import { createPreprocessor, type Preprocessor, type PreprocessSpec, presets, topK } from "lanewise/vision";
import { runtimeOf, whenRestarted } from "./runtime.js";

/** What can go wrong on the way to the network; "none" is right. */
export const MISTAKES = ["none", "bgr", "bytes", "mean", "layout", "canvas"] as const;
export type Mistake = (typeof MISTAKES)[number];

interface Classifier {
  readonly rt: Runtime;
  readonly model: OnnxModel;
  readonly input: string;
  readonly output: string;
  readonly shape: readonly [number, number, number, number];
  readonly prepared: Map<Mistake, Preprocessor>;
}

let open: Classifier | undefined;
whenRestarted(() => {
  open = undefined;
});

/** Takes a network with one picture in and one row of scores out. */
export async function openClassifier({ file }: { readonly file: ArrayBuffer }) {
  open?.model.dispose();
  open = undefined;
  const rt = await runtimeOf();
  const start = performance.now();
  const model = await loadOnnx(rt, new Uint8Array(file), { maxBytes: Math.min(1 << 29, rt.report().maxBytes) });
  const loadMs = performance.now() - start;
  const [input, second] = model.inputs;
  const [N, C, H, W] = input?.shape ?? [];
  const scores = model.outputs[0]?.shape ?? [];
  if (
    !input ||
    second ||
    C !== 3 ||
    typeof H !== "number" ||
    typeof W !== "number" ||
    scores.at(-1) !== IMAGENET.length
  ) {
    const got = `${JSON.stringify(input?.shape ?? [])} to ${JSON.stringify(scores)}`;
    model.dispose();
    throw new Error(`"classifier" expected a network from [1, 3, H, W] to ImageNet's 1000 scores, got one from ${got}`);
  }
  const shape = [Number(N), C, H, W] as const;
  open = { rt, model, input: input.name, output: model.outputs[0]?.name ?? "", shape, prepared: new Map() };
  return { loadMs, height: H, width: W };
}

/** What each mistake makes of the right way: torchvision's. */
function specOf(mistake: Mistake, side: number): PreprocessSpec {
  const right = { ...presets.imagenet, resize: Math.round((side * 256) / 224) };
  switch (mistake) {
    case "bgr":
      return { ...right, channels: "bgr" };
    case "bytes":
      return { ...right, scale: 1, mean: 0, std: 1 };
    case "mean":
      return { ...right, mean: 0, std: 1 };
    case "canvas":
      return { ...presets.imagenet, fit: "stretch", resize: undefined };
    default:
      return right;
  }
}

/** The picture as a canvas makes it small: the middle, smoothed by as much as the browser likes. */
function byCanvas(picture: ImageBitmap | VideoFrame, side: number): ImageBitmap {
  const [width, height] =
    "displayWidth" in picture ? [picture.displayWidth, picture.displayHeight] : [picture.width, picture.height];
  const cut = (Math.min(width, height) * 224) / 256;
  const canvas = new OffscreenCanvas(side, side);
  canvas.getContext("2d")?.drawImage(picture, (width - cut) / 2, (height - cut) / 2, cut, cut, 0, 0, side, side);
  return canvas.transferToImageBitmap();
}

/** Rows of pixels taken for planes of colours: NHWC where NCHW is expected. */
function mixedUp({ model, input, shape }: Classifier): Float32Array {
  const [, C, H, W] = shape;
  const { memoryFormat } = model.inputs[0] ?? {};
  const lies = model.input(input) as Float32Array;
  const mixed = new Float32Array(C * H * W);
  for (let c = 0; c < C; c++)
    for (let i = 0; i < H * W; i++)
      mixed[i * C + c] = lies[memoryFormat === "channelsLast" ? i * C + c : c * H * W + i] as number;
  return mixed;
}

async function answerTo(given: Classifier, picture: ImageBitmap | VideoFrame, mistake: Mistake) {
  const { rt, model, input, output, shape, prepared } = given;
  let pre = prepared.get(mistake);
  if (pre === undefined) {
    pre = createPreprocessor(rt, { ...specOf(mistake, shape[2]), model });
    prepared.set(mistake, pre);
  }
  const start = performance.now();
  const source = mistake === "canvas" ? byCanvas(picture, shape[2]) : picture;
  await pre.runFrom(source);
  const middle = performance.now();
  const answers = mistake === "layout" ? model.run({ [input]: { data: mixedUp(given), shape } }) : model.run();
  const end = performance.now();
  const best = topK(answers[output] as Parameters<typeof topK>[0], 3, { labels: IMAGENET, activation: "softmax" });
  const found = best.map(({ label, score }) => ({ label: String(label), score }));
  return { mistake, found, prepareMs: middle - start, runMs: end - middle, explained: pre.explain() };
}

/** Answers after each of these mistakes. Takes the picture: it is closed. */
export async function classifyPhoto({ picture, mistakes }: PhotoArguments) {
  if (open === undefined) throw new Error(`"classifier" expected a network that was opened, got none`);
  try {
    const answers = [];
    for (const mistake of mistakes) answers.push(await answerTo(open, picture, mistake));
    return { answers };
  } finally {
    picture.close();
  }
}

interface PhotoArguments {
  readonly picture: ImageBitmap | VideoFrame;
  readonly mistakes: readonly Mistake[];
}
