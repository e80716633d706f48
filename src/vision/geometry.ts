// Where each pixel of the tensor comes from: region, orientation, resize, crop or letterbox, as tables and as a map.
//
//   data ─ region ─▶ part ─ orientation ─▶ upright part, w x h ─ resize ─▶ resized ─ offset ─▶ the tensor's width x height
import { show } from "../base/errors.js";
import type { Sampling } from "./resample/resampler.js";
import { identityTaps, mirrored, type Tap, tableOf, tapsOf } from "./resample/taps.js";
import { ruleOf } from "./rounding.js";
import type { Checked, Region } from "./spec.js";
import { type Affine, after, View } from "./view.js";

/** A picture's size, how it is turned, and the part that is taken. */
export interface Source {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly orientation: number;
  readonly region: Required<Region> | undefined;
}

export interface Geometry {
  readonly sampling: Sampling;
  readonly view: View;
  /** Of the upright part, and what it is resized to, and where that lies in the tensor. */
  readonly upright: readonly [width: number, height: number];
  readonly resized: readonly [width: number, height: number];
  readonly offset: readonly [x: number, y: number];
  /** Rows and columns change places. */
  readonly isTransposed: boolean;
  /** The middle of a pixel that is sampled at [left, top] of the tensor, in the data; undefined where tables do it. */
  readonly sampled: Affine | undefined;
  /** All of the picture, as many pixels as before. */
  readonly isSame: boolean;
}

const isTransposed = (orientation: number): boolean => orientation >= 5;
/** Counted from the other end of the upright part: its columns, its rows. */
const fromRight = (orientation: number): boolean => [2, 3, 6, 7].includes(orientation);
const fromBottom = (orientation: number): boolean => [3, 4, 7, 8].includes(orientation);

/** From the upright part, w x h, to the part as it lies. */
function turned(orientation: number, w: number, h: number): Affine {
  const flip: Affine = [
    fromRight(orientation) ? -1 : 1,
    0,
    0,
    fromBottom(orientation) ? -1 : 1,
    fromRight(orientation) ? w : 0,
    fromBottom(orientation) ? h : 0,
  ];
  return isTransposed(orientation) ? after(flip, [0, 1, 1, 0, 0, 0]) : flip;
}

/** From a part of the picture to the picture. */
function placed({ x, y, width, height, angle }: Required<Region>): Affine {
  if (angle === 0) return [1, 0, 0, 1, x, y];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [halfX, halfY] = [width / 2, height / 2];
  return after([1, 0, 0, 1, -halfX, -halfY], [cos, sin, -sin, cos, x + halfX, y + halfY]);
}

/** What an upright part of w x h is resized to, and its offset in the tensor. */
function fitted(spec: Checked, w: number, h: number, W: number, H: number): Pick<Geometry, "resized" | "offset"> {
  const { fit, resize, align } = spec;
  const rule = ruleOf(spec.rounding);
  if (fit === "stretch") return { resized: [W, H], offset: [0, 0] };
  if (fit === "letterbox") {
    const resized = rule.letterbox([w, h], [W, H]).map((side) => Math.max(1, side)) as [number, number];
    const offset = align === "centre" ? [rule.margin((W - resized[0]) / 2), rule.margin((H - resized[1]) / 2)] : [0, 0];
    return { resized, offset: offset as [number, number] };
  }
  const resized = covering(resize, w, h, W, H);
  if (resized[0] < W || resized[1] < H)
    throw new RangeError(`"resize" expected at least the size of the crop, ${W} x ${H}, got ${resized.join(" x ")}`);
  const offset = align === "centre" ? [-rule.crop((resized[0] - W) / 2), -rule.crop((resized[1] - H) / 2)] : [0, 0];
  return { resized, offset: offset as [number, number] };
}

/** What is cropped from. A shorter side of n leaves trunc(n * long / short) for the longer one, by everybody's rule. */
function covering(resize: Checked["resize"], w: number, h: number, W: number, H: number): [number, number] {
  if (typeof resize === "object") return [resize[1], resize[0]];
  if (resize !== undefined)
    return w <= h ? [resize, Math.trunc((resize * h) / w)] : [Math.trunc((resize * w) / h), resize];
  return W * h >= H * w ? [W, Math.max(H, Math.trunc((W * h) / w))] : [Math.max(W, Math.trunc((H * w) / h)), H];
}

/** Along one axis: the part's place in the data, which may be counted from the other end. */
interface Line {
  readonly size: number;
  readonly from: number;
  readonly to: number;
  readonly isMirrored: boolean;
}

