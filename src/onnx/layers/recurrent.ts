// Recurrent layers from the products of their inputs: one or two kernel calls a step, see assembly/kernels/recurrent.ts.
import { ModelError } from "../../base/errors.js";
import { makeSpec } from "../../base/spec.js";
import { RECURRENT_SCRATCH_BYTES, RECURRENT_UNITS } from "../../kernels/gen/constants.js";
import { RecurrentCell } from "../../kernels/gen/recurrent/recurrent-cell.js";
import { RecurrentDesc } from "../../kernels/gen/recurrent/recurrent-desc.js";
import { defineOperator, type Operator } from "../../ops/operator.js";
import { packMatrix } from "../../ops/parts/matrix-product.js";
import { contiguousInput } from "../../ops/parts/strided.js";
import type { Builder } from "../../plan/builder.js";
import { NONE, type Operand, type Ref, shift } from "../../plan/operand.js";

export type RecurrentName = "LSTM" | "GRU" | "RNN";

/** Gates of a unit. */
export const GATES: Readonly<Record<RecurrentName, number>> = { LSTM: 4, GRU: 3, RNN: 1 };

/** An activation as the kernel has it: an ActivationCode and its numbers. */
export interface CellActivation {
  readonly code: number;
  readonly alpha: number;
  readonly beta: number;
}

export interface RecurrentLayer {
  readonly name: RecurrentName;
  readonly steps: number;
  readonly rows: number;
  readonly directions: number;
  readonly hidden: number;
  /** Whether the first direction goes backwards; the second always does. */
  readonly isReverse: boolean;
  /** Images of sequences come first in every operand: [rows, ...]. */
  readonly isBatchFirst: boolean;
  /** Of GRU: the reset gate scales the product. */
  readonly isLinearBefore: boolean;
  /** Of LSTM: forget = 1 - input. */
  readonly isCoupled: boolean;
  readonly clip: number;
  /** Of gates, of what is new, and of LSTM's state on its way out. */
  readonly activations: readonly CellActivation[];
  /** What a run brings beside the inputs' products, in this order. */
  readonly has: { readonly lengths: boolean; readonly h: boolean; readonly c: boolean };
}

/**
 * Products of the inputs [T, N, D gates H] (or [N, T, ...]), then lengths int32 [N], h and c [D, N, H] (or [N, D, H]) where the layer
 * has them; parameters: R [D, gates, H, H], of GRU what the reset gate scales beside the product [D, H], of LSTM peepholes
 * [D, 3, H]. Answers Y, Y_h and, of LSTM, Y_c, as ONNX has them.
 */
export function recurrent(layer: RecurrentLayer): Operator {
  const { name, steps, rows, directions, hidden, isBatchFirst } = layer;
  const isLstm = name === "LSTM";
  const state = isBatchFirst ? [rows, directions, hidden] : [directions, rows, hidden];
  const output = isBatchFirst ? [rows, steps, directions, hidden] : [steps, directions, rows, hidden];
  const spec = (shape: readonly number[]) => makeSpec(shape, "float32", "contiguous", "output");
  return defineOperator({
    name,
    inputs: ["inputs"],
    variadic: true,
    params: ["weight"],
    optional: ["bias", "peepholes"],
    outputs: () => (isLstm ? ["y", "h", "c"] : ["y", "h"]),
    infer: () => ({
      outputs: [spec(output), spec(state), ...(isLstm ? [spec(state)] : [])],
      macs: steps * rows * directions * GATES[name] * hidden * hidden,
    }),
    lower(b, { inputs, weight, bias, peepholes }) {
      b.algorithm = "steps";
      b.reason = "packed weights are read once a step";
      if (layer.has.lengths) requireLengths(b, inputs[1] as Operand, steps);
      const given = inputs.map((input) => contiguousInput(b, input));
      const take = (isThere: boolean): Ref => (isThere ? (given.shift() as Ref) : NONE);
      const [x, lengths, h, c] = [take(true), take(layer.has.lengths), take(layer.has.h), take(layer.has.c)];
      const bytes = hidden * 4;
      const zeros = layer.has.h && (layer.has.c || !isLstm) ? NONE : b.constant(rows * directions * bytes);
      const matrices = directions * GATES[name];
      // Whole panels lie as those of one long matrix do, which can be brought piece by piece.
      const isWhole = hidden % RECURRENT_UNITS === 0;
      const [cols, count] = isWhole ? [matrices * hidden, 1] : [hidden, matrices];
      const packed = packMatrix(b, "prepare", weight.ref, { cols, K: hidden }, { col: bytes, k: 4 }, count, hidden);
      const gateBytes = isWhole ? packed.bytes / matrices : packed.bytes;
      const block = (isNeeded: boolean): Ref => (isNeeded ? b.workspace(rows * bytes) : NONE);
      const isSplit = cellsOf(layer).length > 1;
      const between = {
        states: steps > 1 ? [block(true), block(true)] : [],
        c: block(steps > 1 && isLstm),
        z: block(isSplit),
        reset: block(isSplit),
      };
      const [y, hLast, cLast] = b.outputs.map(({ ref }) => ref) as [Ref, Ref, Ref?];
      const stateAt = (d: number) => d * (isBatchFirst ? bytes : rows * bytes);
      // One direction after the other, so that the cache holds the weights of one.
      for (let d = 0; d < directions; d++) {
        const at = (ref: Ref | undefined, offset: number): Ref =>
          ref === undefined || ref.area === "none" ? NONE : shift(ref, offset);
        const side: Side = {
          x: at(x, d * GATES[name] * bytes),
          lengths,
          w: at(packed.ref, d * GATES[name] * gateBytes),
          bias: at(bias?.ref, d * bytes),
          peepholes: at(peepholes?.ref, d * 3 * bytes),
          from: {
            h: at(layer.has.h ? h : zeros, stateAt(d)),
            c: isLstm ? at(layer.has.c ? c : zeros, stateAt(d)) : NONE,
          },
          to: { h: at(hLast, stateAt(d)), c: at(cLast, stateAt(d)) },
          y: at(y, stateAt(d)),
          ...between,
          isBackwards: layer.isReverse || d === 1,
        };
        emitSteps(b, layer, side, gateBytes);
      }
    },
  });
}

