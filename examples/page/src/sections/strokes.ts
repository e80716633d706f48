// What was drawn, as lines, and as the 28 x 28 pixels that MNIST would have of it.

/** A point of the drawing, 0 to 28 each way. */
export type Point = readonly [x: number, y: number];
export type Stroke = readonly Point[];

export const SIDE = 28;
/** MNIST's digits fill a box of 20 x 20, their centre of mass in the middle of 28 x 28. */
const BOX = 20;
/** Half a pen's width, and how far its edge is soft. */
const PEN = 1.15;
const SOFT = 0.9;

function distance([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

/** Pixels from 0 to 1 of lines drawn with the pen. */
export function raster(strokes: readonly Stroke[]): Float32Array {
  const pixels = new Float32Array(SIDE * SIDE);
  const reach = PEN + SOFT;
  for (const stroke of strokes)
    for (const [i, to] of stroke.entries()) {
      const from = stroke[Math.max(0, i - 1)] as Point;
      const range = (k: 0 | 1) => [
        Math.max(0, Math.floor(Math.min(from[k], to[k]) - reach)),
        Math.min(SIDE - 1, Math.ceil(Math.max(from[k], to[k]) + reach)),
      ];
      const [[left, right], [top, bottom]] = [range(0), range(1)] as [[number, number], [number, number]];
      for (let y = top; y <= bottom; y++)
        for (let x = left; x <= right; x++) {
          const ink = (PEN + SOFT / 2 - distance([x + 0.5, y + 0.5], from, to)) / SOFT;
          const at = y * SIDE + x;
          pixels[at] = Math.max(pixels[at] as number, Math.min(1, ink));
        }
    }
  return pixels;
}

function moved(strokes: readonly Stroke[], scale: number, [dx, dy]: Point): Stroke[] {
  return strokes.map((stroke) => stroke.map(([x, y]) => [x * scale + dx, y * scale + dy] as const));
}

/** Lines scaled into the box, then moved until the centre of mass of their pixels is the middle. */
export function asMnist(strokes: readonly Stroke[]): Float32Array {
  const points = strokes.flat();
  if (points.length === 0) return new Float32Array(SIDE * SIDE);
  const bounds = ([0, 1] as const).map((k) => points.map((point) => point[k]));
  const [xs, ys] = bounds as [number[], number[]];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const extent = Math.max(Math.max(...xs) - left, Math.max(...ys) - top);
  const scale = Math.min(3, (BOX - 2 * PEN) / Math.max(extent, 1));
  const middle: Point = [
    SIDE / 2 - ((left + Math.max(...xs)) / 2) * scale,
    SIDE / 2 - ((top + Math.max(...ys)) / 2) * scale,
  ];
  const boxed = moved(strokes, scale, middle);
  const pixels = raster(boxed);
  let [sum, sumX, sumY] = [0, 0, 0];
  pixels.forEach((value, i) => {
    sum += value;
    sumX += value * ((i % SIDE) + 0.5);
    sumY += value * (Math.floor(i / SIDE) + 0.5);
  });
  return raster(moved(boxed, 1, [SIDE / 2 - sumX / sum, SIDE / 2 - sumY / sum]));
}

const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

/** Lines as letters, two a point; "." is between lines. */
export function written(strokes: readonly Stroke[]): string {
  const letter = (value: number) => LETTERS[Math.min(63, Math.max(0, Math.round((value / SIDE) * 63)))] as string;
  return strokes.map((stroke) => stroke.map(([x, y]) => letter(x) + letter(y)).join("")).join(".");
}

export function read(text: string): Stroke[] {
  const value = (letter: string) => (LETTERS.indexOf(letter) / 63) * SIDE;
  const lines = text.split(".").filter((line) => line.length >= 2);
  return lines.map((line) =>
    Array.from(
      { length: line.length >> 1 },
      (_, i) => [value(line.charAt(2 * i)), value(line.charAt(2 * i + 1))] as const,
    ),
  );
}
