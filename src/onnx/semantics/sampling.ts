// What operators that sample images ask of their operands and attributes.
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import type { Attributes } from "./attributes.js";
import { type WindowAxis, windowAxes } from "./windows.js";

interface Shaped {
  readonly shape: readonly number[];
}

/** How GridSample samples: axes of its images among it. */
export function gridOf(c: Attributes, x: Shaped, grid: Shaped) {
  const dims = x.shape.length - 2;
  if (grid.shape.length !== dims + 2 || grid.shape.at(-1) !== dims || grid.shape[0] !== x.shape[0]) {
    throw new ModelError(
      `"grid" expected [${x.shape[0]}, ${"out, ".repeat(dims)}${dims}], got ${show([...grid.shape])}`,
    );
  }
  const modes = ["linear", "nearest", "cubic", "bilinear", "bicubic"] as const;
  const named = c.oneOf("mode", c.opset < 20 ? "bilinear" : "linear", modes);
  return {
    mode: named.replace(/^bi/, "") as "linear" | "nearest" | "cubic",
    padding: c.oneOf("padding_mode", "zeros", ["zeros", "border", "reflection"]),
    isAligned: c.int("align_corners", 0) === 1,
  };
}

/** How RoiAlign samples. */
export function boxesOf(c: Attributes) {
  const mode = c.oneOf("coordinate_transformation_mode", "half_pixel", ["half_pixel", "output_half_pixel"]);
  return {
    rows: c.int("output_height", 1),
    columns: c.int("output_width", 1),
    scale: c.float("spatial_scale", 1),
    ratio: Math.max(0, c.int("sampling_ratio", 0)),
    isMax: c.oneOf("mode", "avg", ["avg", "max"]) === "max",
    isHalf: c.opset >= 16 && mode === "half_pixel",
  };
}

export function requireImage(index: number, batch: number): void {
  if (!(index >= 0 && index < batch))
    throw new ModelError(`"batch_indices" expected from 0 to ${batch - 1}, got ${index}`);
}

/** The windows of a deformable convolution, with `kernel_shape`, and its groups of offsets; checked. */
export function patchesOf(c: Attributes, x: Shaped, offset: Shaped, mask: Shaped | undefined) {
  if (x.shape.length !== 4) throw new UnsupportedError(`"X" expected [N, C, H, W], got ${show([...x.shape])}`);
  const [n = 0, channels = 0, height = 0, width = 0] = x.shape;
  const kernel = (c.ints("kernel_shape") ?? []) as [number, number];
  const groups = c.int("offset_group", 1);
  const axes = windowAxes(c, [height, width], kernel) as [WindowAxis, WindowAxis];
  const [taps, outs] = [countOf(kernel), axes[0].out * axes[1].out];
  if (!(channels % groups === 0))
    throw new ModelError(`"offset_group" expected a divisor of ${channels} channels, got ${groups}`);
  for (const [name, given, count] of [
    ["offset", offset, 2],
    ["mask", mask, 1],
  ] as const) {
    const wanted = n * groups * count * taps * outs;
    if (given && countOf(given.shape) !== wanted)
      throw new ModelError(`"${name}" expected ${wanted} values, got ${show([...given.shape])}`);
  }
  return { axes, groups, taps, outs };
}
