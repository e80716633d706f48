// Elements at indices that a run computes: see assembly/kernels/gather.ts.
import { countOf } from "../../base/shape.js";
import { DTYPES, makeSpec } from "../../base/spec.js";
import { CHUNK } from "../../kernels/gen/constants.js";
import { PickDesc } from "../../kernels/gen/rare/pick-desc.js";
import { PlacesDesc } from "../../kernels/gen/rare/places-desc.js";
import { defineOperator, type Operator } from "../../ops/operator.js";
import { contiguousInput } from "../../ops/parts/strided.js";

export interface GatherOptions {
  readonly label: string;
  readonly shape: readonly number[];
  /** What indices, one a row and axis, count: the axis' size, and elements of x from one to the next. */
  readonly axes: readonly { readonly size: number; readonly stride: number }[];
  /** Rows of indices for each outer index, or for all of them. */
  readonly isOwn: boolean;
  readonly outer: number;
  /** Elements of x from one outer index to the next. */
  readonly outerElements: number;
  /** Elements of a run, from a place on. */
  readonly run: number;
  /** Neighbours in a row of single elements that are neighbours in x. */
  readonly inner: number;
  /** Throws for an index that is none. */
  readonly refuse: (index: number, size: number) => void;
}

/** x and whole indices → x at these. */
export function gatherAt(options: GatherOptions): Operator {
  const { label, shape, axes, isOwn, outer, outerElements, run, inner, refuse } = options;
  return defineOperator({
    name: label,
    inputs: ["input", "indices"],
    infer: ({ input }) => ({ outputs: [makeSpec(shape, input.dtype, "contiguous", "output")] }),
    lower(b, { input, indices }) {
      const count = countOf(indices.spec.shape) / axes.length;
      const chunks = Math.ceil(count / CHUNK);
      const places = b.workspace(count * 4);
      const wrong = { ref: b.workspace(chunks * 16), spec: makeSpec([chunks, 2], "float64", "contiguous", "wrong") };
      const own = {
        indicesPtr: contiguousInput(b, indices),
        axesPtr: b.table(Int32Array.from(axes.flatMap(({ size, stride }) => [size, stride]))),
        placesPtr: places,
        wrongPtr: wrong.ref,
        count,
        depth: axes.length,
        isWide: Number(indices.spec.dtype === "int64"),
      };
      const xPtr = contiguousInput(b, input);
      b.step("index_places", PlacesDesc, own, chunks);
      b.hostStep([wrong], ([found]) => {
        const told = found as Float64Array;
        for (let i = 0; i < told.length; i += 2)
          if (!Number.isNaN(told[i])) refuse(told[i] as number, told[i + 1] as number);
      });
      const elementBytes = DTYPES[input.spec.dtype].BYTES_PER_ELEMENT;
      const rows = isOwn ? count / outer : count;
      const values = {
        xPtr,
        yPtr: b.output.ref,
        placesPtr: places,
        isOwn: Number(isOwn),
        count: outer * rows,
        rows,
        outerElements,
        inner,
        elementBytes,
        runBytes: run * elementBytes,
      };
      b.step("gather", PickDesc, values, run === 1 ? Math.ceil((outer * rows) / CHUNK) : outer * rows);
    },
  });
}
