// Runs a network on pictures, or on arrays.
import path from "node:path";
import type { Tensor } from "../../index.js";
import type { OnnxDescription, OnnxModel } from "../../onnx/index.js";
import type { Preprocessor, PreprocessSpec } from "../../vision/index.js";
import { arraysFor, requireTypes } from "../arrays/feeds.js";
import { npyOf } from "../arrays/npy.js";
import { EXIT, exitOf, FileError, UsageError } from "../errors.js";
import { isFolder, listFolder, makeFolder, readBytes, writeWhole } from "../files.js";
import type { Io } from "../io.js";
import { closedShapes, describeFile, loadFile, type ModelFlags, openRuntime, type Shapes, shapesOf } from "../model.js";
import { inOrder, isFolderName, outputIn, pairOf } from "../paths.js";
import { type DecodedPicture, forget, MAX_PIXELS, readPicture } from "../picture/read.js";
import { pngOf } from "../picture/write.js";
import { drawn, masked } from "../run/drawing.js";
import { type Answer, type HeadContext, headFor } from "../run/heads.js";
import { closedImage, labelsFrom, type PresetFlags, sizeOf, specOf } from "../run/preset.js";
import { answerData, answerLines } from "../run/text.js";
import { uprightPixels, uprightSize, uprightView } from "../run/upright.js";
import { msText } from "../text/table.js";
import { engineText } from "./version.js";

export interface RunFlags extends ModelFlags, PresetFlags {
  readonly image?: readonly string[];
  readonly labels?: string;
  readonly top?: number;
  readonly activation?: HeadContext["activation"];
  readonly decode?: string;
  readonly score?: number;
  readonly iou?: number;
  readonly draw?: string;
  readonly mask?: string;
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly explain?: boolean;
  readonly maxPixels?: number;
  readonly json?: boolean;
}

/** While a run takes longer, Ctrl-C is heard. */
const YIELD_MS = 100;
const PICTURE = /\.(jpe?g|jpe|jfif|png)$/i;
const TOP = 5;
const PICTURE_FLAGS = ["draw", "mask", "preset", "set", "size", "explain", "maxPixels"] as const;

type VisionModule = typeof import("../../vision/index.js");

export async function runFile(io: Io, file: string, flags: RunFlags): Promise<number> {
  const { image, input } = flags;
  if ((image === undefined) === (input === undefined))
    throw new UsageError(`"run" expected --image or --input, got ${image ? "both" : "neither"}`);
  const ofPictures = PICTURE_FLAGS.find((flag) => flags[flag] !== undefined);
  if (image === undefined && ofPictures !== undefined)
    throw new UsageError(`"--${ofPictures === "maxPixels" ? "max-pixels" : ofPictures}" expected --image, got --input`);
  const { bytes, description } = await describeFile(file);
  const rt = await openRuntime(flags);
  try {
    const load = (shapes: Shapes) => loadFile(io, rt, file, bytes, flags, { shapes });
    if (image === undefined) return await runArrays(io, flags, description, load);
    return await runPictures(io, flags, description, load);
  } finally {
    rt.dispose();
  }
}

type Load = (shapes: Shapes) => ReturnType<typeof loadFile>;

async function runArrays(io: Io, flags: RunFlags, description: OnnxDescription, load: Load): Promise<number> {
  const names = description.inputs.map(({ name }) => name);
  const feeds = arraysFor("--input", flags.input ?? [], names);
  const missing = names.filter((name) => !feeds.has(name));
  if (missing.length > 0)
    throw new UsageError(
      `"--input" expected an array for each of ${names.join(", ")}, got none for ${missing.join(", ")}`,
    );
  const { model, rt } = await load(shapesOf(flags.shape, description));
  requireTypes(feeds, model);
  const start = performance.now();
  const found = await model.runAsync(Object.fromEntries(feeds), { yieldEvery: YIELD_MS });
  const ms = performance.now() - start;
  const context = await contextOf(flags, model, found, undefined, description);
  // What arrays mean is the caller's: numbers, unless something asks for more.
  const isAsked = ["labels", "top", "score", "iou", "activation"].some((flag) => flag in flags);
  const answer = headFor(isAsked ? askedOf(flags) : { decode: flags.decode ?? "numbers" }, context).decode(context);
  writeOutputs(io, flags, model, found);
  show(io, flags, answer, model, {}, () => {});
  io.note(`run ${msText(ms)} ms · ${rt.variant}, ${engineText().split(",")[0]}\n`);
  return 0;
}

async function contextOf(
  flags: RunFlags,
  model: OnnxModel,
  found: Readonly<Record<string, Tensor>>,
  view: HeadContext["view"],
  { metadata }: OnnxDescription,
): Promise<HeadContext> {
  const vision: VisionModule = await import("../../vision/index.js");
  return {
    vision,
    outputs: model.outputs.map(({ name }) => found[name] as Tensor),
    view,
    labels: labelsFrom(flags.labels) ?? vision.labelsOf({ metadata }),
    score: flags.score,
    iou: flags.iou,
    top: flags.top ?? TOP,
    activation: flags.activation ?? "auto",
    metadata,
  };
}

