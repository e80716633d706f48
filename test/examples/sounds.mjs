// Sounds with noise, and what is left of either.
const RATE = 48_000;

/** -1 to 1, white, the same everywhere: xorshift. */
function noiseOf(samples) {
  let state = 1;
  return Float32Array.from({ length: samples }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  });
}

/** A second of a tone of 880 Hz beside noise whose power is 1 / 300 of full scale's, and the tone alone. */
export function noisyTone(samples = RATE) {
  const tone = Float32Array.from({ length: samples }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 880 * i) / RATE));
  const noise = noiseOf(samples);
  const noisy = tone.map((value, i) => value + 0.1 * noise[i]);
  return { tone, noisy };
}

/** Decibels of a signal over its distance from another one, past the first tenth of it. */
export function decibels(wanted, got) {
  let [power, error] = [0, 0];
  for (let i = Math.floor(wanted.length / 10); i < wanted.length; i++) {
    power += wanted[i] ** 2;
    error += (got[i] - wanted[i]) ** 2;
  }
  return 10 * Math.log10(power / error);
}
