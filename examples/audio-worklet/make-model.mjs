// Writes denoise.onnx, here or into a folder: a spectral gate as a network of 1-D convolutions, its weights computed, not learned. Blocks of 128 samples, the last
// three at a time: sound [1, 1, 384] → clean [1, 1, 384], whose middle block is whole.
//
//   sound ─ Conv 256, stride 128 ─ spectra [1, 258, 2] ─ squares ─ Conv of pairs ─ power ─ gain ─ × spectra ─ ConvTranspose ─ clean
//           (re, im) of 129 frequencies, window sin        re² + im²          p² / (p² + floor²)
//
// Window and its square's sum over two frames, sin² + cos² = 1, make it exact: with floor 0, clean is sound.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeOnnx } from "../write-onnx.mjs";

const [N, BLOCK] = [256, 128];
const BINS = N / 2 + 1;

const analysis = new Float32Array(2 * BINS * N);
const synthesis = new Float32Array(2 * BINS * N);
for (let k = 0; k < BINS; k++) {
  const share = (k === 0 || k === N / 2 ? 1 : 2) / N; // of a real signal's spectrum, the other half is its mirror
  for (let n = 0; n < N; n++) {
    const window = Math.sin((Math.PI * (n + 0.5)) / N);
    const turn = (2 * Math.PI * ((k * n) % N)) / N;
    for (const [part, wave] of [Math.cos(turn), Math.sin(turn)].entries()) {
      analysis[(2 * k + part) * N + n] = window * wave;
      synthesis[(2 * k + part) * N + n] = share * window * wave;
    }
  }
}

const model = writeOnnx({
  inputs: { sound: [1, 1, 3 * BLOCK], floor: [1] },
  outputs: { clean: [1, 1, 3 * BLOCK] },
  constants: {
    analysis: { dims: [2 * BINS, 1, N], data: analysis },
    pairs: { dims: [2 * BINS, 2, 1], data: new Float32Array(4 * BINS).fill(1) },
    synthesis: { dims: [2 * BINS, 1, N], data: synthesis },
  },
  nodes: [
    ["Conv", ["sound", "analysis"], ["spectra"], { strides: [BLOCK] }],
    ["Mul", ["spectra", "spectra"], ["squares"]],
    ["Conv", ["squares", "pairs"], ["power"], { group: BINS }],
    ["Mul", ["power", "power"], ["loud"]],
    ["Mul", ["floor", "floor"], ["least"]],
    ["Add", ["loud", "least"], ["both"]],
    ["Div", ["loud", "both"], ["gain"]],
    ["Mul", ["spectra", "gain"], ["kept"]],
    ["ConvTranspose", ["kept", "synthesis"], ["clean"], { strides: [BLOCK] }],
  ],
});
writeFileSync(join(process.argv[2] ?? fileURLToPath(new URL(".", import.meta.url)), "denoise.onnx"), model);
