// Answers as pictures: what --draw and --mask write.
import type { Runtime } from "../../index.js";
import type * as Vision from "../../vision/index.js";
import { UsageError } from "../errors.js";
import { drawSigns, isWritable, type Sign } from "../picture/letters.js";
import type { DecodedPicture } from "../picture/read.js";
import type { Answer, HeadContext } from "./heads.js";
import { uprightPixels } from "./upright.js";

type VisionModule = typeof Vision;
type Pixels = Pick<DecodedPicture, "data" | "width" | "height">;

/** Colours of boxes by class: those of drawDetections(), VOC's from class 1 on, twice as bright. */
function paletteOf({ colourize }: VisionModule): readonly Vision.Colour[] {
  const { data } = colourize({ data: Uint8Array.from({ length: 255 }, (_, i) => i + 1), width: 255, height: 1 });
  const twice = (at: number) => Math.min(2 * (data[at] as number), 255);
  return Array.from({ length: 255 }, (_, i) => [twice(4 * i), twice(4 * i + 1), twice(4 * i + 2)]);
}

/** The picture with what was found: boxes have names and scores, lines of text their number in the listing. */
export function drawn(vision: VisionModule, answer: Answer, photo: Pixels) {
  const palette = paletteOf(vision);
  const colourOf = (index: number) => palette[index % palette.length] as Vision.Colour;
  const written = (drawables: readonly Vision.Drawable[], signs: readonly Sign[]) => {
    const picture = vision.drawDetections(photo, drawables, { palette });
    drawSigns(picture, signs);
    return picture;
  };
  if (answer.kind === "boxes") {
    const nameOf = ({ label, index }: Vision.Detection) =>
      label !== undefined && isWritable(label) ? label : `class ${index}`;
    return written(
      answer.boxes,
      answer.boxes.map((one) => ({
        text: `${nameOf(one)} ${one.score.toFixed(2)}`,
        box: one.box,
        colour: colourOf(one.index),
      })),
    );
  }
  if (answer.kind === "points") return written([{ points: answer.points }], []);
  if (answer.kind === "lines")
    return written(
      answer.lines.map(({ points }) => ({ polygon: points })),
      answer.lines.map(({ points }, i) => {
        const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
        const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] as const;
        return { text: String(i), box, colour: colourOf(i) };
      }),
    );
  throw new UsageError(`"--draw" expected boxes, points or lines (--decode), got ${answer.kind}`);
}

/** How many dimensions are more than one long: two, of a mask. */
const sidesOf = ({ shape }: { readonly shape: readonly number[] }) => shape.filter((size) => size > 1).length;

/** Colours of classes; of one channel the picture with it for its alpha. As large as the picture, and upright. */
export function masked(
  rt: Runtime,
  vision: VisionModule,
  answer: Answer,
  photo: DecodedPicture,
  view: Vision.View,
  { outputs }: HeadContext,
): Pixels {
  const [first] = outputs;
  if (answer.kind === "map" && first !== undefined) {
    if (sidesOf(first) > 2) return uprightPixels(vision.colourize(mapOnPicture(answer.map, view)), photo.orientation);
  }
  if (first === undefined) throw new UsageError(`"--mask" expected an output, got a network without any`);
  const isMask = (answer.kind === "map" || answer.kind === "numbers") && sidesOf(first) === 2;
  if (!isMask)
    throw new UsageError(
      `"--mask" expected one channel, or --decode map for a class a pixel, got ${answer.kind}, [${first.shape.join(", ")}]`,
    );
  const { data, width, height } = photo;
  const cut = vision.applyMask(rt, { data, width, height, channels: 4 }, first, view);
  return uprightPixels(cut, photo.orientation);
}

/** A map as large as the picture: each pixel has the class that the network saw at its middle. Beyond the network's edge, the edge's. */
function mapOnPicture(
  map: Vision.LabelMap,
  { width, height, modelWidth, modelHeight, inverse }: Vision.View,
): Vision.LabelMap {
  const [a, b, c, d, e, f] = inverse;
  const [right, down] = [map.width / modelWidth, map.height / modelHeight];
  const data = new (map.data.constructor as Uint8ArrayConstructor)(width * height);
  const within = (value: number, size: number) => Math.min(Math.max(Math.floor(value), 0), size - 1);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const u = within((a * (x + 0.5) + c * (y + 0.5) + e) * right, map.width);
      const v = within((b * (x + 0.5) + d * (y + 0.5) + f) * down, map.height);
      data[y * width + x] = map.data[v * map.width + u] as number;
    }
  return { data, width, height };
}
