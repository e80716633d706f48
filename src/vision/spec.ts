// What is done to a photo: plain data, checked once.
import { boolean, finite, integer, oneOf, type Pair, pair } from "../base/check.js";
import { show } from "../base/errors.js";
import { MOST_SIDE } from "./picture/picture.js";
import { FILTERS, type Filter } from "./resample/taps.js";
import { ROUNDINGS, type Rounding } from "./rounding.js";

/** A part of a picture, in the pixels of its data. It may reach over the edges, where `fill` is. */
export interface Region {
  /** Left edge, before it is turned. */
  readonly x: number;
  /** Upper edge, before it is turned. */
  readonly y: number;
  /** Columns; need not be whole. */
  readonly width: number;
  /** Rows; need not be whole. */
  readonly height: number;
  /**
   * Radians by which it is turned about its middle, clockwise as pictures are seen; default 0. A turned region is sampled
   * bilinearly, without antialias.
   */
  readonly angle?: number;
}

/** What is done to a photo: plain data, as JSON has it. A value of the tensor is (x * scale - mean) / std of a byte x. */
export interface PreprocessSpec {
  /** Of the model's input: a number or [height, width]. Default: the model's. */
  readonly size?: Pair;
  /**
   * "stretch" (default): to the size, whatever the proportions. "crop": as `resize` says, then the middle of that. "letterbox": as
   * large as fits, with `fill` around it.
   */
  readonly fit?: "stretch" | "crop" | "letterbox";
  /** Before a crop: the shorter side, or [height, width]. Default: as little as covers the size. */
  readonly resize?: Pair;
  /** Where a crop or a letterboxed picture lies; default "centre". */
  readonly align?: "centre" | "top-left";
  /** Byte, or a number between, of a letterbox's margin and of a region's parts outside; default 0. */
  readonly fill?: number;
  /** Default "bilinear". Pillow's filters by their names; "area" is OpenCV's INTER_AREA. */
  readonly filter?: Filter;
  /**
   * Default true: filters are as wide as what becomes one pixel, as in Pillow. false, of bilinear and bicubic: two or four
   * neighbours, OpenCV's INTER_LINEAR and INTER_CUBIC.
   */
  readonly antialias?: boolean;
  /** Whose rule makes whole pixels of sides and offsets; default "torchvision". */
  readonly rounding?: Rounding;
  /** Default: by the channels of the model's input, "gray", "rgb" or "rgba". Grey is Pillow's "L" of the resized picture. */
  readonly channels?: "rgb" | "bgr" | "gray" | "rgba";
  /** Factor of bytes: 1 / 255 for models that learned from 0 to 1, 1 for bytes as they are. Every preset has one. */
  readonly scale: number;
  /** Subtracted, one number or one a channel in the model's order; default 0. */
  readonly mean?: number | readonly number[];
  /** Divides, one number or one a channel in the model's order; default 1. */
  readonly std?: number | readonly number[];
  /** [red, green, blue] that transparent pixels are laid on. Default: alpha is dropped, as by Pillow's convert("RGB"). */
  readonly background?: readonly number[];
  /** EXIF's, 1 to 8: how the data has to be turned to be seen upright; default 1. */
  readonly orientation?: number;
  /** The part of the picture to take; default: all of it. */
  readonly region?: Region;
}

export const SPEC_KEYS: readonly (keyof PreprocessSpec)[] = [
  "size",
  "fit",
  "resize",
  "align",
  "fill",
  "filter",
  "antialias",
  "rounding",
  "channels",
  "scale",
  "mean",
  "std",
  "background",
  "orientation",
  "region",
];

/** Which channel of a picture each of the tensor is. */
export const ORDERS = { rgb: [0, 1, 2], bgr: [2, 1, 0], gray: [0], rgba: [0, 1, 2, 3] } as const;
const CHANNELS = Object.keys(ORDERS) as (keyof typeof ORDERS)[];
const BY_COUNT = { 1: "gray", 3: "rgb", 4: "rgba" } as const;

