// How pictures become numbers: a preset, a preprocessor_config.json, or what an exporter left in the file. Never a guess.
import type { OnnxDescription, OnnxValue } from "../../onnx/index.js";
import type { PreprocessSpec } from "../../vision/index.js";
import { UsageError } from "../errors.js";
import { readJson, readText } from "../files.js";
import { LABEL_SETS } from "../labels/names.js";
import { pairOf } from "../paths.js";

/** Sides that Ultralytics leaves: [640, 640], or 640. */
function sidesOf({ imgsz }: Readonly<Record<string, string>>): readonly number[] | undefined {
  const sides = /^\[?\s*(\d+)(?:,\s*(\d+))?\s*\]?$/.exec(imgsz ?? "");
  return sides ? [Number(sides[1]), Number(sides[2] ?? sides[1])] : undefined;
}

const isUltralytics = (metadata: Readonly<Record<string, string>>) => "task" in metadata && "names" in metadata;

export interface PresetFlags {
  readonly preset?: string;
  readonly set?: readonly string[];
  readonly size?: readonly number[];
}

/** The spec that flags and metadata say. Throws UsageError with the list where neither does. */
export async function specOf(
  { preset, set = [] }: PresetFlags,
  { metadata }: OnnxDescription,
): Promise<PreprocessSpec> {
  const { fromPreprocessorConfig, presets } = await import("../../vision/index.js");
  const known = Object.keys(presets).join(", ");
  let spec: PreprocessSpec;
  if (preset === undefined) {
    if (!isUltralytics(metadata))
      throw new UsageError(
        `"--preset" expected one of ${known}, or a preprocessor_config.json, got none: how a picture becomes numbers is the network's, and its file does not say`,
      );
    spec = metadata.task === "classify" ? { ...presets.unit, fit: "crop" } : presets.yolo;
  } else if (/\.json$/i.test(preset))
    spec = fromPreprocessorConfig(readJson(preset, "a preprocessor_config.json") as Record<string, unknown>);
  else if (Object.hasOwn(presets, preset)) spec = presets[preset as keyof typeof presets];
  else throw new UsageError(`"--preset" expected one of ${known}, or a preprocessor_config.json, got "${preset}"`);
  const changed: Record<string, unknown> = { ...spec, ...changesOf(set) };
  for (const [key, value] of Object.entries(changed)) if (value === null) delete changed[key];
  return changed as unknown as PreprocessSpec;
}

/** key=value, values as JSON where they are; null takes a key away. */
function changesOf(set: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    set.map((text) => {
      const [key, value] = pairOf(text) ?? [];
      if (key === undefined || value === undefined) throw new UsageError(`"--set" expected KEY=VALUE, got "${text}"`);
      try {
        return [key, JSON.parse(value)];
      } catch {
        return [key, value];
      }
    }),
  );
}

/** [height, width] of the flags, the spec, or the file's metadata. */
export function sizeOf(
  { size }: PresetFlags,
  spec: PreprocessSpec,
  { metadata }: OnnxDescription,
): readonly [number, number] | undefined {
  const sides = size ?? (typeof spec.size === "number" ? [spec.size] : spec.size) ?? sidesOf(metadata);
  if (sides === undefined) return undefined;
  const [height = 0, width = height, ...more] = sides;
  if (more.length > 0) throw new UsageError(`"--size" expected 640 or 384x640, height x width, got ${sides.join("x")}`);
  return [height, width];
}

/** Shapes that close an image input: sizes as given, one picture, three colours. Undefined where it is closed, or cannot be. */
export function closedImage(
  { shape }: OnnxValue,
  size: readonly [number, number] | undefined,
): readonly number[] | undefined {
  if (shape === null || shape.length !== 4 || shape.every((one) => typeof one === "number" && one > 0))
    return undefined;
  if (size === undefined) return undefined;
  const isLast = [1, 3, 4].includes(shape[3] as number) && typeof shape[1] !== "number";
  const wanted = isLast ? [1, size[0], size[1], shape[3] as number] : [1, 3, size[0], size[1]];
  return shape.map((one, i) => (typeof one === "number" && one > 0 ? one : (wanted[i] as number)));
}

/** Names of classes: a set of ours, or lines of a file. */
export function labelsFrom(flag: string | undefined): readonly string[] | undefined {
  if (flag === undefined) return undefined;
  if (Object.hasOwn(LABEL_SETS, flag)) return LABEL_SETS[flag];
  const lines = readText(flag, `imagenet, coco, or a file of names`)
    .replace(/^\ufeff/, "")
    .split(/\r?\n/);
  while (lines.at(-1) === "") lines.pop();
  if (lines.length === 0) throw new UsageError(`"--labels" expected names, one a line, got an empty file "${flag}"`);
  return lines;
}
