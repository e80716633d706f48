// Rewrites of what exporters write and nobody writes by hand; applied before those of src/model/rules.ts, each a small pure
// function of one node and what it reads: see src/model/rewrite.ts.

import { columnText } from "../../base/digest.js";
import { countOf } from "../../base/shape.js";
import type { TensorSpec } from "../../base/spec.js";
import { type LayerNode, operatorOf } from "../../model/layers.js";
import type { DerivedParameter, Rule } from "../../model/rewrite.js";
import { DeferredTensor, type HostTensor, type WeightMap, writerOf } from "../../model/weights.js";
import { Affines, at } from "./affine.js";

/** Numbers of a weight that are looked at together. */
const PIECE = 2 ** 16;

/** The filters of a node that is sums over the filters of its first parameter, with its bias as the second. */
function filtersOf(node: LayerNode) {
  const { filters, params } = operatorOf(node);
  return filters?.weight === params[0] && filters?.bias === params[1] ? filters : undefined;
}

/** The axis of a value of this shape along which filters, or the channels that they read, lie. */
function axisFor({ axis }: { readonly axis: number }, { shape }: TensorSpec): number {
  return axis < 0 ? shape.length + axis : axis;
}

/** The rules for a graph with these constants. */
export function exporterRules(weights: WeightMap): readonly Rule[] {
  const affines = new Affines(weights);
  return [foldIntoFilters(affines), joinAffine(affines), foldIntoWeights(affines), padInside];
}

/** conv ─▶ x * scale + shift   ==>   conv with scaled filters and another bias */
function foldIntoFilters(affines: Affines): Rule {
  return (node, scope) => {
    for (const input of node.inputs) {
      const before = scope.soleProducer(input);
      const filters = before && filtersOf(before);
      if (before === undefined || filters === undefined || before.inputs.length > 1) continue;
      const output = scope.specOf(input);
      const axis = axisFor(filters, output);
      const affine = affines.of(node, scope, axis);
      if (affine?.input !== input || "activation" in before.options) continue;
      const { scale, shift } = affine;
      const [weight, bias] = before.params as [string, string | null | undefined];
      const spec = scope.specOf(weight);
      const M = output.shape[axis] as number;
      const { groups = 1 } = before.options as { groups?: number };
      // Filters come first, but for transposed convolutions: [C, M/groups, R, S].
      const isTransposed = filters.layout === "second";
      const inner = countOf(spec.shape.slice(isTransposed ? 2 : 1));
      const C = spec.shape[0] as number;
      const filterOf = (row: number) =>
        isTransposed
          ? Math.floor(Math.floor(row / (M / groups)) / (C / groups)) * (M / groups) + (row % (M / groups))
          : row;
      const isScaled = scale.length > 1 || scale[0] !== 1;
      return {
        ...before,
        params: [
          isScaled
            ? scope.derive(
                `${weight} (${node.name})`,
                scaled(
                  weight,
                  spec,
                  inner,
                  () => factors(countOf(spec.shape) / inner, (row) => at(scale, filterOf(row))),
                  () => `filters ${filters.layout} ${groups} ${columnText(scale)}`,
                ),
              )
            : weight,
          scope.derive(`${before.name}.bias (${node.name})`, {
            spec: { ...spec, shape: [M] },
            compute(weightOf) {
              const old = bias ? (weightOf(bias).data as Float32Array) : undefined;
              const data = Float32Array.from({ length: M }, (_, m) => (old?.[m] ?? 0) * at(scale, m) + at(shift, m));
              return { shape: [M], dtype: "float32", data };
            },
            identity: (identityOf) => `bias ${bias ? identityOf(bias) : ""} ${columnText(scale, shift)}`,
          }),
        ],
        outputs: node.outputs,
      };
    }
    return undefined;
  };
}

/** (x * a + b) * c + d   ==>   one batchNorm */
function joinAffine(affines: Affines): Rule {
  return (node, scope) => {
    for (const input of node.inputs) {
      const before = scope.soleProducer(input);
      const { shape } = scope.specOf(node.outputs[0] as string);
      if (before === undefined || shape.length < 2) continue;
      const [first, second] = [affines.of(before, scope, 1), affines.of(node, scope, 1)];
      if (first === undefined || second?.input !== input) continue;
      const C = shape[1] as number;
      const parameter = (name: string, value: (c: number) => number) => {
        const tensor: HostTensor = {
          shape: [C],
          dtype: "float32",
          data: new Float32Array(C).map((_, c) => value(c)), // from() with a function is ten times as slow
        };
        const spec: TensorSpec = { shape: [C], dtype: "float32", memoryFormat: "contiguous" };
        const own = scope.derive(`${node.name}.${name}`, { spec, compute: () => tensor });
        affines.add(own, tensor);
        return own;
      };
      return {
        name: node.name,
        op: "batchNorm",
        inputs: [first.input],
        params: [
          parameter("mean", () => 0),
          parameter("variance", () => 1),
          parameter("gamma", (c) => at(first.scale, c) * at(second.scale, c)),
          parameter("beta", (c) => at(first.shift, c) * at(second.scale, c) + at(second.shift, c)),
        ],
        options: { epsilon: 0 },
        outputs: node.outputs,
      };
    }
    return undefined;
  };
}

