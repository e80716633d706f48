// The rule that threads will stand on: work items may be cut anywhere, in any order, without changing a bit.
import { describe, expect, it } from "vitest";
import type { Kernel, Kernels } from "../src/engine/engine.js";
import type { Runtime, Tensor } from "../src/index.js";
import { KERNELS } from "../src/kernels/table.js";
import { dequantize, quantize } from "../src/onnx/layers/quantize.js";
import { resize } from "../src/onnx/layers/resize.js";
import { unary } from "../src/onnx/layers/unary.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { BINARIES } from "./binaries.js";
import { fill, random } from "./random.js";
import { apply, FORMATS, tensorOf } from "./tensors.js";

/** Every kernel call becomes calls on up to 7 slices, last one first; `sliced` collects the names. */
function slice(rt: Runtime, sliced: Set<string>): void {
  const { uniform } = random("slices");
  const kernels = { ...internalsOf(rt).engine.kernels } as Record<string, Kernel>;
  for (const name of KERNELS) {
    const whole = internalsOf(rt).engine.kernel(name);
    kernels[name] = (desc, begin, end, scratch) => {
      const cuts = new Set([begin, end, ...Array.from({ length: 6 }, () => Math.floor(uniform(begin, end)))]);
      const edges = [...cuts].sort((a, b) => b - a);
      if (edges.length > 2) sliced.add(name);
      for (let i = 0; i + 1 < edges.length; i++) whole(desc, edges[i + 1] as number, edges[i] as number, scratch);
    };
  }
  (internalsOf(rt).engine as { kernels: Kernels }).kernels = kernels;
}

const SHAPE = [2, 37, 11, 13];

const CALLS: readonly (readonly [string, (rt: Runtime, x: Tensor) => Tensor | Record<string, Tensor>])[] = [
  ...(["auto", "direct", "im2col", "implicit-gemm", "winograd23", "winograd43", "winograd63", "fft"] as const).map(
    (algorithm) =>
      [
        `conv2d ${algorithm}`,
        (rt: Runtime, x: Tensor) => {
          using w = rt.tensor(fill([19, 37, 3, 3], "w"), [19, 37, 3, 3]);
          return rt.conv2d(x, w, null, { padding: 1, algorithm, activation: "silu" });
        },
      ] as const,
  ),
  [
    "conv2d depthwise",
    (rt, x) => {
      using w = rt.tensor(fill([37, 1, 3, 3], "w"), [37, 1, 3, 3]);
      return rt.conv2d(x, w, null, { padding: 1, groups: 37, activation: "hardSwish" });
    },
  ],
  [
    "conv2d depthwise, rows copied",
    (rt) => {
      using x = tensorOf(rt, fill([1, 1024, 21, 4], "wide"), [1, 1024, 21, 4], "channelsLast");
      using w = rt.tensor(fill([1024, 1, 3, 3], "w"), [1024, 1, 3, 3]);
      return rt.conv2d(x, w, null, { padding: 1, groups: 1024 });
    },
  ],
  [
    "separableConv2d",
    (rt, x) => {
      using d = rt.tensor(fill([37, 1, 3, 3], "d"), [37, 1, 3, 3]);
      using p = rt.tensor(fill([9, 37, 1, 1], "p"), [9, 37, 1, 1]);
      return rt.separableConv2d(x, d, p, null, null, { padding: 1, algorithm: "rows", activation: "elu" });
    },
  ],
  [
    "conv2d fft, depthwise",
    (rt, x) => {
      using w = rt.tensor(fill([37, 1, 5, 5], "w"), [37, 1, 5, 5]);
      return rt.conv2d(x, w, null, { padding: 2, groups: 37, algorithm: "fft" });
    },
  ],
  [
    "convTranspose2d",
    (rt, x) => {
      using w = rt.tensor(fill([37, 6, 3, 3], "w"), [37, 6, 3, 3]);
      return rt.convTranspose2d(x, w, null, { stride: 2 });
    },
  ],
  ["maxPool2d", (rt, x) => rt.maxPool2d(x, { kernel: 3, stride: 2, padding: 1 })],
  ["avgPool2d", (rt, x) => rt.avgPool2d(x, { kernel: 3, stride: 2, padding: 1 })],
  ["globalAvgPool", (rt, x) => rt.globalAvgPool(x)],
  [
    "linear",
    (rt, x) => {
      using w = rt.tensor(fill([29, 37], "w"), [29, 37]);
      using one = rt.globalAvgPool(x);
      using row = rt.flatten(one);
      return rt.linear(row, w);
    },
  ],
  [
    "linear, planned",
    (rt) => {
      using w = rt.tensor(fill([77, 37], "w"), [77, 37]);
      using row = rt.tensor(fill([2, 37], "row"), [2, 37]);
      using plan = rt.plan.linear({ input: [2, 37], weight: w });
      return plan.run(row, rt.empty([2, 77]));
    },
  ],
  ["transpose", (rt, x) => rt.transpose(x, { permutation: [3, 1, 0, 2] })],
  ["gelu", (rt, x) => rt.gelu(x)],
  ["add", (rt, x) => rt.add(x, x, { activation: "tanh" })],
  [
    "mul of another format and shape",
    (rt, x) => {
      using scale = tensorOf(rt, fill([37, 1, 13], "scale"), [37, 1, 13]);
      return rt.mul(x, scale);
    },
  ],
  ["softmax over channels", (rt, x) => rt.softmax(x, { axis: 1 })],
  ["logSoftmax over columns", (rt, x) => rt.logSoftmax(x)],
  ["batchNormTrain", (rt, x) => rt.batchNormTrain(x)],
  [
    "resize",
    (rt, x) => {
      const taps = (size: number) => Array.from({ length: 23 }, (_, i) => ({ at: [i % size, 2], weights: [0.3, 0.7] }));
      return apply(rt, resize(taps(11), taps(13)), x);
    },
  ],
  ["unary", (rt, x) => apply(rt, unary("Erf"), x)],
  [
    "quantize",
    (rt, x) => {
      const q = { type: "int8", scale: fill([37], "scale").map(Math.abs), zero: [3], axis: 1 } as const;
      using whole = apply(rt, quantize(q), x);
      return apply(rt, dequantize(q), whole);
    },
  ],
  ["maximum", (rt, x) => rt.maximum(x, x)],
  ["localResponseNorm", (rt, x) => rt.localResponseNorm(x, { size: 5, alpha: 1 })],
];

const tensorsOf = (y: Tensor | Record<string, Tensor>): Tensor[] => ("spec" in y ? [y as Tensor] : Object.values(y));

describe.each(BINARIES)("slices of work items on $name", ({ create }) => {
  it("give the bits of the whole, for every operator", async () => {
    const whole = await create();
    const cut = await create();
    const sliced = new Set<string>();
    slice(cut, sliced);
    for (const memoryFormat of FORMATS) {
      for (const [name, call] of CALLS) {
        const [expected, actual] = [whole, cut].map((rt) => {
          using x = tensorOf(rt, fill(SHAPE, "x"), SHAPE, memoryFormat);
          return tensorsOf(call(rt, x)).map((tensor) => (tensor.data as Float32Array).slice());
        });
        expect(actual, `${name} ${memoryFormat}`).toEqual(expected);
      }
    }
    // A kernel that no call cut into pieces was not tested: name it in CALLS.
    const missing = KERNELS.filter((name) => !sliced.has(name));
    expect(missing).toEqual([]);
    whole.dispose();
    cut.dispose();
  });
});
