// Segmentation: a class for every pixel, and colours for classes.
import { finite, knownOptions } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import type { RgbaPicture } from "../picture/picture.js";
import { planesOf, requireLabels, requireNumber, type Shaped } from "./numbers.js";

/** Classes of pixels. */
export interface LabelMap {
  /** The class of each pixel, row by row. */
  readonly data: Uint8Array | Uint16Array;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** Of labelMap(). */
export interface LabelMapOptions {
  /** 1 for [1, C, H, W], -1 for [1, H, W, C], as TensorFlow's models have it. Default 1. */
  readonly axis?: 1 | -1;
  /** Of one channel of floats: above it is class 1, else 0. Default 0.5; 0 for logits. */
  readonly threshold?: number;
  /** Names of the classes: refused unless there is one each. */
  readonly labels?: readonly string[];
}

/**
 * The class of each pixel: of C channels the largest, the first of equals; of one channel of floats what is above the threshold; of
 * one channel of integers, as models with an ArgMax of their own answer, these.
 *
 * @throws ShapeError for other shapes and labels that are not one a class, RangeError for NaN and classes outside 0 to 65535,
 *   TypeError for what is no tensor.
 */
export function labelMap(scores: Shaped, options: LabelMapOptions = {}): LabelMap {
  knownOptions("labelMap options", options, ["axis", "threshold", "labels"]);
  const { axis = 1, threshold = 0.5, labels } = options;
  finite("threshold", threshold);
  const { data, channels, width, height, channelStep, cellStep } = planesOf("scores", scores, axis);
  const count = width * height;
  if (channels > 65536) throw new ShapeError(`"scores" expected at most 65536 channels, got ${show(scores.shape)}`);
  const isFloat = /^Float|^Array/.test(Object.prototype.toString.call(scores.data).slice(8, -1));
  if (channels === 1) {
    requireLabels(isFloat ? labels : undefined, 2);
    let most = 0;
    for (let i = 0; i < count; i++) {
      const value = data[i] as number;
      requireNumber("scores", value, i);
      if (!isFloat && !(value >= 0 && value < 65536))
        throw new RangeError(`"scores" expected classes from 0 to 65535, got ${value} at ${i}`);
      most = Math.max(most, value);
    }
    if (!isFloat && labels && most >= labels.length)
      throw new ShapeError(`"labels" expected a name for class ${most}, got ${labels.length} names`);
    const classes = !isFloat && most > 255 ? new Uint16Array(count) : new Uint8Array(count);
    for (let i = 0; i < count; i++)
      classes[i] = isFloat ? Number((data[i] as number) > threshold) : (data[i] as number);
    return { data: classes, width, height };
  }
  requireLabels(labels, channels);
  const classes = channels > 256 ? new Uint16Array(count) : new Uint8Array(count);
  const best = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
  const look = (c: number, i: number) => {
    const value = data[c * channelStep + i * cellStep] as number;
    if (value <= (best[i] as number)) return;
    requireNumber("scores", value, i);
    best[i] = value;
    classes[i] = c;
  };
  // Plane by plane, or pixel by pixel: as memory lies.
  if (cellStep === 1) for (let c = 0; c < channels; c++) for (let i = 0; i < count; i++) look(c, i);
  else for (let i = 0; i < count; i++) for (let c = 0; c < channels; c++) look(c, i);
  return { data: classes, width, height };
}

/** Red, green, blue and, where it is not 255, alpha. */
export type Colour = readonly [red: number, green: number, blue: number, alpha?: number];

/** The colour of a class in the PASCAL VOC data set: its bits, three by three, from the top of red, green and blue. Class 0 is black. */
export function vocColour(index: number): Colour {
  const bytes: [number, number, number] = [0, 0, 0];
  for (let bit = 0; bit < 24; bit++) {
    const channel = bit % 3;
    bytes[channel] = (bytes[channel] as number) | (((index >> bit) & 1) << (7 - Math.floor(bit / 3)));
  }
  return bytes;
}

/**
 * A picture of classes. Default: the colours of PASCAL VOC, opaque.
 *
 * @throws RangeError for a class that the palette does not have, TypeError for what is no label map.
 */
export function colourize(labels: LabelMap, palette?: readonly Colour[]): RgbaPicture {
  const { data, width, height } = labels ?? {};
  if (!(data?.length === width * height))
    throw new TypeError(`"labels" expected what labelMap() answers, got ${show(labels)}`);
  const picture = new Uint8ClampedArray(4 * data.length);
  const words = new Uint32Array(picture.buffer);
  const known: (number | undefined)[] = [];
  const wordOf = (index: number): number => {
    const colour = palette ? palette[index] : vocColour(index);
    if (!colour) throw new RangeError(`"palette" expected a colour for class ${index}, got ${palette?.length} colours`);
    return new Uint32Array(Uint8ClampedArray.of(colour[0], colour[1], colour[2], colour[3] ?? 255).buffer)[0] as number;
  };
  for (let i = 0; i < data.length; i++) {
    const index = data[i] as number;
    const word = known[index] ?? wordOf(index);
    known[index] = word;
    words[i] = word;
  }
  return { data: picture, width, height };
}