type RecurrentCode = (typeof RecurrentCell)[keyof typeof RecurrentCell];

/** A run that brings a length that no sequence has is refused before it. */
function requireLengths(b: Builder, operand: Operand, steps: number): void {
  b.hostStep([operand], ([lengths]) => {
    for (const end of lengths as Int32Array)
      if (!(end >= 0 && end <= steps)) throw new ModelError(`"sequence_lens" expected 0 to ${steps}, got ${end}`);
  });
}

/** Where a cell has none. */
const IDLE: CellActivation = { code: 0, alpha: 0, beta: 0 };

const CELLS = {
  LSTM: [RecurrentCell.lstm],
  GRU: [RecurrentCell.gruGates, RecurrentCell.gruState],
  RNN: [RecurrentCell.rnn],
} as const;

/** What a direction reads and writes of all directions' operands. */
interface Side {
  readonly x: Ref;
  readonly lengths: Ref;
  readonly w: Ref;
  readonly bias: Ref;
  readonly peepholes: Ref;
  /** The state at first, and at last. */
  readonly from: { readonly h: Ref; readonly c: Ref };
  readonly to: { readonly h: Ref; readonly c: Ref };
  readonly y: Ref;
  /** States between steps, and what two kernels of one step hand on. */
  readonly states: readonly Ref[];
  readonly c: Ref;
  readonly z: Ref;
  readonly reset: Ref;
  readonly isBackwards: boolean;
}

/** The kernel calls of all steps of a direction. The state goes to and fro between two blocks, and at last to the outputs. */
function emitSteps(b: Builder, layer: RecurrentLayer, side: Side, gateBytes: number): void {
  const { name, steps, rows, directions, hidden, isBatchFirst } = layer;
  const bytes = hidden * 4;
  const products = directions * GATES[name] * bytes;
  const sizes = {
    peepPtr: side.peepholes,
    biasPtr: side.bias,
    lengthsPtr: side.lengths,
    yPtr: side.y,
    zPtr: side.z,
    resetPtr: side.reset,
    backwards: Number(side.isBackwards),
    rows,
    steps,
    hidden,
    xStepBytes: isBatchFirst ? products : rows * products,
    xRowBytes: isBatchFirst ? steps * products : products,
    yStepBytes: isBatchFirst ? directions * bytes : rows * directions * bytes,
    yRowBytes: isBatchFirst ? steps * directions * bytes : bytes,
    panels: b.planning.isSpilling ? 2 : 4,
    coupled: Number(layer.isCoupled),
    lo: -layer.clip,
    hi: layer.clip,
  };
  const [f = IDLE, g = IDLE, last = IDLE] = name === "RNN" ? [IDLE, ...layer.activations] : layer.activations;
  // Each field spelt out: a build shortens their names.
  const ends = {
    f: f.code,
    fAlpha: f.alpha,
    fBeta: f.beta,
    g: g.code,
    gAlpha: g.alpha,
    gBeta: g.beta,
    h: last.code,
    hAlpha: last.alpha,
    hBeta: last.beta,
  };
  const outside = isBatchFirst ? directions * bytes : bytes;
  let from = { ...side.from, row: outside };
  for (let step = 0; step < steps; step++) {
    const isLast = step === steps - 1;
    const to = isLast ? { ...side.to, row: outside } : { h: side.states[step & 1] as Ref, c: side.c, row: bytes };
    for (const cell of cellsOf(layer)) {
      const isState = cell === RecurrentCell.gruState;
      const units = RECURRENT_UNITS * (cell === RecurrentCell.gruGates ? 2 : isState || name === "RNN" ? 4 : 1);
      const values = {
        ...sizes,
        ...ends,
        xPtr: isState ? shift(side.x, 2 * bytes) : side.x,
        wPtr: isState ? shift(side.w, 2 * gateBytes) : side.w,
        hInPtr: from.h,
        cInPtr: from.c,
        hOutPtr: to.h,
        cOutPtr: to.c,
        cell,
        step,
        inRowBytes: from.row,
        outRowBytes: to.row,
      };
      b.step("recurrent_f32", RecurrentDesc, values, Math.ceil(hidden / units), RECURRENT_SCRATCH_BYTES);
    }
    from = to;
  }
}

const cellsOf = ({ name, isLinearBefore }: RecurrentLayer): readonly RecurrentCode[] =>
  isLinearBefore ? [RecurrentCell.gruLinear] : CELLS[name];
