// Graphs of networks that the package does not ship, without weights: for their layers' shapes.
import { Graph, type Value } from "lanewise";

const relu = { activation: "relu" } as const;

/** One after the other, each with a name of its own, batch normalisation folded into the weights before it. */
class Writer {
  readonly g = new Graph();
  conv(name: string, x: Value, shape: readonly [number, number, number, number], options: object): Value {
    const weight = this.g.parameter(`${name}.weight`, shape);
    const bias = this.g.parameter(`${name}.bias`, [shape[0]]);
    return this.g.layer(name).conv2d(x, weight, bias, options);
  }
  linear(name: string, x: Value, shape: readonly [number, number], options: object = {}): Value {
    const weight = this.g.parameter(`${name}.weight`, shape);
    return this.g.layer(name).linear(x, weight, this.g.parameter(`${name}.bias`, [shape[0]]), options);
  }
}

/** Simonyan and Zisserman 2014, configuration D. */
export function vgg16(): Graph {
  const net = new Writer();
  let x = net.g.input("image", [1, 3, 224, 224]);
  let C = 3;
  for (const [stage, [M, count]] of (
    [
      [64, 2],
      [128, 2],
      [256, 3],
      [512, 3],
      [512, 3],
    ] as const
  ).entries()) {
    for (let i = 1; i <= count; i++) {
      x = net.conv(`conv${stage + 1}_${i}`, x, [M, C, 3, 3], { padding: 1, ...relu });
      C = M;
    }
    x = net.g.layer(`pool${stage + 1}`).maxPool2d(x, { kernel: 2 });
  }
  x = net.g.layer("flatten").flatten(x);
  x = net.linear("fc6", x, [4096, 512 * 7 * 7], relu);
  x = net.linear("fc7", x, [4096, 4096], relu);
  net.g.output("logits", net.linear("fc8", x, [1000, 4096]));
  return net.g;
}

/** He, Zhang, Ren and Sun 2015, table 1. */
export function resnet18(): Graph {
  const net = new Writer();
  let x = net.conv("conv1", net.g.input("image", [1, 3, 224, 224]), [64, 3, 7, 7], { stride: 2, padding: 3, ...relu });
  x = net.g.layer("pool1").maxPool2d(x, { kernel: 3, stride: 2, padding: 1 });
  let C = 64;
  for (const [stage, M] of [64, 128, 256, 512].entries())
    for (let block = 1; block <= 2; block++) {
      const name = `stage${stage + 2}_${block}`;
      const stride = stage > 0 && block === 1 ? 2 : 1;
      const beside = stride === 1 ? x : net.conv(`${name}.shortcut`, x, [M, C, 1, 1], { stride });
      const first = net.conv(`${name}.a`, x, [M, C, 3, 3], { stride, padding: 1, ...relu });
      const second = net.conv(`${name}.b`, first, [M, M, 3, 3], { padding: 1 });
      x = net.g.layer(`${name}.add`).add(second, beside, relu);
      C = M;
    }
  x = net.g.layer("flatten").flatten(net.g.layer("pool").globalAvgPool(x));
  net.g.output("logits", net.linear("fc", x, [1000, 512]));
  return net.g;
}

/** Howard et al. 2017, table 1: depthwise and pointwise in turns. */
export function mobilenet(): Graph {
  const net = new Writer();
  let x = net.conv("conv1", net.g.input("image", [1, 3, 224, 224]), [32, 3, 3, 3], { stride: 2, padding: 1, ...relu });
  let C = 32;
  const blocks: readonly (readonly [M: number, stride: number])[] = [
    [64, 1],
    [128, 2],
    [128, 1],
    [256, 2],
    [256, 1],
    [512, 2],
    ...Array.from({ length: 5 }, () => [512, 1] as const),
    [1024, 2],
    [1024, 1],
  ];
  for (const [i, [M, stride]] of blocks.entries()) {
    x = net.conv(`dw${i + 2}`, x, [C, 1, 3, 3], { stride, padding: 1, groups: C, ...relu });
    x = net.conv(`pw${i + 2}`, x, [M, C, 1, 1], relu);
    C = M;
  }
  x = net.g.layer("flatten").flatten(net.g.layer("pool").globalAvgPool(x));
  net.g.output("logits", net.linear("fc", x, [1000, 1024]));
  return net.g;
}
