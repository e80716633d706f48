// Hugging Face's preprocessor_config.json as a spec. What would be ignored is refused: a wrong pixel is no error elsewhere.
import { finite, integer } from "../base/check.js";
import { show, UnsupportedError } from "../base/errors.js";
import type { Filter } from "./resample/taps.js";
import type { PreprocessSpec } from "./spec.js";

/** PIL.Image.Resampling. */
const RESAMPLE: readonly Filter[] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

/** Keys that say nothing of pixels, or what is done here anyway. */
const SAYS_NOTHING = [
  "image_processor_type",
  "feature_extractor_type",
  "processor_class",
  "_valid_processor_keys",
  "do_convert_rgb",
];
const READ = [
  "do_resize",
  "size",
  "resample",
  "do_center_crop",
  "crop_size",
  "crop_pct",
  "do_rescale",
  "rescale_factor",
  "do_normalize",
  "image_mean",
  "image_std",
  "do_pad",
];

/** Classes whose `size` of one number is a square; of the others it is the shorter side. */
const SQUARE = /^(ViT|DeiT|Beit|DPT|Segformer|EfficientNet)/;
/** `crop_pct` counts below this (ConvNextImageProcessor): above it, pictures are stretched. */
const MOST_CROPPED = 384;

type Sides = readonly [height: number, width: number];
/** The shorter side, or both. */
type Size = number | Sides;

function sizeOf(name: string, value: unknown, isSquare: boolean): Size {
  if (typeof value === "number") {
    const side = integer(name, value, 1);
    return isSquare ? [side, side] : side;
  }
  const { height, width, shortest_edge, ...others } = (value ?? {}) as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw new UnsupportedError(`"${name}" expected height and width, or shortest_edge, got ${show(other)}`);
  if (shortest_edge !== undefined && height === undefined && width === undefined)
    return integer(`${name}.shortest_edge`, shortest_edge, 1);
  return [integer(`${name}.height`, height, 1), integer(`${name}.width`, width, 1)];
}

function resizing(config: Record<string, unknown>, crop: Sides | undefined): Partial<PreprocessSpec> {
  const { size, crop_pct: pct } = config;
  const kind = String(config["image_processor_type"] ?? config["feature_extractor_type"] ?? "");
  const found = sizeOf("size", size, SQUARE.test(kind) || (crop === undefined && pct === undefined));
  if (pct !== undefined && pct !== null) {
    const side = typeof found === "number" ? found : found[0];
    if (side >= MOST_CROPPED) return { size: [side, side] };
    return { size: [side, side], fit: "crop", resize: Math.trunc(side / finite("crop_pct", pct)) };
  }
  if (crop !== undefined) return { size: crop, fit: "crop", resize: found };
  if (typeof found === "number")
    throw new UnsupportedError(
      `"size" expected height and width, or a crop, got a shorter side of ${found}, whose result has no fixed size`,
    );
  return { size: found };
}

/**
 * A spec from the contents of a preprocessor_config.json: do_resize, size (a number, { shortest_edge } or { height, width }),
 * resample, do_center_crop, crop_size, crop_pct, do_rescale, rescale_factor, do_normalize, image_mean, image_std and do_pad,
 * which pads pictures of a batch to one size and so says nothing of one. Offsets are rounded as transformers rounds them.
 *
 * @throws UnsupportedError naming a key or a value that it doesn't know, TypeError or RangeError for a value of the wrong kind.
 */
export function fromPreprocessorConfig(json: Readonly<Record<string, unknown>>): PreprocessSpec {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new TypeError(`"json" expected the object of a preprocessor_config.json, got ${show(json)}`);
  const config: Record<string, unknown> = { ...json };
  const unknown = Object.keys(config).find((key) => !READ.includes(key) && !SAYS_NOTHING.includes(key));
  if (unknown !== undefined)
    throw new UnsupportedError(`"json" expected keys among ${READ.join(", ")}, got ${show(unknown)}`);
  const resample = config["resample"] ?? 2;
  const filter = RESAMPLE[resample as number];
  if (filter === undefined) throw new UnsupportedError(`"resample" expected 0 to 5, got ${show(resample)}`);
  const crops = config["do_center_crop"] === true;
  const cropped = crops ? sizeOf("crop_size", config["crop_size"], true) : undefined;
  const crop: Sides | undefined = typeof cropped === "number" ? [cropped, cropped] : cropped;
  if (config["do_resize"] === false)
    throw new UnsupportedError(`"do_resize" expected true, got false, whose result has no fixed size`);
  const normalises = config["do_normalize"] !== false;
  return {
    filter,
    rounding: "transformers",
    ...resizing(config, crop),
    scale: config["do_rescale"] === false ? 1 : finite("rescale_factor", config["rescale_factor"] ?? 1 / 255),
    ...(normalises && {
      mean: (config["image_mean"] ?? [0.5, 0.5, 0.5]) as readonly number[],
      std: (config["image_std"] ?? [0.5, 0.5, 0.5]) as readonly number[],
    }),
  };
}
