// A convolution whose filters are a window times cosines or sines of whole frequencies is how exporters write a short-time Fourier
// transform: an FFT computes it.
import type { LayerNode } from "../../model/layers.js";
import type { Rule, Scope } from "../../model/rewrite.js";
import type { WeightMap } from "../../model/weights.js";
import { type Bin, isLength, type SpectrumLayer, spectrum } from "../layers/spectrum.js";

/** Filters fewer than these are computed sooner one by one: an FFT costs what 10 do, and up to 40 where it is of one frame. */
const LEAST_FILTERS = 64;
const LEAST_LENGTH = 64;
/** How far a filter may be from its wave, as a share of the largest number of all: float32 and how it was computed. */
const TOLERANCE = 1e-6;

/** Of a signal: the kernel's places are 31 bits of bytes. */
const MOST_NUMBERS = 2 ** 29;

interface Waves {
  readonly window: Float32Array;
  readonly bins: readonly Bin[];
}

/** What is common to filters of frequencies 0, 1, … that are cosines or sines of it, times a window. */
function windowOf(rows: Float32Array, sines: Float64Array, n: number, isSine: boolean): Float32Array {
  if (!isSine) return rows.slice(0, n);
  const count = Math.min(rows.length / n, 64);
  // Of each sample from the filter whose sine is largest there; where all are 0, so is what the window does.
  return Float32Array.from({ length: n }, (_, k) => {
    let best = 0;
    for (let f = 1; f < count; f++) if (size(sines, f * k) > size(sines, best * k)) best = f;
    return best === 0 || size(sines, best * k) < 1e-3 ? 0 : at(rows, best * n + k) / at(sines, (best * k) & (n - 1));
  });
}

const at = (list: Float32Array | Float64Array, i: number): number => list[i] as number;
const size = (sines: Float64Array, i: number): number => Math.abs(at(sines, i & (sines.length - 1)));

/** What filters [M, n] are of a window: cosines, sines, or both, one behind the other. */
function wavesOf(data: Float32Array, M: number, n: number): Waves | undefined {
  const most = data.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  if (!(most > 0 && most < Infinity)) return undefined;
  const [cosines, sines] = [Math.cos, Math.sin].map((f) =>
    Float64Array.from({ length: n }, (_, i) => f((2 * Math.PI * i) / n)),
  ) as [Float64Array, Float64Array];
  const tolerance = TOLERANCE * most;
  const isSine = (rows: Float32Array) => rows.subarray(0, n).every((v) => Math.abs(v) <= tolerance);
  const isWave = (rows: Float32Array, window: Float32Array, table: Float64Array, sign: number) =>
    rows.every((v, i) => {
      const [f, k] = [Math.floor(i / n), i % n];
      return Math.abs(v - sign * at(window, k) * at(table, (f * k) & (n - 1))) <= tolerance;
    });
  for (const parts of [1, 2]) {
    const count = M / parts;
    if (!Number.isInteger(count) || count > n / 2 + 1) continue;
    const halves = Array.from({ length: parts }, (_, i) => data.subarray(i * count * n, (i + 1) * count * n));
    const kinds = halves.map(isSine);
    if (parts === 2 && kinds[0] === kinds[1]) continue;
    // Cosines have the window as it is; the sines beside them say their sign.
    const first = Math.max(kinds.indexOf(false), 0);
    const window = windowOf(halves[first] as Float32Array, sines, n, kinds[first] as boolean);
    const signs = halves.map((rows, i) => {
      if (i === first) return 1;
      const own = windowOf(rows, sines, n, true);
      return own.reduce((sum, v, k) => sum + v * at(window, k), 0) < 0 ? -1 : 1;
    });
    const isAll = halves.every((rows, i) => isWave(rows, window, kinds[i] ? sines : cosines, signs[i] as number));
    if (!isAll) continue;
    const [re, im] = [kinds.indexOf(false), kinds.indexOf(true)];
    const bins = Array.from(
      { length: count },
      (_, f) =>
        ({
          frequency: f,
          re: re < 0 ? undefined : re * count + f,
          im: im < 0 ? undefined : im * count + f,
          sign: (signs[im] ?? 1) < 0 ? 1 : -1, // the transform's imaginary part has minus the sine
        }) as const,
    );
    return { window, bins };
  }
  return undefined;
}

/** A value that has the numbers of a spectrum, and where they lie: of each axis 0 for signals, 1 numbers, 2 frames, -1 where it is one. */
interface Part {
  readonly layer: SpectrumLayer;
  readonly input: string;
  readonly axes: readonly number[];
}

/** The rules for a graph with these constants. */
export function spectraRules(weights: WeightMap): readonly Rule[] {
  const made = new Map<LayerNode["op"], SpectrumLayer>();
  return [spectra(weights, made), power(made)];
}

