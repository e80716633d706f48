// Images as kernels read and write them: channels-last, padded where a kernel wants it, copied only where they must be.
import { countOf, roundUp } from "../../base/shape.js";
import { byteStrides, type TensorSpec } from "../../base/spec.js";
import { PadImageDesc, TransposeDesc } from "../../kernels/gen/desc.js";
import type { Builder } from "../../plan/builder.js";
import { NONE, type Operand, type Ref } from "../../plan/operand.js";

/** A channels-last image in memory. Strides in bytes. */
export interface Image {
  readonly ref: Ref;
  readonly height: number;
  readonly width: number;
  readonly pixelBytes: number;
  readonly rowBytes: number;
  readonly imageBytes: number;
  readonly groupBytes: number;
}

/**
 * The input as a channels-last image with room for `padding` around it. `lanes` rounds each group's channels up (4 for
 * kernels whose lanes are channels). Copies only when it must.
 */
export function channelsLastImage(
  b: Builder,
  input: Operand,
  groups: number,
  padding: readonly [number, number, number, number],
  lanes = 1,
): Image {
  const [N, C, H, W] = input.spec.shape as [number, number, number, number];
  const [top, left, bottom, right] = padding;
  const perGroup = roundUp(C / groups, lanes);
  const height = H + top + bottom;
  const width = W + left + right;
  const pixelBytes = perGroup * groups * 4;
  const layout = {
    height,
    width,
    pixelBytes,
    rowBytes: width * pixelBytes,
    imageBytes: height * width * pixelBytes,
    groupBytes: perGroup * 4,
  };
  const isCopy = height !== H || width !== W || perGroup * groups !== C || !isChannelsLast(input.spec);
  if (!isCopy) return { ref: input.ref, ...layout };
  const ref = b.workspace(N * layout.imageBytes);
  const [sN, sC, sH, sW] = byteStrides(input.spec);
  const values = {
    srcPtr: input.ref,
    dstPtr: ref,
    channels: C,
    height: H,
    width: W,
    srcImageBytes: sN,
    srcRowBytes: sH,
    srcPixelBytes: sW,
    srcChannelBytes: isChannelsLast(input.spec) ? 4 : sC,
    dstHeight: height,
    dstWidth: width,
    padTop: top,
    padLeft: left,
    groups,
    groupChannelsPadded: perGroup,
  };
  b.step("pad_image_f32", PadImageDesc, values, N * height);
  return { ref, ...layout };
}

/** A contiguous tensor whose channels are one, or whose images are one pixel, lies as a channels-last one does. */
export function isChannelsLast(spec: TensorSpec): boolean {
  const [, C, ...spatial] = spec.shape;
  return spec.memoryFormat === "channelsLast" || C === 1 || spatial.every((size) => size === 1);
}

/**
 * Where an algorithm writes its channels-last result: the output itself, or workspace that `finish` transposes into it.
 * Call `finish` after the steps that write. A residual of the output's spec is brought there first: every kernel reads an
 * element of it before it stores that element, and stores it once.
 */
export function channelsLastOutput(
  b: Builder,
  output: Operand,
  residual?: Operand,
): { readonly ref: Ref; readonly residualPtr: Ref; finish(): void } {
  if (isChannelsLast(output.spec)) return { ref: output.ref, residualPtr: residual?.ref ?? NONE, finish() {} };
  const [N, C, ...spatial] = output.spec.shape as [number, number, ...number[]];
  const pixels = countOf(spatial);
  const bytes = C * pixels * 4;
  const ref = b.workspace(N * bytes);
  const transpose = (srcPtr: Ref, dstPtr: Ref, rows: number, cols: number): void => {
    const values = { srcPtr, dstPtr, rows, cols, srcBatchBytes: bytes, dstBatchBytes: bytes };
    b.step("transpose_f32", TransposeDesc, values, N * Math.ceil(rows / 4));
  };
  if (residual) transpose(residual.ref, ref, C, pixels);
  return { ref, residualPtr: residual ? ref : NONE, finish: () => transpose(ref, output.ref, pixels, C) };
}