/** x * scale + shift ─▶ conv   ==>   conv with scaled weights and another bias; a shift only where nothing is padded */
function foldIntoWeights(affines: Affines): Rule {
  return (node, scope) => {
    const filters = filtersOf(node);
    if (filters?.layout !== "first") return undefined;
    const [input] = node.inputs as [string];
    const before = scope.soleProducer(input);
    const inputSpec = scope.specOf(input);
    const axis = axisFor(filters, inputSpec);
    const affine = before && affines.of(before, scope, axis);
    if (affine === undefined) return undefined;
    const { scale, shift } = affine;
    const isShifted = Array.from(shift).some((v) => v !== 0);
    if (isShifted && paddingOf(node).some((count) => count !== 0)) return undefined;
    const [weight, bias] = node.params as [string, string | null | undefined];
    const spec = scope.specOf(weight);
    const [M = 1, perGroup = 1] = spec.shape;
    const { groups = 1 } = node.options as { groups?: number };
    const inner = countOf(spec.shape.slice(2));
    const channelOf = (row: number) => Math.floor(row / perGroup / (M / groups)) * perGroup + (row % perGroup);
    // Without groups the channels are those of the first filter, again and again.
    const byRow = (column: ArrayLike<number>) =>
      factors(groups === 1 ? perGroup : M * perGroup, (row) => at(column, channelOf(row)));
    const shifted = () =>
      scope.derive(`${node.name}.bias (${before?.name})`, {
        spec: { ...spec, shape: [M] },
        compute(weightOf) {
          const old = weightOf(weight);
          const turned = old instanceof DeferredTensor ? old.turned : undefined;
          const by = byRow(shift);
          // Sums of every filter, in the order of its numbers whichever way they lie.
          const sums = new Float64Array(M);
          if (bias) sums.set(weightOf(bias).data as Float32Array);
          const length = turned ? M : perGroup * inner;
          byPieces(turned ?? writerOf(old), countOf(spec.shape) / length, length, (row, numbers) => {
            if (turned)
              for (let m = 0; m < M; m++) sums[m] = (sums[m] as number) + (numbers[m] as number) * (by[row] as number);
            else sums[row] = summed(numbers, by, groups === 1 ? 0 : row * perGroup, inner, sums[row] as number);
          });
          return { shape: [M], dtype: "float32", data: Float32Array.from(sums) };
        },
        identity: (identityOf) =>
          `shifted ${identityOf(weight)} ${spec.shape} ${bias ? identityOf(bias) : ""} ${groups} ${columnText(shift)}`,
      });
    return {
      ...node,
      inputs: [affine.input, ...node.inputs.slice(1)],
      params: [
        scope.derive(
          `${weight} (${before?.name})`,
          scaled(
            weight,
            spec,
            inner,
            () => byRow(scale),
            () => `channels ${groups} ${columnText(scale)}`,
          ),
        ),
        isShifted ? shifted() : (bias ?? null),
      ],
    };
  };
}

const factors = (rows: number, factorOf: (row: number) => number): Float64Array =>
  new Float64Array(rows).map((_, row) => factorOf(row));

/**
 * A weight whose rows of `inner` numbers are multiplied by a factor each, of which the first follows the last: piece by piece.
 * text: the factors, told shortly.
 */
function scaled(
  weight: string,
  spec: TensorSpec,
  inner: number,
  column: () => Float64Array,
  text: () => string,
): DerivedParameter {
  return {
    spec,
    identity: (identityOf) => `scaled ${identityOf(weight)} ${spec.shape} ${text()}`,
    compute(weightOf: (name: string) => HostTensor): HostTensor {
      const [old, by] = [weightOf(weight), column()];
      const times =
        (write: DeferredTensor["write"], length: number): DeferredTensor["write"] =>
        (to, from) => {
          write(to, from);
          multiply(new Float32Array(to.buffer, to.byteOffset, to.length / 4), from / 4, length, by);
        };
      // Of a matrix the factors of columns are those of the transposed one's rows.
      const turned = old instanceof DeferredTensor && old.turned;
      const length = inner === 1 && by.length === spec.shape[1] ? (spec.shape[0] as number) : 1;
      return new DeferredTensor(
        spec.shape,
        "float32",
        times(writerOf(old), inner),
        turned ? times(turned, length) : undefined,
      );
    },
  };
}

