// Answers drawn on a picture: rectangles, points, lines, masks. Letters are the page's business.
import { finite, integer, knownOptions } from "../../base/check.js";
import { ShapeError, show } from "../../base/errors.js";
import type { Picture, RawPicture, RgbaPicture } from "../picture/picture.js";
import { type Colour, vocColour } from "./maps.js";

/** How much of a colour each pixel gets. */
export interface DrawableMask {
  /** 0 to 255, or 0 to 1 in floats, row by row. */
  readonly data: ArrayLike<number>;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** What of an answer is drawn, in pixels of the picture: detections, text regions, key points, lines, masks. */
export interface Drawable {
  /** A rectangle: left, top, right, bottom. */
  readonly box?: readonly [x0: number, y0: number, x1: number, y1: number];
  /** Dots, [x, y] and anything behind. */
  readonly points?: readonly (readonly number[])[];
  /** A line. */
  readonly line?: readonly [x0: number, y0: number, x1: number, y1: number];
  /** Corners of a closed line. */
  readonly polygon?: readonly (readonly [x: number, y: number])[];
  /** As large as the picture: how much of the colour each pixel gets, 0 to 255, or 0 to 1 in floats. */
  readonly mask?: DrawableMask;
  /** Chooses the colour. Default: the place in the list. */
  readonly index?: number;
}

/** Of drawDetections(). */
export interface DrawOptions {
  /** Of lines, in pixels. Default: a 200th of the longer side, a 10th of the shorter one if that is less, at least 1. */
  readonly thickness?: number;
  /** Colours by index, over and over. Default: those of PASCAL VOC, from class 1, twice as bright. */
  readonly palette?: readonly Colour[];
  /** Of masks where they are whole, 0 to 1. Default 0.5. */
  readonly opacity?: number;
}

/**
 * A copy of the picture in RGBA with answers on it: masks first, then lines, then points. What reaches over the edge is cut off.
 *
 * @throws ShapeError for data and masks of another length, RangeError for coordinates that are not finite, TypeError.
 */
export function drawDetections(
  image: Picture | RawPicture,
  detections: readonly Drawable[],
  options: DrawOptions = {},
): RgbaPicture {
  knownOptions("drawDetections options", options, ["thickness", "palette", "opacity"]);
  const picture = copyOf(image);
  const { width, height } = picture;
  const thickness = integer(
    "thickness",
    options.thickness ?? Math.max(1, Math.round(Math.min(Math.max(width, height) / 200, Math.min(width, height) / 10))),
    1,
  );
  const opacity = finite("opacity", options.opacity ?? 0.5);
  const { palette } = options;
  if (!Array.isArray(detections)) throw new TypeError(`"detections" expected a list, got ${show(detections)}`);
  const colours = detections.map(({ index }: Drawable, i) => {
    const at = integer("index", index ?? i, 0);
    if (palette?.length) return palette[at % palette.length] as Colour;
    return vocColour((at % 255) + 1).map((value = 0) => Math.min(2 * value, 255)) as unknown as Colour;
  });
  const all = detections.map((one, i) => [one, colours[i] as Colour] as const) as (readonly [Drawable, Colour])[];
  for (const [{ mask }, colour] of all) if (mask) blend(picture, mask, colour, opacity);
  for (const [{ box, line, polygon = [] }, colour] of all) {
    const [x0, y0, x1, y1] = box ?? [];
    const corners = box
      ? [
          [x0, y0],
          [x1, y0],
          [x1, y1],
          [x0, y1],
        ]
      : [];
    for (const closed of [corners, polygon])
      for (const [i, corner] of closed.entries())
        drawLine(picture, corner, closed[(i + 1) % closed.length] as Ends, thickness, colour);
    if (line) drawLine(picture, [line[0], line[1]], [line[2], line[3]], thickness, colour);
  }
  for (const [{ points = [] }, colour] of all)
    for (const [x, y] of points) drawDot(picture, finite("points", x), finite("points", y), 1.5 * thickness, colour);
  return picture;
}

function copyOf(image: Picture | RawPicture): RgbaPicture {
  if (typeof image !== "object" || image === null)
    throw new TypeError(`"image" expected { data, width, height }, got ${show(image)}`);
  const { data } = image;
  const info = (image as RawPicture).info ?? (image as Picture); // sharp's sizes are beside its data
  const { width, height, channels = data?.length / width / height } = info;
  integer("width", width, 1);
  integer("height", height, 1);
  if (![1, 3, 4].includes(channels) || data?.length !== width * height * channels)
    throw new ShapeError(
      `"data" expected 1, 3 or 4 bytes for each of ${width} x ${height} pixels, got ${data?.length}`,
    );
  const copy = new Uint8ClampedArray(4 * width * height);
  if (channels === 4) copy.set(data);
  else
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) copy[4 * i + c] = data[i * channels + (channels === 1 ? 0 : c)] as number;
      copy[4 * i + 3] = 255;
    }
  return { data: copy, width, height };
}