/** conv1d of windowed cosines, sines or both   ==>   FFT */
function spectra(weights: WeightMap, made: Map<LayerNode["op"], SpectrumLayer>): Rule {
  const found = new Map<string, Waves | undefined>();
  const known = (name: string, M: number, n: number) => {
    if (!found.has(name)) {
      const data = weights.get(name)?.data;
      found.set(name, data instanceof Float32Array ? wavesOf(data, M, n) : undefined);
    }
    return found.get(name);
  };
  const isZero = (name: string | null | undefined) =>
    !name || (weights.get(name)?.data as Float32Array | undefined)?.every((v) => v === 0);
  return (node, scope) => {
    if (node.op !== "conv1d" || node.inputs.length !== 1 || "activation" in node.options) return undefined;
    const [weight, bias] = node.params as [string, string | null | undefined];
    const [M, channels, n] = scope.specOf(weight).shape as [number, number, number];
    const [signals, , samples] = scope.specOf(node.inputs[0] as string).shape as [number, number, number];
    if (channels !== 1 || M < LEAST_FILTERS || n < LEAST_LENGTH || !isLength(n)) return undefined;
    const { stride, padding, dilation, groups } = { stride: 1, padding: 0, dilation: 1, groups: 1, ...node.options };
    const isPlain = dilation === 1 && groups === 1 && [padding].flat().every((count) => count === 0);
    const { shape: output, memoryFormat } = scope.specOf(node.outputs[0] as string);
    const frames = output[2] as number;
    if (!isPlain || memoryFormat !== "contiguous" || M * frames >= MOST_NUMBERS || !isZero(bias)) return undefined;
    const waves = known(weight, M, n);
    if (waves === undefined) return undefined;
    const sizes = { signals, samples, frames, hop: stride, numbers: M, isByFrame: false, isPower: false, output };
    const layer = { ...waves, ...sizes, macs: signals * frames * M * n };
    const op = spectrum("spectrum", layer);
    made.set(op, layer);
    return { ...node, op, params: [], options: {} };
  };
}

/** The spectrum that a value only moves the numbers of. */
function partOf(value: string, scope: Scope, made: ReadonlyMap<LayerNode["op"], SpectrumLayer>): Part | undefined {
  const node = scope.producer(value);
  const layer = node && made.get(node.op);
  if (node === undefined) return undefined;
  const [from] = node.inputs as [string];
  if (layer) return { layer, input: from, axes: layer.output.map((size, axis) => (size === 1 ? -1 : axis)) };
  if (node.op !== "transpose" && node.op !== "reshape") return undefined;
  const before = partOf(from, scope, made);
  if (before === undefined) return undefined;
  const [old, shape] = [scope.specOf(from).shape, scope.specOf(value).shape];
  if (node.op === "transpose") {
    const { permutation } = node.options as { permutation?: readonly number[] };
    return { ...before, axes: shape.map((_, i) => before.axes[permutation?.[i] ?? shape.length - 1 - i] as number) };
  }
  const isOther = (size: number) => size !== 1;
  if (old.filter(isOther).join() !== shape.filter(isOther).join()) return undefined;
  const rest = before.axes.filter((axis) => axis >= 0);
  return { ...before, axes: shape.map((size) => (size === 1 ? -1 : (rest.shift() as number))) };
}

/** cosines * cosines + sines * sines of one window   ==>   one FFT that answers these */
function power(made: ReadonlyMap<LayerNode["op"], SpectrumLayer>): Rule {
  return (node, scope) => {
    if (node.op !== "add" || "activation" in node.options || made.size < 2) return undefined;
    const parts = node.inputs.map((value) => {
      const square = scope.producer(value);
      const isSquare =
        square?.op === "mul" && square.inputs[0] === square.inputs[1] && !("activation" in square.options);
      return isSquare ? partOf(square.inputs[0] as string, scope, made) : undefined;
    });
    const cosines = parts.find((part) => part?.layer.bins.every(({ im }) => im === undefined));
    const sines = parts.find((part) => part?.layer.bins.every(({ re }) => re === undefined));
    const { shape: output, memoryFormat } = scope.specOf(node.outputs[0] as string);
    if (!cosines || !sines || memoryFormat !== "contiguous" || !isPair(cosines, sines)) return undefined;
    const order = cosines.axes.filter((axis) => axis >= 0).join("");
    const isByFrame = order.endsWith("21");
    if (order !== [...order].sort().join("") && !/^0?21$/.test(order)) return undefined;
    const macs = cosines.layer.macs + sines.layer.macs;
    const op = spectrum("spectrum", { ...cosines.layer, isByFrame, isPower: true, output, macs });
    return { ...node, op, inputs: [cosines.input], params: [], options: {} };
  };
}

/** Whether they are of the same frames of the same window, and lie alike. */
function isPair(cosines: Part, sines: Part): boolean {
  const [a, b] = [cosines.layer, sines.layer];
  const n = a.window.length;
  const most = a.window.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  // Sines alone do not say their window's sign, nor what it does to the first and the middle sample.
  const isLike = [1, -1].some((sign) =>
    a.window.every((v, k) => k % (n / 2) === 0 || Math.abs(v - sign * at(b.window, k)) <= TOLERANCE * most),
  );
  const isSame = a.hop === b.hop && a.numbers === b.numbers && n === b.window.length && isLike;
  return isSame && cosines.input === sines.input && cosines.axes.join() === sines.axes.join();
}