/** A spec without gaps. */
export interface Checked {
  readonly size: readonly [height: number, width: number] | undefined;
  readonly fit: "stretch" | "crop" | "letterbox";
  readonly resize: number | readonly [height: number, width: number] | undefined;
  readonly align: "centre" | "top-left";
  readonly fill: number;
  readonly filter: Filter;
  readonly antialias: boolean;
  readonly rounding: Rounding;
  readonly channels: keyof typeof ORDERS;
  readonly scale: number;
  /** One a channel. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly background: readonly number[] | undefined;
  readonly orientation: number;
  readonly region: Required<Region> | undefined;
}

export function checkedRegion(region: unknown): Required<Region> {
  if (typeof region !== "object" || region === null)
    throw new TypeError(`"region" expected { x, y, width, height }, got ${show(region)}`);
  const { x, y, width, height, angle = 0 } = region as Region;
  const found = {
    x: finite("region.x", x),
    y: finite("region.y", y),
    width: finite("region.width", width),
    height: finite("region.height", height),
    angle: finite("region.angle", angle),
  };
  if (width > 0 && height > 0) return found;
  throw new RangeError(`"region" expected an area, got ${width} x ${height}`);
}

export const checkedOrientation = (value: unknown): number => integer("orientation", value, 1, 8);

/** One number a channel. */
function perChannel(name: string, value: unknown, count: number): readonly number[] {
  if (!Array.isArray(value)) return new Array<number>(count).fill(finite(name, value));
  if (value.length === count) return value.map((each, c) => finite(`${name}[${c}]`, each));
  throw new RangeError(`"${name}" expected a number or one for each of ${count} channels, got ${show(value)}`);
}

function checkedBackground(value: unknown): readonly number[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.length === 3)
    return value.map((each, c) => integer(`background[${c}]`, each, 0, 255));
  throw new TypeError(`"background" expected [red, green, blue], got ${show(value)}`);
}

/** Takes defaults and refuses what makes no sense; count: channels of the model's input, where there is one. */
export function checkedSpec(spec: PreprocessSpec, count: number | undefined): Checked {
  const { fit = "stretch", filter = "bilinear", antialias = true, mean = 0, std = 1, fill = 0 } = spec;
  if (spec.scale === undefined) throw new TypeError(`"scale" expected a number, 1 say, got none (no such preset?)`);
  const byCount = BY_COUNT[(count ?? 3) as 1 | 3 | 4] ?? "rgb";
  const channels = oneOf("channels", spec.channels ?? byCount, CHANNELS);
  const planes = ORDERS[channels].length;
  const checked: Checked = {
    size: spec.size === undefined ? undefined : pair("size", spec.size, 1),
    fit: oneOf("fit", fit, ["stretch", "crop", "letterbox"]),
    resize: Array.isArray(spec.resize)
      ? pair("resize", spec.resize, 1)
      : spec.resize === undefined
        ? undefined
        : integer("resize", spec.resize, 1, MOST_SIDE),
    align: oneOf("align", spec.align ?? "centre", ["centre", "top-left"]),
    fill: finite("fill", fill),
    filter: oneOf("filter", filter, FILTERS),
    antialias: boolean("antialias", antialias),
    rounding: oneOf("rounding", spec.rounding ?? "torchvision", ROUNDINGS),
    channels,
    scale: finite("scale", spec.scale),
    mean: perChannel("mean", mean, planes),
    std: perChannel("std", std, planes),
    background: checkedBackground(spec.background),
    orientation: checkedOrientation(spec.orientation ?? 1),
    region: spec.region === undefined ? undefined : checkedRegion(spec.region),
  };
  if (checked.std.includes(0)) throw new RangeError(`"std" expected no 0, got ${show(std)}`);
  if (checked.resize !== undefined && fit !== "crop")
    throw new RangeError(`"resize" expected fit "crop", got ${show(fit)}`);
  if (!antialias && ["lanczos", "hamming", "box"].includes(filter))
    throw new RangeError(`"antialias" expected true for the filter ${filter}, got false`);
  for (const side of checked.size ?? []) integer("size", side, 1, MOST_SIDE);
  return checked;
}
