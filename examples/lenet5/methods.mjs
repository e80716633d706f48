// One convolution by every method, timed and compared with the seven loops.
import { UnsupportedError } from "lanewise";
import { progressBar } from "../../scripts/progress.mjs";

const METHODS = ["direct", "im2col", "implicit-gemm", "winograd23", "winograd43", "winograd63", "fft"];
const RUNS = 7;

/** Answers a table as text. Median of RUNS runs after one to warm up; channels-last, weights prepared. */
export function compareMethods(rt, title, { input, weight, options }) {
  const memoryFormat = "channelsLast";
  const x = rt.tensor(noise(input), input, { memoryFormat });
  const w = rt.tensor(noise(weight), weight);
  const bar = progressBar("comparing", METHODS.length);
  let truth;
  const lines = METHODS.map((algorithm, i) => {
    const line = measure(algorithm);
    bar(i + 1);
    return line;
  });
  x.dispose();
  w.dispose();
  return `${title}\n\nmethod               ms  GFLOP/s  workspace KB  largest difference\n${lines.join("\n")}\n`;

  function measure(algorithm) {
    let plan;
    try {
      plan = rt.plan.conv2d({ input, memoryFormat, weight: w, ...options, algorithm });
    } catch (error) {
      if (error instanceof UnsupportedError) return `${algorithm.padEnd(14)}  ${error.message}`;
      throw error;
    }
    const y = rt.empty(plan.outputs[0]);
    const times = Array.from({ length: RUNS + 1 }, () => {
      const start = performance.now();
      plan.run(x, y);
      return performance.now() - start;
    });
    const ms = times.slice(1).sort((a, b) => a - b)[RUNS >> 1];
    const { macs, workspaceBytes } = plan.describe();
    const result = y.toArray();
    plan.dispose();
    y.dispose();
    truth ??= result;
    const difference = result.reduce((most, value, i) => Math.max(most, Math.abs(value - truth[i])), 0);
    const cells = [
      ms.toFixed(3).padStart(8),
      ((2 * macs) / ms / 1e6).toFixed(1).padStart(7),
      (workspaceBytes / 1024).toFixed(0).padStart(12),
    ];
    return `${algorithm.padEnd(14)} ${cells.join("  ")}  ${difference.toExponential(1).padStart(18)}`;
  }
}

/** Numbers from -1 to 1, the same every time. */
function noise(shape) {
  let state = 1;
  return Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}