/** What is asked of answers beyond their numbers. */
const askedOf = ({ decode, labels, score, iou, activation }: RunFlags) => ({
  decode,
  ...(labels !== undefined && { labels: labelsFrom(labels)?.length ?? 0 }),
  ...(score !== undefined && { score }),
  ...(iou !== undefined && { iou }),
  ...(activation !== undefined && { activation }),
});

/** --output name=y.npy, or a file alone where there is one output. */
function writeOutputs(
  io: Io,
  { output = [] }: RunFlags,
  { outputs }: OnnxModel,
  found: Readonly<Record<string, Tensor>>,
): void {
  for (const text of output) {
    const [name, file] = pairOf(text) ?? [outputs.length === 1 ? outputs[0]?.name : undefined, text];
    const tensor = name === undefined ? undefined : found[name];
    if (tensor === undefined)
      throw new UsageError(
        `"--output" expected NAME=FILE of ${outputs.map(({ name }) => name).join(", ")}, got "${text}"`,
      );
    writeWhole(file, npyOf({ shape: tensor.shape, dtype: tensor.dtype, data: tensor.toArray() }));
    io.note(`${file} written (${tensor.dtype} [${tensor.shape.join(", ")}])\n`);
  }
}

function show(io: Io, flags: RunFlags, answer: Answer, model: OnnxModel, more: object, head: () => void): void {
  if (flags.json) {
    const data = answerData(answer);
    const named =
      answer.kind === "numbers"
        ? { outputs: answer.outputs.map((one, i) => ({ name: model.outputs[i]?.name, ...one })) }
        : data;
    io.out(`${JSON.stringify({ ...more, ...named })}\n`);
    return;
  }
  head();
  io.out(`${answerLines(answer, flags.top ?? TOP, io.columns).join("\n")}\n`);
}

/** Files of --image: folders give their pictures. */
function pictureFiles(given: readonly string[]): string[] {
  return given.flatMap((name) => {
    if (name === "-" || !isFolder(name)) return [name];
    const files = inOrder(listFolder(name).filter((file) => PICTURE.test(file)));
    if (files.length === 0) throw new FileError(`"${name}" expected a folder with JPEG or PNG files, got one without`);
    return files.map((file) => path.join(name, file));
  });
}

/** Where --draw or --mask goes: a file for one picture, a folder for several. */
function targetOf(option: string, out: string | undefined, files: readonly string[]) {
  if (out === undefined) return undefined;
  if (out === "") throw new UsageError(`"${option}" expected a .png or a folder, got ""`);
  const isInto = isFolder(out) || isFolderName(out);
  if (files.length > 1 && !isInto)
    throw new UsageError(`"${option}" expected a folder for ${files.length} pictures (${out}/), got "${out}"`);
  if (!isInto && !/\.png$/i.test(out) && /\.\w+$/.test(out))
    throw new UsageError(`"${option}" expected a .png, got "${out}"`);
  const target = (file: string) => (isInto ? outputIn(out, file, ".png") : out);
  // Nothing that is read is written over, and no picture over another's.
  const sources = new Map(files.map((file) => [path.resolve(file), file]));
  const from = new Map<string, string>();
  for (const file of files) {
    const to = target(file);
    const [source, other] = [sources.get(path.resolve(to)), from.get(path.resolve(to))];
    if (source !== undefined)
      throw new UsageError(`"${option}" expected files other than the pictures, got "${to}" for "${source}"`);
    if (other !== undefined)
      throw new UsageError(`"${option}" expected a name a picture, got "${to}" for "${other}" and "${file}"`);
    from.set(path.resolve(to), file);
  }
  if (isInto) makeFolder(out);
  return target;
}

interface Job {
  readonly io: Io;
  readonly flags: RunFlags;
  readonly description: OnnxDescription;
  readonly model: OnnxModel;
  readonly pre: Preprocessor;
  readonly input: string;
  readonly isMany: boolean;
  readonly draw: ((file: string) => string) | undefined;
  readonly mask: ((file: string) => string) | undefined;
  readonly vision: VisionModule;
  readonly rt: Awaited<ReturnType<typeof openRuntime>>;
}

