// Spectra of frames of real signals: see assembly/kernels/spectrum.ts.
import { makeSpec } from "../../base/spec.js";
import { SpectrumDesc } from "../../kernels/gen/audio/spectrum-desc.js";
import { FFT_POINT_BYTES, SPECTRUM_BIN_BYTES } from "../../kernels/gen/constants.js";
import { place, twiddles } from "../../ops/conv/fft.js";
import { defineOperator, type Operator, requireFloat } from "../../ops/operator.js";
import { contiguousInput } from "../../ops/parts/strided.js";

/** A frequency, below the length of a frame, and which of a frame's numbers are its parts; undefined: nobody's. */
export interface Bin {
  readonly frequency: number;
  readonly re?: number | undefined;
  readonly im?: number | undefined;
  /** -1: the imaginary part is negated. */
  readonly sign: 1 | -1;
}

export interface SpectrumLayer {
  /** Signals of the input, and samples of each. */
  readonly signals: number;
  readonly samples: number;
  readonly frames: number;
  /** Samples from frame to frame. */
  readonly hop: number;
  /** As long as a frame: a power of two, at least 8. */
  readonly window: Float32Array;
  readonly bins: readonly Bin[];
  /** Of a frame. */
  readonly numbers: number;
  /** Whether the numbers of a frame lie together, or the frames of a number. */
  readonly isByFrame: boolean;
  /** What a bin answers as its real part is re² + im². */
  readonly isPower: boolean;
  readonly output: readonly number[];
  /** Of the definition. */
  readonly macs: number;
}

/** Whether frames of so many samples are for it. */
export const isLength = (n: number): boolean => n >= 8 && (n & (n - 1)) === 0;

/** The table of assembly/kernels/spectrum.ts. Above half of n the spectrum of a real signal is that below, conjugated. */
function tableOf(bins: readonly Bin[], n: number, numberBytes: number): Int32Array {
  const table = new Int32Array((bins.length * SPECTRUM_BIN_BYTES) / 4);
  const signs = new Float32Array(table.buffer);
  const at = (number: number | undefined) => (number === undefined ? -1 : number * numberBytes);
  bins.forEach(({ frequency, re, im, sign }, i) => {
    const isUpper = frequency > n / 2;
    const [f, half] = [isUpper ? n - frequency : frequency, n / 2];
    const places = [f % half, (half - f) % half].map((point) => place(point, half) * FFT_POINT_BYTES);
    table.set([...places, f * 8, at(re), at(im)], i * 6);
    signs[i * 6 + 5] = isUpper ? -sign : sign;
  });
  return table;
}

export function spectrum(label: string, layer: SpectrumLayer): Operator {
  const { signals, samples, frames, hop, window, bins, numbers, isByFrame, isPower, output, macs } = layer;
  const n = window.length;
  return defineOperator({
    name: label,
    inputs: ["input"],
    infer({ input }) {
      requireFloat("input", input);
      return { outputs: [makeSpec(output, "float32", "contiguous", "output")], macs };
    },
    lower(b, { input }) {
      b.algorithm = "fft";
      const values = {
        xPtr: contiguousInput(b, input),
        yPtr: b.output.ref,
        windowPtr: b.table(window),
        twiddlesPtr: b.table(twiddles(n)),
        binsPtr: b.table(tableOf(bins, n, isByFrame ? 4 : frames * 4)),
        bins: bins.length,
        log: Math.log2(n),
        isPower: Number(isPower),
        frames,
        hopBytes: hop * 4,
        xBatchBytes: samples * 4,
        yBatchBytes: frames * numbers * 4,
        yFrameBytes: isByFrame ? numbers * 4 : 4,
      };
      b.step("spectrum_f32", SpectrumDesc, values, signals * Math.ceil(frames / 4), (n / 2) * FFT_POINT_BYTES);
    },
  });
}
