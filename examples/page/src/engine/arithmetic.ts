// One layer on small numbers, computed by the library.
import type { Runtime, Tensor } from "lanewise";
import { runtimeOf } from "./runtime.js";

export type Kind = "conv" | "transposed" | "max" | "average" | "norm";

export interface Setting {
  readonly kind: Kind;
  /** [C, H, W] */
  readonly x: Float32Array;
  readonly input: readonly [number, number, number];
  /** [M, C/groups, R, S]; transposed: [C, M/groups, R, S]; of a pooling only the window counts; norm: [C, 1, 1, 4], gamma, beta, mean, variance. */
  readonly w: Float32Array;
  readonly weight: readonly [number, number, number, number];
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
}

function compute(rt: Runtime, x: Tensor, w: Tensor, setting: Setting): Tensor {
  const { kind, weight, stride, padding, dilation, groups } = setting;
  const kernel: [number, number] = [weight[2], weight[3]];
  switch (kind) {
    case "transposed":
      return rt.convTranspose2d(x, w, null, { stride, padding, dilation, groups });
    case "max":
      return rt.maxPool2d(x, { kernel, stride, padding, dilation });
    case "average":
      return rt.avgPool2d(x, { kernel, stride, padding });
    case "norm": {
      // Four vectors of C, from the four numbers of each channel.
      const vectors = [0, 1, 2, 3].map((k) =>
        rt.tensor(
          setting.w.filter((_, i) => i % 4 === k),
          [setting.input[0]],
        ),
      );
      const [gamma, beta, mean, variance] = vectors as [Tensor, Tensor, Tensor, Tensor];
      try {
        return rt.batchNorm(x, mean, variance, gamma, beta);
      } finally {
        for (const vector of vectors) vector.dispose();
      }
    }
    default:
      return rt.conv2d(x, w, null, { stride, padding, dilation, groups });
  }
}

/** The library's values and their shape [M, P, Q]. */
export async function arithmetic(setting: Setting): Promise<{ values: Float32Array; shape: readonly number[] }> {
  const rt = await runtimeOf();
  const kept = [rt.tensor(setting.x, [1, ...setting.input]), rt.tensor(setting.w, setting.weight)] as const;
  try {
    const y = compute(rt, ...kept, setting);
    const answer = { values: y.toArray(), shape: y.shape.slice(1) };
    y.dispose();
    return answer;
  } finally {
    for (const tensor of kept) tensor.dispose();
  }
}
