// Classic networks as graphs, with the parameter names their weights usually come under, and seeded random weights to try
// them without any.

import { integer, knownOptions } from "../base/check.js";
import { ModelError, show } from "../base/errors.js";
import { countOf } from "../base/shape.js";
import { Graph, type GraphData, type Value } from "./graph.js";
import type { LayerRow } from "./summary.js";
import type { HostTensor } from "./weights.js";

/** Of the shipped networks. */
export interface ZooOptions {
  /** Images a run; default 1. */
  readonly batch?: number;
}

function batchOf(options: ZooOptions): number {
  knownOptions("options", options, ["batch"]);
  return integer("batch", options.batch ?? 1, 1);
}

/** "<layer>.weight" and "<layer>.bias" of these shapes. */
function weights(g: Graph, layer: string, shape: readonly [number, ...number[]]): [Value, Value] {
  return [g.parameter(`${layer}.weight`, shape), g.parameter(`${layer}.bias`, [shape[0]])];
}

/**
 * LeNet-5 for 28 x 28 digits: image [batch, 1, 28, 28], pixels / 255 → logits [batch, 10].
 * LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition", with relu for the
 * squashing functions, max pooling for the trained subsampling, and every map of C3 connected to all of S2.
 *
 * @throws RangeError or TypeError for a batch that is no integer >= 1.
 */
export function lenet5(options: ZooOptions = {}): Graph {
  const batch = batchOf(options);
  const g = new Graph();
  const relu = { activation: "relu" } as const;
  let x = g.input("image", [batch, 1, 28, 28]);
  x = g.layer("conv1").conv2d(x, ...weights(g, "conv1", [6, 1, 5, 5]), { padding: 2, ...relu });
  x = g.layer("pool1").maxPool2d(x, { kernel: 2 });
  x = g.layer("conv2").conv2d(x, ...weights(g, "conv2", [16, 6, 5, 5]), relu);
  x = g.layer("pool2").maxPool2d(x, { kernel: 2 });
  x = g.layer("flatten").flatten(x);
  x = g.layer("fc1").linear(x, ...weights(g, "fc1", [120, 400]), relu);
  x = g.layer("fc2").linear(x, ...weights(g, "fc2", [84, 120]), relu);
  x = g.layer("fc3").linear(x, ...weights(g, "fc3", [10, 84]));
  g.output("logits", x);
  return g;
}

/**
 * AlexNet in its two groups: image [batch, 3, 227, 227] → probabilities [batch, 1000].
 * Krizhevsky, Sutskever, Hinton 2012, "ImageNet classification with deep convolutional neural networks", in the order of
 * Caffe's reference: relu, local response normalisation (which divides alpha by the window), pooling.
 *
 * @throws RangeError or TypeError for a batch that is no integer >= 1.
 */
export function alexnet(options: ZooOptions = {}): Graph {
  const batch = batchOf(options);
  const g = new Graph();
  const relu = { activation: "relu" } as const;
  const lrn = { size: 5, alpha: 1e-4, beta: 0.75, bias: 1 };
  const pool = { kernel: 3, stride: 2 };
  let x = g.input("image", [batch, 3, 227, 227]);
  x = g.layer("conv1").conv2d(x, ...weights(g, "conv1", [96, 3, 11, 11]), { stride: 4, ...relu });
  x = g.layer("norm1").localResponseNorm(x, lrn);
  x = g.layer("pool1").maxPool2d(x, pool);
  x = g.layer("conv2").conv2d(x, ...weights(g, "conv2", [256, 48, 5, 5]), { padding: 2, groups: 2, ...relu });
  x = g.layer("norm2").localResponseNorm(x, lrn);
  x = g.layer("pool2").maxPool2d(x, pool);
  x = g.layer("conv3").conv2d(x, ...weights(g, "conv3", [384, 256, 3, 3]), { padding: 1, ...relu });
  x = g.layer("conv4").conv2d(x, ...weights(g, "conv4", [384, 192, 3, 3]), { padding: 1, groups: 2, ...relu });
  x = g.layer("conv5").conv2d(x, ...weights(g, "conv5", [256, 192, 3, 3]), { padding: 1, groups: 2, ...relu });
  x = g.layer("pool5").maxPool2d(x, pool);
  x = g.layer("flatten").flatten(x);
  x = g.layer("fc6").linear(x, ...weights(g, "fc6", [4096, 9216]), relu);
  x = g.layer("fc7").linear(x, ...weights(g, "fc7", [4096, 4096]), relu);
  x = g.layer("fc8").linear(x, ...weights(g, "fc8", [1000, 4096]));
  g.output("probabilities", g.layer("softmax").softmax(x));
  return g;
}

/** Multiply-accumulates of a layer as it runs, and as a textbook prints them. */
export interface TextbookRow {
  /** Its name. */
  readonly layer: string;
  /** Multiply-accumulates as it runs, groups taken into account. */
  readonly macs: number;
  /** The textbooks' millions, rounded down. */
  readonly textbookMillions: number;
}

/**
 * AlexNet's layers beside the numbers that textbooks give: millions rounded down, conv4 without its groups though conv2 and
 * conv5 have theirs, 105 + 223 + 149 + 224 + 74 + 37 + 16 + 4 = 832; as it runs it takes 724 million.
 */
export function alexnetTextbook(rows: readonly LayerRow[]): TextbookRow[] {
  return rows
    .filter((row) => row.op === "conv2d" || row.op === "linear")
    .map(({ layer, macs, ungroupedMacs }) => ({
      layer,
      macs,
      textbookMillions: Math.floor((layer === "conv4" ? ungroupedMacs : macs) / 1e6),
    }));
}

/**
 * Seeded weights for a graph whose parameters declare their shapes: uniform with mean 0 and variance 2 / fan-in (He et al.
 * 2015), so that activations keep their size through relu layers; vectors (biases) are small. The same everywhere. seed: an
 * integer >= 0; default 1.
 *
 * @throws ModelError for a parameter without a shape, RangeError or TypeError for the seed.
 */
export function randomWeights(graph: GraphData, seed = 1): Map<string, HostTensor> {
  let state = integer("seed", seed, 0) | 0;
  // mulberry32: 32 bits of state, every state once.
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return new Map(
    graph.parameters.map(({ name, shape }) => {
      if (shape === undefined) throw new ModelError(`${show(name)} expected a declared shape, got none`);
      const [filters, ...rest] = shape;
      const fanIn = countOf(rest);
      const bound = rest.length > 0 ? Math.sqrt(6 / fanIn) : 0.05;
      const data = new Float32Array((filters ?? 1) * fanIn);
      for (let i = 0; i < data.length; i++) data[i] = (2 * uniform() - 1) * bound;
      return [name, { shape, dtype: "float32", data }];
    }),
  );
}