/** Multiplies numbers `first`, `first` + 1, … of a weight by their rows' factors. */
function multiply(data: Float32Array, first: number, inner: number, by: Float64Array): void {
  let row = Math.floor(first / inner) % by.length;
  if (inner === 1) {
    for (let i = 0; i < data.length; i++) {
      data[i] = (data[i] as number) * (by[row] as number);
      if (++row === by.length) row = 0;
    }
    return;
  }
  let end = inner - (first % inner);
  for (let i = 0; i < data.length; end += inner) {
    const factor = by[row] as number;
    for (const stop = Math.min(end, data.length); i < stop; i++) data[i] = (data[i] as number) * factor;
    if (++row === by.length) row = 0;
  }
}

/** Visits rows of `length` numbers. */
function byPieces(
  write: DeferredTensor["write"],
  rows: number,
  length: number,
  visit: (row: number, numbers: Float32Array) => void,
): void {
  const most = Math.ceil(PIECE / length);
  for (let first = 0; first < rows; first += most) {
    const piece = new Float32Array(length * Math.min(most, rows - first));
    write(new Uint8Array(piece.buffer), first * length * 4);
    for (let i = 0; i * length < piece.length; i++) visit(first + i, piece.subarray(i * length, (i + 1) * length));
  }
}

/** sum + the products of a filter's numbers with the factors of their rows. */
function summed(filter: Float32Array, by: Float64Array, firstRow: number, inner: number, sum: number): number {
  for (let i = 0, row = firstRow; i < filter.length; row++) {
    const factor = by[row] as number;
    for (const end = i + inner; i < end; i++) sum += (filter[i] as number) * factor;
  }
  return sum;
}

/** What a window adds around its input, begins before ends, as the importer writes it. */
function paddingOf({ options }: LayerNode): readonly number[] {
  return (options as { padding?: readonly number[] }).padding ?? [];
}

/** Operators whose outputs are never below 0. */
const POSITIVE = new Set(["relu", "relu6", "sigmoid", "hardSigmoid", "softmax"]);

/** pad ─▶ window   ==>   a window that pads itself, where what it reads there is the same */
const padInside: Rule = (node, scope) => {
  const before = scope.producer(node.inputs[0] as string);
  const { name } = operatorOf(node);
  if (before?.op !== "pad" || !/^(conv[12]d|(max|avg)Pool2d)$/.test(name)) return undefined;
  const { pads, mode, value } = before.options as { pads: readonly number[]; mode?: string; value?: number };
  const rank = pads.length / 2;
  const [begins, ends] = [pads.slice(2, rank), pads.slice(rank + 2)];
  const own = paddingOf(node);
  const isImage = rank === (node.op === "conv1d" ? 3 : 4) && [0, 1, rank, rank + 1].every((i) => pads[i] === 0);
  if (!isImage || mode !== "constant" || own.length !== 2 * begins.length) return undefined;
  const padding = [...begins, ...ends].map((count, i) => count + (own[i] as number));
  const options = { ...node.options, padding };
  const inside = { ...node, inputs: [before.inputs[0] as string, ...node.inputs.slice(1)] };
  if (name.startsWith("conv")) return value === 0 ? { ...inside, options } : undefined;
  const { kernel, ceilMode, dilation, countIncludePad } = node.options as {
    kernel: readonly number[];
    ceilMode?: boolean;
    dilation?: readonly number[];
    countIncludePad?: boolean;
  };
  // Every window holds a pixel of the image then.
  if (ceilMode || dilation?.some((d) => d > 1) || padding.some((count, i) => count >= (kernel[i & 1] as number)))
    return undefined;
  if (node.op === "avgPool2d") {
    const isCounted = countIncludePad || own.every((count) => count === 0);
    return value === 0 && isCounted ? { ...inside, options: { ...options, countIncludePad: true } } : undefined;
  }
  const source = scope.producer(before.inputs[0] as string);
  const isBelow = (value as number) < -3.4e38 || (value === 0 && source !== undefined && isPositive(source));
  return isBelow ? { ...inside, options } : undefined;
};

function isPositive(node: LayerNode): boolean {
  const { op, options } = node;
  return POSITIVE.has(operatorOf(node).name) || (op === "clip" && ((options as { min?: number }).min ?? -1) >= 0);
}
