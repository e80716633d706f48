// The machine's limit, measured beside the kernels: see limit.ts. Runs in Node and in a page.

const TURNS = 20_000; // 33 us at 60 GFLOP/s
const MEMORY_BYTES = 64 * 2 ** 20;
const L2_BYTES = 384 * 2 ** 10;
const BASE = 65536;
/** Until V8's optimised code has replaced its first code, on a core that the compiler shares. */
const WARMUP_MS = 400;

function open(module) {
  const memory = new WebAssembly.Memory({ initial: (MEMORY_BYTES + 2 * BASE) / 65536 });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  exports.touch(BASE, MEMORY_BYTES);
  return exports;
}

/** The least milliseconds of so many calls. */
function least(times, call) {
  let best = Infinity;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    call();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** Answers a function that measures { gflops, readGBs, l2GBs } anew, in this process or page. module: limit.ts, compiled; more turns where the clock is coarse. */
export function limitMeter(module, turns = TURNS) {
  const exports = open(module);
  const start = performance.now();
  while (performance.now() - start < WARMUP_MS) {
    exports.multiply_add_12(turns, 0.7);
    exports.multiply_add_13(turns, 0.7);
    exports.read_sum(BASE, L2_BYTES);
  }
  return () => {
    const rate = (chains) =>
      (turns * chains * 8) / least(200, () => exports[`multiply_add_${chains}`](turns, 0.7)) / 1e6;
    const l2 = least(300, () => exports.read_sum(BASE, L2_BYTES));
    const read = least(12, () => exports.read_sum(BASE, MEMORY_BYTES));
    return {
      gflops: Math.max(rate(12), rate(13)),
      l2GBs: L2_BYTES / l2 / 1e6,
      readGBs: MEMORY_BYTES / read / 1e6,
    };
  };
}

/**
 * Rates of memory by the bytes that are read, or read and written: [{ bytes, readGBs, copyGBs }], from L1 to memory, in GB/s of both
 * sides of a copy.
 */
export function bandwidths(module) {
  const exports = open(module);
  const rows = [];
  for (let bytes = 2 ** 15; bytes <= MEMORY_BYTES; bytes *= 2) {
    const calls = Math.ceil(2 ** 18 / bytes); // a call of microseconds is longer than the clock's own
    const times = Math.min(400, Math.ceil(2 ** 29 / bytes));
    const repeat = (call) => () => {
      for (let i = 0; i < calls; i++) call();
    };
    const rate = (call) => (calls * bytes) / least(times, repeat(call)) / 1e6;
    const readGBs = rate(() => exports.read_sum(BASE, bytes));
    rows.push({ bytes, readGBs, copyGBs: rate(() => exports.copy_bytes(BASE, BASE + bytes / 2, bytes / 2)) });
  }
  return rows;
}
