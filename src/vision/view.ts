// From the pixels that a model saw to those of the photo, and back.

/** [x, y] in pixels, x to the right and y down; the middle of the first pixel is [0.5, 0.5]. */
export type Point = readonly [x: number, y: number];

/** Left, top, right and bottom edge in pixels, as [x0, y0, x1, y1]. */
export type Box = readonly [x0: number, y0: number, x1: number, y1: number];

/** x' = a x + c y + e, y' = b x + d y + f, as [a, b, c, d, e, f]: the order of a canvas. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** The map that does `first`, then `then`. */
export function after(first: Affine, then: Affine): Affine {
  const [a, b, c, d, e, f] = first;
  const [A, B, C, D, E, F] = then;
  return [A * a + C * b, B * a + D * b, A * c + C * d, B * c + D * d, A * e + C * f + E, B * e + D * f + F];
}

function inverse([a, b, c, d, e, f]: Affine): Affine {
  const det = a * d - b * c;
  return [d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det];
}

const applied = ([a, b, c, d, e, f]: Affine, [x, y]: Point): [number, number] => [a * x + c * y + e, b * x + d * y + f];

/**
 * How a photo lies in a model's input: through crop, letterbox, region and orientation. Positions are edges, not middles, of
 * pixels: what covers all of the photo is [0, 0, width, height]. Nothing is clipped: a box that reaches into the margin of a
 * letterbox reaches out of the photo.
 */
export class View {
  /** Columns of the photo, as its data lies. */
  readonly width: number;
  /** Rows of the photo, as its data lies. */
  readonly height: number;
  /** Columns of the model's input. */
  readonly modelWidth: number;
  /** Rows of the model's input. */
  readonly modelHeight: number;
  readonly #toImage: Affine;
  readonly #toModel: Affine;

  /** @internal Use createPreprocessor(). toImage: from the model's pixels to the photo's. */
  constructor(toImage: Affine, image: readonly [number, number], model: readonly [number, number]) {
    [this.width, this.height] = image;
    [this.modelWidth, this.modelHeight] = model;
    this.#toImage = toImage;
    this.#toModel = inverse(toImage);
  }

  /** Where a point of the model's input is in the photo. */
  toImage(point: Point): [x: number, y: number] {
    return applied(this.#toImage, point);
  }

  /** Where a point of the photo is in the model's input. */
  toModel(point: Point): [x: number, y: number] {
    return applied(this.#toModel, point);
  }

  /** A box of the model's input in the photo; where that is turned, the box around it. */
  boxToImage([x0, y0, x1, y1]: Box): [x0: number, y0: number, x1: number, y1: number] {
    const corners = [this.toImage([x0, y0]), this.toImage([x1, y0]), this.toImage([x0, y1]), this.toImage([x1, y1])];
    const xs = corners.map(([x]) => x);
    const ys = corners.map(([, y]) => y);
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }

  /** The map of toImage(), [a, b, c, d, e, f] as a canvas takes it: x' = a x + c y + e, y' = b x + d y + f. */
  get matrix(): Affine {
    return this.#toImage;
  }

  /** The map of toModel(). */
  get inverse(): Affine {
    return this.#toModel;
  }
}