async function runPictures(io: Io, flags: RunFlags, description: OnnxDescription, load: Load): Promise<number> {
  const spec = await specOf(flags, description);
  labelsFrom(flags.labels); // before anything takes time
  const files = pictureFiles(flags.image ?? []);
  if (files.length > 1 && flags.output?.length)
    throw new UsageError(`"--output" expected one picture, got ${files.length}: each would write over the one before`);
  const [draw, mask] = [targetOf("--draw", flags.draw, files), targetOf("--mask", flags.mask, files)];
  const { model, rt } = await load(imageShapes(flags, spec, description));
  const vision: VisionModule = await import("../../vision/index.js");
  const [input] = model.inputs;
  if (model.inputs.length !== 1 || input === undefined)
    throw new UsageError(
      `"--image" expected a network with one input, got ${model.inputs.length}: ${model.inputs.map(({ name }) => name).join(", ")}`,
    );
  const { size: _, ...rest } = spec;
  const pre = vision.createPreprocessor(rt, { ...rest, model }) as Preprocessor;
  const job: Job = {
    io,
    flags,
    description,
    model,
    pre,
    input: input.name,
    isMany: files.length > 1,
    draw,
    mask,
    vision,
    rt,
  };
  const progress = io.progress("pictures");
  let code = 0;
  for (const [i, file] of files.entries()) {
    if (!job.isMany) {
      await onePicture(job, file);
      break;
    }
    try {
      await onePicture(job, file);
    } catch (error) {
      if (exitOf(error) === EXIT.internal) throw error;
      progress.end();
      io.note(`lanewise: ${(error as Error).message}\n`);
      code = exitOf(error);
    }
    progress.at((i + 1) / files.length);
  }
  progress.end();
  return code;
}

/** Shapes that the network runs with: those given, and the size of pictures where the file leaves it open. */
function imageShapes(flags: RunFlags, spec: PreprocessSpec, description: OnnxDescription): Shapes {
  const given = shapesOf(flags.shape, description);
  const size = sizeOf(flags, spec, description);
  const [input] = description.inputs;
  const closed = input && !Object.hasOwn(given, input.name) ? closedImage(input, size) : undefined;
  const { shapes, still } = closedShapes(description, closed && input ? { ...given, [input.name]: closed } : given);
  if (still.length > 0)
    throw new UsageError(
      `"--size" expected height x width, such as 640, since the file leaves sizes of ${still.map(({ name }) => name).join(", ")} open, got none`,
    );
  if (flags.size && size && input) requireSize(size, shapes[input.name] ?? input.shape);
  return shapes;
}

/** --size against sizes that the file does not leave open, in either memory format. */
function requireSize([height, width]: readonly [number, number], shape: unknown): void {
  if (!Array.isArray(shape) || shape.length !== 4) return; // told by the preprocessor
  const isOf = (at: number) => shape[at] === height && shape[at + 1] === width;
  if (!isOf(1) && !isOf(2))
    throw new UsageError(
      `"--size" expected the size of an input that is [${shape.join(", ")}], got ${height}x${width} (height x width)`,
    );
}

async function onePicture(job: Job, file: string): Promise<void> {
  const { io, flags, description, model, pre, vision, draw, mask } = job;
  const name = file === "-" ? "standard input" : file;
  const times: Record<string, number> = {};
  let last = performance.now();
  const timed = (what: string) => {
    const now = performance.now();
    times[what] = now - last;
    last = now;
  };
  const bytes = file === "-" ? await io.stdin() : readBytes(file, "a picture");
  const photo = await readPicture(bytes, name, flags.maxPixels ?? MAX_PIXELS);
  timed("decode");
  const view = pre.run(
    { data: photo.data, width: photo.width, height: photo.height, channels: 4 },
    { orientation: photo.orientation },
  );
  timed("prepare");
  const found = await model.runAsync(pre.tensor ? { [job.input]: pre.tensor } : undefined, { yieldEvery: YIELD_MS });
  timed("run");
  const context = await contextOf(flags, model, found, uprightView(view, photo.orientation), description);
  const answer = headFor(askedOf(flags), context).decode(context);
  timed("answers");
  const [width, height] = uprightSize(photo, photo.orientation);
  // Files first: who reads an answer may rely on them.
  writeOutputs(io, flags, model, found);
  if (draw) writePicture(io, draw(file), drawn(vision, answer, uprightPixels(photo, photo.orientation)));
  if (mask) writePicture(io, mask(file), masked(job.rt, vision, answer, photo, view, context));
  if (flags.explain) io.note(`${explained(pre.explain(photo), photo)}\n`);
  show(io, flags, answer, model, { image: name, width, height, ms: rounded(times) }, () => {
    if (job.isMany) io.out(`${io.paint("bold", name)}\n`);
  });
  forget(photo);
  const line = Object.entries(times).map(([what, ms]) => `${what} ${msText(ms)}`);
  if (!flags.json) io.note(`${line.join(" · ")} ms · ${job.rt.variant}, ${engineText().split(",")[0]}\n`);
}

const rounded = (times: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(times).map(([what, ms]) => [what, Math.round(ms * 100) / 100]));

/** One step a line. */
function explained(text: string, { orientation }: DecodedPicture): string {
  const turn = orientation === 1 ? [] : [`EXIF orientation ${orientation}: turned upright`];
  return [...turn, ...text.split(" -> ")].map((step, i) => `${i === 0 ? "  " : "  -> "}${step}`).join("\n");
}

function writePicture(io: Io, out: string, picture: Parameters<typeof pngOf>[0]): void {
  writeWhole(out, pngOf(picture));
  io.note(`${out} written (${picture.width}x${picture.height})\n`);
}
