// The truth beside every timing: random outputs, those at the edges over-sampled, computed in float64 from the definition.
import { picker } from "./data.mjs";

const SAMPLES = 400;
/** What a transform multiplies the error bound of a plain sum by: the same as in test/conv2d.test.ts. */
const TRANSFORM_FACTORS = { winograd23: 4, winograd43: 40, winograd63: 150, fft: 16 };

/**
 * Compares y (channels-last) with the definition on x (channels-last), w ([M, C/groups, R, S]), bias. Answers the largest
 * error relative to the largest reference value; throws where one is out of bounds: (min(K, 4 sqrt K) + 2) u sum |x||w| for
 * a sum of K products (test/tolerance.ts says why), times the algorithm's factor on the largest such sum for transforms.
 */
export function verify(layer, { x, w, bias }, y, algorithm) {
  const { N, C, M, P, Q } = layer;
  if (y.length !== N * M * P * Q) throw new Error(`${layer.name}: expected ${N * M * P * Q} outputs, got ${y.length}`);
  const pick = picker(`${layer.name} samples`);
  const K = (C / layer.groups) * layer.R * layer.S;
  const bound = (Math.min(K, 4 * Math.sqrt(K)) + 2) * 2 ** -24;
  const edge = (size) => (pick(3) === 0 ? [0, size - 1, Math.max(0, size - 2)][pick(3)] : pick(size));
  const samples = Array.from({ length: SAMPLES }, () => {
    const [n, p, q, m] = [edge(N), edge(P), edge(Q), edge(M)];
    return { at: ((n * P + p) * Q + q) * M + m, place: [n, m, p, q], ...output(layer, x, w, bias, n, p, q, m) };
  });
  const largest = (values) => values.reduce((a, b) => Math.max(a, b), 0);
  const largestSum = largest(samples.map(({ magnitude }) => magnitude));
  const largestValue = largest(samples.map(({ value }) => Math.abs(value)));
  const factor = TRANSFORM_FACTORS[algorithm];
  let error = 0;
  for (const { at, place, value, magnitude } of samples) {
    const allowed = factor === undefined ? bound * magnitude : factor * bound * largestSum;
    const off = Math.abs(y[at] - value);
    if (!(off <= allowed)) {
      throw new Error(`${layer.name} ${algorithm}: y[${place}] expected ${value}, got ${y[at]}, tolerance ${allowed}`);
    }
    error = Math.max(error, off / largestValue);
  }
  return error;
}

function output(layer, x, w, bias, n, p, q, m) {
  const { C, H, W, M, R, S, stride, padding, dilation, groups } = layer;
  const perGroup = C / groups;
  const first = Math.floor(m / (M / groups)) * perGroup;
  let value = bias[m];
  let magnitude = Math.abs(bias[m]);
  for (let r = 0; r < R; r++) {
    const h = p * stride - padding[0] + r * dilation;
    if (h < 0 || h >= H) continue;
    for (let s = 0; s < S; s++) {
      const column = q * stride - padding[1] + s * dilation;
      if (column < 0 || column >= W) continue;
      for (let c = 0; c < perGroup; c++) {
        const product = x[((n * H + h) * W + column) * C + first + c] * w[((m * perGroup + c) * R + r) * S + s];
        value += product;
        magnitude += Math.abs(product);
      }
    }
  }
  return { value, magnitude };
}
