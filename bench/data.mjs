// Seeded data: the same on every machine and every run.

/** Normally distributed float32 numbers; `seed` is a text. */
export function normals(length, seed) {
  let state = 0x811c9dc5; // FNV-1a of the seed starts mulberry32
  for (let i = 0; i < seed.length; i++) state = Math.imul(state ^ seed.charCodeAt(i), 0x01000193);
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  const data = new Float32Array(length);
  for (let i = 0; i < length; i += 2) {
    // Box and Muller: a radius and an angle make two
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    data[i] = radius * Math.cos(angle);
    if (i + 1 < length) data[i + 1] = radius * Math.sin(angle);
  }
  return data;
}

/** A seeded whole number below n, per call. */
export function picker(seed) {
  const numbers = normals(1024, seed);
  let at = 0;
  return (n) => Math.floor((Math.abs(numbers[at++ % 1024]) * 1e6) % n);
}