/** Pixels of the tensor, of [0, out), that show the resized picture where there is a picture. */
export function shown(
  { size, from, to }: Omit<Line, "isMirrored">,
  resized: number,
  offset: number,
  out: number,
): readonly [number, number] {
  const scale = (to - from) / resized;
  // The middle of pixel i of the resized picture is from + (i + 0.5) * scale.
  const first = Math.max(0, Math.ceil(-from / scale - 0.5));
  const last = Math.min(resized, Math.ceil((size - from) / scale - 0.5));
  return [Math.max(0, first + offset), Math.min(out, last + offset)];
}

function requireOverlap(region: Required<Region>, width: number, height: number): void {
  const toData = placed(region);
  const corners = [
    [0, 0],
    [region.width, 0],
    [0, region.height],
    [region.width, region.height],
  ].map(([x = 0, y = 0]) => [toData[0] * x + toData[2] * y + toData[4], toData[1] * x + toData[3] * y + toData[5]]);
  const [xs, ys] = [corners.map(([x]) => x as number), corners.map(([, y]) => y as number)];
  if (Math.max(...xs) > 0 && Math.min(...xs) < width && Math.max(...ys) > 0 && Math.min(...ys) < height) return;
  const { x, y } = region;
  throw new RangeError(
    `"region" expected a part of the picture's ${width} x ${height} pixels, got ${show(region.width)} x ${show(region.height)} at (${x}, ${y})`,
  );
}

/** Where the tensor's W x H pixels come from. Throws RangeError for a region outside, and for a crop of more than there is. */
export function geometryOf(spec: Checked, source: Source, W: number, H: number): Geometry {
  const { width, height, channels, orientation } = source;
  const region = source.region ?? { x: 0, y: 0, width, height, angle: 0 };
  if (source.region !== undefined) requireOverlap(region, width, height);
  const transposed = isTransposed(orientation);
  const upright = transposed ? ([region.height, region.width] as const) : ([region.width, region.height] as const);
  const { resized, offset } = fitted(spec, upright[0], upright[1], W, H);
  const [scaleX, scaleY] = [upright[0] / resized[0], upright[1] / resized[1]];
  const toPart = after(
    [scaleX, 0, 0, scaleY, -offset[0] * scaleX, -offset[1] * scaleY],
    turned(orientation, ...upright),
  );
  const toData = after(toPart, placed(region));
  const view = new View(toData, [width, height], [W, H]);
  const common = { view, upright, resized, offset };
  if (region.angle !== 0) {
    const [left, top] = [Math.max(0, offset[0]), Math.max(0, offset[1])];
    const columns = Math.min(W, offset[0] + resized[0]) - left;
    const rows = Math.min(H, offset[1] + resized[1]) - top;
    const sampling = {
      ...{ width: columns, height: rows, channels, left, top, outWidth: W, outHeight: H },
      columns: tableOf(identityTaps(columns), columns, 4),
      rows: tableOf(identityTaps(rows), rows, 2),
    };
    const sampled = after([1, 0, 0, 1, left + 0.5, top + 0.5], toData);
    return { ...common, sampling, sampled, isTransposed: false, isSame: false };
  }
  const alongX = { size: width, from: region.x, to: region.x + region.width };
  const alongY = { size: height, from: region.y, to: region.y + region.height };
  const lineOf = ({ size, from, to }: Omit<Line, "isMirrored">, isMirrored: boolean): Line =>
    isMirrored ? { size, from: size - to, to: size - from, isMirrored } : { size, from, to, isMirrored };
  const x = lineOf(transposed ? alongY : alongX, fromRight(orientation));
  const y = lineOf(transposed ? alongX : alongY, fromBottom(orientation));
  const [left, right] = shown(x, resized[0], offset[0], W);
  const [top, bottom] = shown(y, resized[1], offset[1], H);
  if (right <= left || bottom <= top) throw new RangeError(`"region" expected a pixel of the picture, got none`);
  const taps = tapsOf(
    { ...x, outSize: resized[0], first: left - offset[0], count: right - left },
    { ...y, outSize: resized[1], first: top - offset[1], count: bottom - top },
    spec.filter,
    spec.antialias,
  );
  const asItLies = (list: Tap[], line: Line) => (line.isMirrored ? mirrored(list, line.size) : list);
  const sampling = {
    ...{ width: x.size, height: y.size, channels, left, top, outWidth: W, outHeight: H },
    columns: tableOf(asItLies(taps[0], x), x.size, 4),
    rows: tableOf(asItLies(taps[1], y), y.size, 2),
  };
  const isSame = source.region === undefined && resized[0] === upright[0] && resized[1] === upright[1];
  return { ...common, sampling, sampled: undefined, isTransposed: transposed, isSame };
}
