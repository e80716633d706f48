// Layer, RMS, group and instance normalisation of files, beside float64: every tail of a line, lines that several chunks are
// summed from, and values far from 0.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime, Tensor } from "../src/index.js";
import { loadOnnx } from "../src/onnx/index.js";
import { BINARIES } from "./binaries.js";
import { type Constant, onnxFile } from "./onnx-file.js";
import { fill } from "./random.js";
import { groupNorm, instanceNorm, layerNorm, type Ref, ref } from "./reference.js";
import { expectClose, UNIT_ROUNDOFF } from "./tolerance.js";

const EPSILON = 1e-3;

interface Case {
  readonly op: string;
  readonly shape: readonly number[];
  readonly constants: Readonly<Record<string, Constant>>;
  readonly attributes?: Readonly<Record<string, number>>;
  readonly opset?: number;
  readonly offset?: number;
  readonly expected: (x: Ref) => Ref;
  /** Elements of a line. */
  readonly length: number;
}

const vector = (length: number, seed: string): Constant => ({ dims: [length], data: fill([length], seed) });
const refOf = ({ dims, data }: Constant): Ref => ref(dims, Array.from(data as Float32Array));

/** x / sqrt(mean of x^2 + epsilon) * gamma over the last axis. */
function rms({ shape, data }: Ref, gamma: Ref): Ref {
  const length = gamma.data.length;
  const y = Float64Array.from(data);
  for (let from = 0; from < y.length; from += length) {
    let squares = 0;
    for (let i = 0; i < length; i++) squares += (y[from + i] as number) ** 2;
    const root = Math.sqrt(squares / length + EPSILON);
    for (let i = 0; i < length; i++) y[from + i] = ((y[from + i] as number) / root) * (gamma.data[i] as number);
  }
  return ref(shape, Array.from(y));
}

const LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 31, 96, 197, 2051, 4100];

const CASES: readonly Case[] = [
  ...LENGTHS.flatMap((length): Case[] => {
    const [gamma, beta] = [vector(length, "gamma"), vector(length, "beta")];
    const shape = [2, 3, length];
    return [
      {
        op: "LayerNormalization",
        shape,
        length,
        constants: { gamma, beta },
        expected: (x) => layerNorm(x, refOf(gamma), refOf(beta), EPSILON),
      },
      {
        op: "LayerNormalization",
        shape,
        length,
        constants: { gamma },
        offset: 40,
        expected: (x) => layerNorm(x, refOf(gamma), null, EPSILON),
      },
      { op: "RMSNormalization", shape, length, constants: { gamma }, opset: 23, expected: (x) => rms(x, refOf(gamma)) },
    ];
  }),
  ...[
    [2, 6, 1, 1],
    [2, 6, 3, 1],
    [1, 6, 7, 5],
    [2, 6, 19],
  ].flatMap((shape): Case[] => {
    const [gamma, beta] = [vector(6, "gamma"), vector(6, "beta")];
    const pixels = shape.slice(2).reduce((product, size) => product * size, 1);
    return [
      {
        op: "InstanceNormalization",
        shape,
        length: pixels,
        constants: { gamma, beta },
        expected: (x) => instanceNorm(x, refOf(gamma), refOf(beta), EPSILON),
      },
      ...[1, 2, 3, 6].map((groups): Case => {
        return {
          op: "GroupNormalization",
          shape,
          length: (6 / groups) * pixels,
          constants: { gamma, beta },
          attributes: { num_groups: groups },
          opset: 21,
          expected: (x) => groupNorm(x, groups, refOf(gamma), refOf(beta), EPSILON),
        };
      }),
    ];
  }),
];

describe.each(BINARIES)("normalisations on $name", ({ create }) => {
  let rt: Runtime;
  beforeAll(async () => {
    rt = await create();
  });
  afterAll(() => rt.dispose());

  it.each(CASES)(
    "$op of $shape",
    async ({ op, shape, constants, attributes, opset = 17, offset = 0, expected, length }) => {
      const file = onnxFile({
        inputs: { x: shape },
        outputs: ["y"],
        constants,
        nodes: [
          {
            op,
            inputs: ["x", ...Object.keys(constants)],
            outputs: ["y"],
            attributes: { epsilon: { float: EPSILON }, ...attributes },
          },
        ],
        opset,
      });
      using model = await loadOnnx(rt, file);
      expect(model.summary().rows.some(({ reason }) => reason === "JavaScript")).toBe(false);
      const data = fill(shape, "x").map((v) => v + offset);
      using x = rt.tensor(data, shape);
      const want = expected(ref(shape, Array.from(data)));
      const { y } = model.run({ x }) as { y: Tensor };
      // Of a line's sum, 8 lanes wide, and a few roundings; 1 / sqrt(epsilon) is the largest factor. A mean far from 0 is rounded.
      const error = UNIT_ROUNDOFF * (Math.min(length, 2048) / 8 + 8);
      const tolerance = Float64Array.from(
        want.data,
        (v) => error * (Math.abs(v) + 1) + (offset * 2 * UNIT_ROUNDOFF) / Math.sqrt(EPSILON),
      );
      expectClose(y.toArray() as Float32Array, want, tolerance, op);
    },
  );
});
