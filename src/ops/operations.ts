// The operators as a user calls them, documented once: T is Tensor for eager calls on a runtime, Value in a graph.
// All compute in float32. An output takes its first input's memory format. Bad shapes throw ShapeError, bad options
// TypeError or RangeError, what an algorithm cannot do UnsupportedError; nothing is allocated then.
import type { Conv2dOptions } from "./conv2d.js";

export interface Operations<T> {
  /** input [N, C, H, W], weight [M, C/groups, R, S], bias [M] → [N, M, P, Q]. Cross-correlation, as all frameworks have it. */
  conv2d(input: T, weight: T, bias?: T | null, options?: Conv2dOptions): T;
}
