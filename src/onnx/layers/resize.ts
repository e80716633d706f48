// Resize and Upsample of images by tables of taps: see assembly/kernels/resize.ts.
import { ResizeDesc } from "../../kernels/gen/numeric/resize-desc.js";
import { defineOperator, type Operator, outputSpec } from "../../ops/operator.js";
import { channelsLastImage, channelsLastOutput } from "../../ops/parts/image.js";

/** Where one output position's value comes from: input positions and their weights. */
export interface Taps {
  readonly at: readonly number[];
  readonly weights: readonly number[];
}

/** One entry a pair of taps; pairs is 0 where every position copies one tap. step: bytes from input position to position. */
function tapTable(taps: readonly Taps[], step: number): { readonly table: Int32Array; readonly pairs: number } {
  const used = taps.map(({ at, weights }) =>
    at.flatMap((i, k) => (weights[k] === 0 ? [] : [{ offset: i * step, weight: weights[k] as number }])),
  );
  const isCopy = used.every((list) => list.length === 1 && list[0]?.weight === 1);
  const pairs = isCopy ? 0 : Math.ceil(Math.max(...used.map((list) => list.length)) / 2);
  const entries = Math.max(pairs, 1);
  const table = new Int32Array(taps.length * entries * 4);
  const weights = new Float32Array(table.buffer);
  used.forEach((list, position) => {
    for (let k = 0; k < 2 * entries; k++) {
      // Taps that are missing weigh nothing, and repeat one that is there.
      const { offset = 0, weight = 0 } = list[k] ?? { offset: list[0]?.offset };
      const at = (position * entries + (k >> 1)) * 4 + (k & 1);
      table[at] = offset;
      weights[at + 2] = weight;
    }
  });
  return { table, pairs };
}

/** One input [N, C, H, W] → [N, C, P, Q]; rows and columns have a list of taps for each output position. */
export function resize(rows: readonly Taps[], columns: readonly Taps[], label = "Resize"): Operator {
  const [outH, outW] = [rows.length, columns.length];
  return defineOperator({
    name: label,
    inputs: ["input"],
    infer: ({ input }) => ({ outputs: [outputSpec([...input.shape.slice(0, 2), outH, outW], input)] }),
    lower(b, { input }) {
      const [N, C, H, W] = input.spec.shape as [number, number, number, number];
      const image = channelsLastImage(b, input, 1, [0, 0, 0, 0]);
      const y = channelsLastOutput(b, b.output);
      const row = tapTable(rows, image.rowBytes);
      const column = tapTable(columns, image.pixelBytes);
      const values = {
        xPtr: image.ref,
        yPtr: y.ref,
        rowsPtr: b.table(row.table),
        columnsPtr: b.table(column.table),
        rowPairs: row.pairs,
        columnPairs: column.pairs,
        channels: C,
        height: H,
        width: W,
        outH,
        outW,
      };
      b.step("resize_f32", ResizeDesc, values, N * outH, row.pairs > 0 ? image.rowBytes : 0);
      y.finish();
    },
  });
}
