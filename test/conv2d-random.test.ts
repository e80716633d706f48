// Random convolutions: what no table thought of. Every accepting algorithm against the reference, with canaries around the
// output, so that a store outside of it is seen too.
import { describe, expect, it } from "vitest";
import { convShape } from "../src/base/shape.js";
import { CONV_ROWS } from "../src/kernels/table.js";
import { BINARIES } from "./binaries.js";
import { fill, random } from "./random.js";
import { conv2d, conv2dMagnitude } from "./reference.js";
import { FORMATS, refOf, tensorOf } from "./tensors.js";
import { expectClose, normTolerance, TRANSFORM_FACTORS } from "./tolerance.js";

const COUNT = Number(process.env["LANEWISE_FUZZ"] ?? 60);
const CANARY = 64;

function shapes(seed: number) {
  const { integer, uniform } = random(seed);
  const kind = integer(0, 3);
  const small = kind === 0 ? ([3, 3] as const) : ([integer(1, 6), integer(1, 6)] as const);
  const [R, S] = uniform() < 0.15 ? [integer(1, 14), integer(1, 14)] : small;
  const groups = kind === 1 ? integer(1, 9) : integer(1, 3);
  const perGroup = kind === 1 ? 1 : integer(1, 11);
  const C = groups * perGroup;
  const M = groups * integer(1, kind === 1 ? 3 : 12);
  const plain = kind === 0 || uniform() < 0.5;
  const stride = plain ? ([1, 1] as const) : ([integer(1, 3), integer(1, 3)] as const);
  const dilation = plain ? ([1, 1] as const) : ([integer(1, 3), integer(1, 3)] as const);
  const padding = [integer(0, R), integer(0, S), integer(0, R), integer(0, S)] as const;
  const least = (taps: number, step: number, pads: number) => Math.max(1, (taps - 1) * step + 1 - pads);
  const H = least(R, dilation[0], padding[0] + padding[2]) + integer(0, 14);
  const W = least(S, dilation[1], padding[1] + padding[3]) + integer(0, 14);
  return {
    x: [integer(1, 2), C, H, W] as const,
    w: [M, perGroup, R, S] as const,
    options: { stride, padding, dilation, groups },
  };
}

describe.each(BINARIES)("random convolutions on the $name binary", ({ create }) => {
  it(`${COUNT} of them`, async () => {
    const rt = await create();
    let runs = 0;
    for (let seed = 1; seed <= COUNT; seed++) {
      const { x, w, options } = shapes(seed);
      const label = `seed ${seed}: ${JSON.stringify({ x, w, ...options })}`;
      const shape = convShape(x, w, options);
      const [xd, wd, bd] = [fill(x, `x${seed}`), fill(w, `w${seed}`), fill([w[0]], `b${seed}`)];
      const operands = [refOf(xd, x), refOf(wd, w), refOf(bd, [w[0]]), options] as const;
      const expected = conv2d(...operands);
      const magnitude = conv2dMagnitude(...operands);
      for (const row of CONV_ROWS.filter((candidate) => candidate.accepts(shape) === true)) {
        const tolerance = normTolerance(w[1] * w[2] * w[3], magnitude, TRANSFORM_FACTORS[row.algorithm] ?? 1);
        for (const memoryFormat of FORMATS) {
          using input = tensorOf(rt, xd, x, memoryFormat);
          using weight = rt.tensor(wd, w);
          using bias = rt.tensor(bd, [w[0]]);
          using plan = rt.plan.conv2d({ input: x, memoryFormat, weight, bias, ...options, algorithm: row.algorithm });
          using before = rt.tensor(new Float32Array(CANARY).fill(7), [CANARY]);
          using y = rt.empty(plan.outputs[0] as (typeof plan.outputs)[number]);
          using after = rt.tensor(new Float32Array(CANARY).fill(8), [CANARY]);
          plan.run(input, y);
          expectClose(y.toArray() as Float32Array, expected, tolerance, `${row.algorithm} ${memoryFormat} ${label}`);
          expect(
            (before.data as Float32Array).every((v) => v === 7) && (after.data as Float32Array).every((v) => v === 8),
            label,
          ).toBe(true);
          expect(Array.from(input.toArray() as Float32Array), `${row.algorithm} changed its input, ${label}`).toEqual(
            Array.from(xd),
          );
          runs++;
        }
      }
    }
    expect(runs).toBeGreaterThan(COUNT * 6);
    expect(rt.report().bytesInUse).toBe(0);
  });
});
