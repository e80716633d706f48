// A layer's convolution by every algorithm that accepts it, verified, ready to be timed.
import { UnsupportedError } from "lanewise";
import { normals } from "./data.mjs";
import { verify } from "./verify.mjs";

export const ALGORITHMS = [
  "implicit-gemm",
  "direct",
  "im2col",
  "winograd23",
  "winograd43",
  "winograd63",
  "fft",
  "depthwise",
];
/** Spectra of weights take up to size^2 / (R * S) times the weights: dense FFT layers beyond this are left out. */
const MAX_SPECTRA_BYTES = 128 * 2 ** 20;

/** Operands of a layer, channels-last: x [N, H, W, C], w [M, C/groups, R, S], bias [M]. */
export function operands(layer) {
  const { name, N, C, H, W, M, R, S, groups } = layer;
  return {
    x: normals(N * C * H * W, `${name} x`),
    w: normals(M * (C / groups) * R * S, `${name} w`),
    bias: normals(M, `${name} bias`),
  };
}

/** Answers { algorithm, run, error, pick, dispose } of every algorithm asked for that does this layer; "auto" works too. */
export function candidates(rt, layer, data, algorithms = ALGORITHMS) {
  const { N, C, H, W, M, R, S, stride, padding, dilation, groups } = layer;
  const x = rt.empty([N, C, H, W], { memoryFormat: "channelsLast" });
  x.data.set(data.x); // it lies in memory as the tensor does
  const w = rt.tensor(data.w, [M, C / groups, R, S]);
  const bias = rt.tensor(data.bias, [M]);
  const made = [];
  for (const algorithm of algorithms) {
    if (algorithm === "fft" && spectraBytes(layer) > MAX_SPECTRA_BYTES) continue;
    const plan = planOf(() =>
      rt.plan.conv2d({
        input: [N, C, H, W],
        memoryFormat: "channelsLast",
        weight: w,
        bias,
        stride,
        padding,
        dilation,
        groups,
        algorithm,
      }),
    );
    if (plan === undefined) continue;
    const y = rt.empty(plan.outputs[0]);
    const run = () => plan.run(x, y);
    run();
    const { algorithm: pick, reason, workspaceBytes } = plan.describe();
    const error = verify(layer, data, y.data, pick);
    made.push({
      name: algorithm,
      run,
      error,
      pick,
      reason,
      workspaceBytes,
      dispose: () => [plan, y].forEach((one) => void one.dispose()),
    });
  }
  w.dispose();
  bias.dispose();
  return { made, dispose: () => [...made, x].forEach((one) => void one.dispose()) };
}

function planOf(make) {
  try {
    return make();
  } catch (error) {
    if (error instanceof UnsupportedError) return undefined; // out of the algorithm's domain
    throw error;
  }
}

function spectraBytes({ C, M, R, S, dilation, groups }) {
  if (groups === C) return 0;
  const size = (taps) => (taps === 1 ? 1 : 2 ** Math.ceil(Math.log2(2 * ((taps - 1) * dilation + 1))));
  return size(R) * size(S) * 4 * C * (M / groups);
}

export function gflops(layer, ms) {
  return (2 * layer.macs) / ms / 1e6;
}
