// Random layers of bytes: any shape, any zero points and endings, every bit in every binary.
import { expect, it } from "vitest";
import type { DType, Tensor } from "../src/index.js";
import type { Ending } from "../src/onnx/layers/int8/form.js";
import { convolution, exactParts, weightRange } from "../src/onnx/layers/int8/product.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { INT8_BINARIES } from "./binaries.js";
import { type Conv, convSums, ended, outSize } from "./int8-reference.js";
import { type Random, random } from "./random.js";

const LAYERS = 40;

/** A layer whose windows fit its image. */
function shapeOf(r: Random): Conv {
  const groups = r.integer(0, 3) === 0 ? r.integer(2, 4) : 1;
  const isThree = r.integer(0, 2) === 0;
  const taps = () => (isThree ? 3 : r.integer(1, 5));
  const [R, S] = r.integer(0, 2) === 0 && !isThree ? [1, 1] : [taps(), taps()];
  const several = (most: number) => (isThree ? 1 : r.integer(1, most));
  const dilations = [several(2), several(2)] as const;
  const side = (size: number) => r.integer(0, Math.min(size, 3));
  return {
    N: r.integer(1, 2),
    C: groups * r.integer(1, 40),
    H: (R - 1) * dilations[0] + r.integer(1, 9),
    W: (S - 1) * dilations[1] + r.integer(1, 9),
    M: groups * r.integer(1, 30),
    R,
    S,
    strides: [several(3), several(3)],
    padding: [side(R), side(S), side(R), side(S)],
    dilations,
    groups,
  };
}

function endingOf(r: Random, M: number, terms: number): Ending {
  const type = (["uint8", "uint8", "int32", "float32"] as const)[r.integer(0, 3)] as Ending["type"];
  if (type === "int32") return { type };
  const scale = Float32Array.from(
    { length: r.integer(0, 1) ? M : 1 },
    () => r.uniform(0.5, 2) / (40 * Math.sqrt(terms)),
  );
  return type === "float32"
    ? { type, scale, low: r.integer(0, 1) ? 0 : -Infinity, high: 6 }
    : { type, scale, zero: r.integer(0, 255), low: r.integer(0, 60), high: r.integer(180, 255) };
}

function layerOf(r: Random) {
  const conv = shapeOf(r);
  const { N, C, H, W, M, R, S, groups, padding, strides, dilations } = conv;
  const terms = (C / groups) * R * S;
  const isSigned = r.integer(0, 1) === 1;
  const [low, high] = isSigned ? [-128, 127] : [0, 255];
  const draw = (length: number, from: number, to: number) => Array.from({ length }, () => r.integer(from, to));
  const x = Uint8Array.from(draw(N * H * W * C, 0, 255)); // [N, C, H, W]
  const w = (isSigned ? Int8Array : Uint8Array).from(draw(M * terms, low, high));
  const bias = r.integer(0, 2) ? Int32Array.from(draw(M, -9000, 9000)) : undefined;
  const wZero = r.integer(0, 2) ? [isSigned ? 0 : 128] : draw(r.integer(0, 1) ? M : 1, low, high);
  const xZero = r.integer(0, 255);
  const ending = endingOf(r, M, terms);
  const P = outSize(H, padding[0], padding[2], R, strides[0], dilations[0]);
  const Q = outSize(W, padding[1], padding[3], S, strides[1], dilations[1]);
  const sums = convSums(conv, x, xZero, w, wZero, bias);
  const weights = { data: w, zero: wZero, filters: M };
  const known = r.integer(0, 1) ? { range: weightRange(weights), parts: exactParts(xZero, weights, C / groups) } : {};
  const wanted = sums.map((sum, i) => ended(sum, Math.floor(i / (P * Q)) % M, ending));
  return { conv, x, w, bias, options: { ...conv, xZero, wZero, ending, ...known }, wanted };
}

const LISTED = Array.from({ length: LAYERS }, (_, i) => layerOf(random(`layer of bytes ${i}`)));

it.each(INT8_BINARIES)(`${LAYERS} random layers are whole numbers to the last bit, $name`, async ({ create }) => {
  using rt = await create();
  const wrong: string[] = [];
  LISTED.forEach(({ conv, x, w, bias, options, wanted }, i) => {
    const { N, C, H, W, M, R, S, groups } = conv;
    const pixels = H * W;
    const lying = Uint8Array.from(x, (_, at) => {
      const [n, rest] = [Math.floor(at / (pixels * C)), at % (pixels * C)];
      return x[(n * C + (rest % C)) * pixels + Math.floor(rest / C)] as number;
    });
    const tensors = [
      rt.tensor(lying, [N, C, H, W], { memoryFormat: "channelsLast" }),
      rt.tensor(w, [M, C / groups, R, S]),
      ...(bias ? [rt.tensor(bias, [M])] : []),
    ] as Tensor<DType>[];
    const y = internalsOf(rt).apply(convolution(options), tensors) as Tensor<DType>;
    const got = y.toArray() as Int32Array;
    const at = wanted.findIndex((v, k) => v !== got[k]);
    if (at >= 0 || got.length !== wanted.length) wrong.push(`layer ${i}: ${got[at]} for ${wanted[at]} at ${at}`);
    for (const tensor of [...tensors, y]) tensor.dispose();
  });
  expect(wrong).toEqual([]);
  expect(rt.report().bytesInUse).toBe(0);
});
