// Pictures as people see them: cameras write pixels as they come, and how to turn them beside (EXIF, 1 to 8).
import type { AnswerView } from "../../vision/index.js";

interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

type Point = readonly [x: number, y: number];

/** Where an edge of the stored picture is in the upright one. */
function turned([x, y]: Point, orientation: number, width: number, height: number): [number, number] {
  const right = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8 ? width - x : x;
  const down = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7 ? height - y : y;
  return orientation >= 5 ? [down, right] : [right, down];
}

/** Width and height as people see them. */
export const uprightSize = (
  { width, height }: Pick<Pixels, "width" | "height">,
  orientation: number,
): [number, number] => (orientation >= 5 ? [height, width] : [width, height]);

/** The same way, but to the upright picture. */
export function uprightView(view: AnswerView & Pick<Pixels, "width" | "height">, orientation: number): AnswerView {
  if (orientation === 1) return view;
  const { width, height, modelWidth, modelHeight } = view;
  const toImage = (point: Point) => turned(view.toImage(point), orientation, width, height);
  return {
    toImage,
    boxToImage([x0, y0, x1, y1]) {
      const corners = [toImage([x0, y0]), toImage([x1, y0]), toImage([x0, y1]), toImage([x1, y1])];
      const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
      return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    },
    ...(modelWidth !== undefined && { modelWidth }),
    ...(modelHeight !== undefined && { modelHeight }),
  };
}

/** RGBA pixels turned upright. */
export function uprightPixels({ data, width, height }: Pixels, orientation: number): Pixels {
  if (orientation === 1) return { data, width, height };
  const [columns, rows] = uprightSize({ width, height }, orientation);
  const from = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const to = new Uint32Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [u, v] = turned([x + 0.5, y + 0.5], orientation, width, height);
      to[Math.floor(v) * columns + Math.floor(u)] = from[y * width + x] as number;
    }
  return { data: new Uint8Array(to.buffer), width: columns, height: rows };
}
