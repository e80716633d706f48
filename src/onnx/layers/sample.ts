// Images at fractional places: see assembly/kernels/sample.ts.
import { countOf } from "../../base/shape.js";
import { makeSpec, type TensorData, type TensorSpec } from "../../base/spec.js";
import { SampleCode } from "../../kernels/gen/rare/sample-code.js";
import { SampleDesc } from "../../kernels/gen/rare/sample-desc.js";
import { SampleMode } from "../../kernels/gen/rare/sample-mode.js";
import { SamplePadding } from "../../kernels/gen/rare/sample-padding.js";
import { defineOperator, type Operator, outputSpec, requireFloat } from "../../ops/operator.js";
import { channelsLastImage, channelsLastOutput } from "../../ops/parts/image.js";
import { contiguousInput } from "../../ops/parts/strided.js";
import type { Builder } from "../../plan/builder.js";
import { NONE, type Operand, type Ref } from "../../plan/operand.js";
import type { WindowAxis } from "../semantics/windows.js";

/** Taps of two axes, then 64 corners. */
const SCRATCH_BYTES = 640;

const NOTHING = {
  kind: SampleCode.grid as number,
  mode: SampleMode.linear as number,
  padding: SamplePadding.zeros as number,
  isAligned: 0,
  outH: 1,
  outW: 1,
  ratio: 0,
  isHalf: 0,
  isMax: 0,
  hasFactors: 0,
  groups: 1,
  kernelH: 1,
  kernelW: 1,
  strideH: 1,
  strideW: 1,
  dilationH: 1,
  dilationW: 1,
  padTop: 0,
  padLeft: 0,
  scale: 1,
};

/** y: where `items` places have their channels one after the other. */
function sample(
  b: Builder,
  input: Operand,
  placesPtr: Ref,
  morePtr: Ref,
  yPtr: Ref,
  items: number,
  how: Partial<typeof NOTHING>,
): void {
  const [, C, height, width] = input.spec.shape as [number, number, number, number];
  const image = channelsLastImage(b, input, 1, [0, 0, 0, 0]);
  const fields = { ...NOTHING, ...how };
  const own = { channels: C / fields.groups, pixelBytes: image.pixelBytes, height, width };
  const values = { xPtr: image.ref, yPtr, placesPtr, morePtr, ...own, ...fields };
  b.step("sample_f32", SampleDesc, values, items, SCRATCH_BYTES);
}

export interface GridOptions {
  readonly mode: keyof typeof SampleMode;
  readonly padding: keyof typeof SamplePadding;
  readonly isAligned: boolean;
}

/** [N, C, H, W] and a grid [N, P, Q, 2] → [N, C, P, Q]. */
export function gridSample({ mode, padding, isAligned }: GridOptions): Operator {
  return defineOperator({
    name: "GridSample",
    inputs: ["input", "grid"],
    infer({ input, grid }: { input: TensorSpec; grid: TensorSpec }) {
      requireFloat("input", input);
      requireFloat("grid", grid);
      const shape = [...input.shape.slice(0, 2), ...grid.shape.slice(1, 3)];
      return { outputs: [outputSpec(shape, input)], macs: countOf(shape) * (mode === "cubic" ? 16 : 4) };
    },
    lower(b, { input, grid }) {
      const [n, , outH, outW] = b.output.spec.shape as [number, number, number, number];
      const y = channelsLastOutput(b, b.output);
      const how = {
        mode: SampleMode[mode],
        padding: SamplePadding[padding],
        isAligned: Number(isAligned),
        outH,
        outW,
      };
      sample(b, input, contiguousInput(b, grid), NONE, y.ref, n * outH * outW, how);
      y.finish();
    },
  });
}

export interface BoxOptions {
  readonly rows: number;
  readonly columns: number;
  /** Places a bin and axis; 0: as many as it has elements. */
  readonly ratio: number;
  readonly isHalf: boolean;
  readonly isMax: boolean;
  readonly scale: number;
  /** Every run, before anything is sampled: throws for images that are not there. */
  readonly check: (boxes: Float32Array, images: TensorData, found: Int32Array) => void;
}

/** [N, C, H, W], boxes [R, 4] and whose image each is of [R] → [R, C, rows, columns]. */
export function boxSample({ rows, columns, ratio, isHalf, isMax, scale, check }: BoxOptions): Operator {
  return defineOperator({
    name: "RoiAlign",
    inputs: ["input", "boxes", "images"],
    infer({ input, boxes }: { input: TensorSpec; boxes: TensorSpec; images: TensorSpec }) {
      requireFloat("input", input);
      requireFloat("boxes", boxes);
      const shape = [boxes.shape[0] as number, input.shape[1] as number, rows, columns];
      return { outputs: [outputSpec(shape, input)], macs: countOf(shape) * 4 * Math.max(1, ratio) ** 2 };
    },
    lower(b, { input, boxes, images }) {
      const count = boxes.spec.shape[0] as number;
      const found = { ref: b.workspace(count * 4), spec: makeSpec([count], "int32", "contiguous", "images") };
      b.hostStep([boxes, images, found], ([a, i, to]) => check(a as Float32Array, i as TensorData, to as Int32Array));
      const y = channelsLastOutput(b, b.output);
      const how = { kind: SampleCode.boxes, outH: rows, outW: columns, ratio, scale };
      const flags = { isHalf: Number(isHalf), isMax: Number(isMax) };
      sample(b, input, boxes.ref, found.ref, y.ref, count * rows * columns, { ...how, ...flags });
      y.finish();
    },
  });
}

/** [N, C, H, W], offsets [N, groups, taps, 2, outs] and factors → patches [N, outs, taps * C]. */
export function patchSample([h, w]: readonly [WindowAxis, WindowAxis], groups: number, hasFactors: boolean): Operator {
  return defineOperator({
    name: "DeformConv",
    inputs: ["inputs"],
    variadic: true,
    infer({ inputs }: { inputs: readonly TensorSpec[] }) {
      for (const spec of inputs) requireFloat("inputs", spec);
      const [n = 0, channels = 0] = inputs[0]?.shape ?? [];
      const shape = [n, h.out * w.out, h.taps * w.taps * channels];
      return { outputs: [makeSpec(shape, "float32", "contiguous", "output")], macs: countOf(shape) * 4 };
    },
    lower(b, { inputs }) {
      const [input, offsets, factors] = inputs as unknown as [Operand, Operand, Operand | undefined];
      const how = {
        kind: SampleCode.offsets,
        outH: h.out,
        outW: w.out,
        hasFactors: Number(hasFactors),
        groups,
        kernelH: h.taps,
        kernelW: w.taps,
        strideH: h.stride,
        strideW: w.stride,
        dilationH: h.dilation,
        dilationW: w.dilation,
        padTop: h.before,
        padLeft: w.before,
      };
      const items = (input.spec.shape[0] as number) * h.out * w.out * h.taps * w.taps * groups;
      const more = factors ? contiguousInput(b, factors) : NONE;
      sample(b, input, contiguousInput(b, offsets), more, b.output.ref, items, how);
    },
  });
}