function blend({ data, width, height }: RgbaPicture, mask: DrawableMask, colour: Colour, opacity: number): void {
  if (mask.width !== width || mask.height !== height || mask.data.length !== width * height)
    throw new ShapeError(
      `"mask" expected ${width} x ${height} pixels, as the picture has, got ${mask.width} x ${mask.height}`,
    );
  const whole = /Float/.test(Object.prototype.toString.call(mask.data)) ? 1 : 255;
  for (let i = 0; i < width * height; i++) {
    const share = (opacity * (mask.data[i] as number)) / whole;
    if (share > 0)
      for (let c = 0; c < 3; c++) {
        const under = data[4 * i + c] as number;
        data[4 * i + c] = under + ((colour[c] as number) - under) * share;
      }
  }
}

function plot(
  { data, width, height }: RgbaPicture,
  x: number,
  y: number,
  [red, green, blue, alpha = 255]: Colour,
): void {
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const at = 4 * (y * width + x);
  data[at] = red;
  data[at + 1] = green;
  data[at + 2] = blue;
  data[at + 3] = alpha;
}

type Ends = readonly (number | undefined)[];

/** A square brush along the longer way, from the pixel of one end to that of the other. */
function drawLine(picture: RgbaPicture, a: Ends, b: Ends, thickness: number, colour: Colour): void {
  const [x0, y0, x1, y1] = [a[0], a[1], b[0], b[1]].map((value) => finite("box", value)) as [
    number,
    number,
    number,
    number,
  ];
  const [dx, dy] = [x1 - x0, y1 - y0];
  // Only the part that may be seen is walked: a line may be as long as numbers go.
  let [from, to] = [0, 1];
  for (const [start, way, end] of [
    [x0, dx, picture.width],
    [y0, dy, picture.height],
  ] as const) {
    const [least, most] = [(-thickness - start) / way, (end + thickness - start) / way];
    if (way === 0 && (start < -thickness || start > end + thickness)) return;
    if (way !== 0) [from, to] = [Math.max(from, Math.min(least, most)), Math.min(to, Math.max(least, most))];
  }
  const steps = Math.ceil(Math.max(Math.abs(dx), Math.abs(dy)) * (to - from));
  for (let i = 0; i <= steps; i++) {
    const share = from + (steps === 0 ? 0 : ((to - from) * i) / steps);
    const [x, y] = [x0 + dx * share - thickness / 2, y0 + dy * share - thickness / 2].map(Math.round) as [
      number,
      number,
    ];
    for (let v = y; v < y + thickness; v++) for (let u = x; u < x + thickness; u++) plot(picture, u, v, colour);
  }
}

/** All pixels whose middles are within the radius. */
function drawDot(picture: RgbaPicture, x: number, y: number, radius: number, colour: Colour): void {
  for (let v = Math.floor(y - radius); v <= y + radius; v++)
    for (let u = Math.floor(x - radius); u <= x + radius; u++)
      if (Math.hypot(u + 0.5 - x, v + 0.5 - y) <= radius) plot(picture, u, v, colour);
}
