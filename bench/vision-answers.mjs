// Milliseconds of answers: decoders on outputs as large as those of common models, on the sources that `npm run build` compiled.
// `npm run build && node bench/vision-answers.mjs`; least of `runs` each, all in one process, in turns.
import { performance } from "node:perf_hooks";
import * as answers from "../build/js/vision/answers/index.js";

let state = 1;
/** mulberry32, in [0, 1). */
function next() {
  state = (state + 0x6d2b79f5) | 0;
  let bits = Math.imul(state ^ (state >>> 15), state | 1);
  bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
  return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
}

/** [1, 84, 8400]: `count` places with a class above 0.25, boxes of 20 to 80 pixels in `spots` places. */
function yolo8(count, spots) {
  const [classes, n] = [80, 8400];
  const data = new Float32Array((4 + classes) * n).map((_, i) => (i < 4 * n ? 0 : 0.2 * next()));
  for (let k = 0; k < count; k++) {
    const i = Math.floor((k * n) / count);
    const spot = k % spots;
    const place = [20 + ((spot * 37) % 600), 20 + ((spot * 91) % 600), 25, 25];
    for (let c = 0; c < 4; c++) data[c * n + i] = place[c] + 3 * next();
    data[(4 + (spot % classes)) * n + i] = 0.3 + 0.6 * next();
  }
  return { data, shape: [1, 4 + classes, n] };
}

/** [1, 25200, 85] */
function yolo5(count) {
  const data = new Float32Array(25200 * 85).map((_, i) => (i % 85 < 4 ? 0 : 0.2 * next()));
  for (let k = 0; k < count; k++) {
    const at = 85 * Math.floor((k * 25200) / count);
    data.set([640 * next(), 640 * next(), 40, 40, 0.9], at);
    data[at + 5 + (k % 80)] = 0.9;
  }
  return { data, shape: [1, 25200, 85] };
}

const logits = new Float32Array(1000).map(next);
const map = {
  data: new Float32Array(352 * 768).map((_, i) => (Math.floor(i / 768) % 20 < 12 && (i % 768) % 100 < 90 ? 0.9 : 0.1)),
  shape: [1, 1, 352, 768],
};
const segments = { data: new Float32Array(21 * 513 * 513).map(next), shape: [1, 21, 513, 513] };
const many = yolo8(1000, 300);
const crowd = yolo8(8400, 2000);
const [v5, few] = [yolo5(300), yolo8(30, 10)];

const CASES = {
  "decodeYolo 84x8400, 1000 found, 300 left": () => answers.decodeYolo(many, { version: 8 }).length,
  "decodeYolo 84x8400, 30 found, 10 left": () => answers.decodeYolo(few, { version: 8 }).length,
  "decodeYolo 84x8400, 8400 found, max 300": () => answers.decodeYolo(crowd, { version: 8 }).length,
  "decodeYolo 25200x85, 300 found": () => answers.decodeYolo(v5, { version: 5 }).length,
  "topK 1000, softmax": () => answers.topK(logits, 5, { activation: "softmax" }).length,
  "labelMap 21x513x513": () => answers.labelMap(segments).data.length,
  "textRegions 352x768": () => answers.textRegions(map).length,
};

const runs = Number(process.argv[2] ?? 40);
const times = Object.fromEntries(Object.keys(CASES).map((name) => [name, []]));
const found = {};
for (let run = 0; run < runs; run++)
  for (const [name, work] of Object.entries(CASES)) {
    const start = performance.now();
    found[name] = work();
    times[name].push(performance.now() - start);
  }
for (const [name, all] of Object.entries(times)) {
  all.sort((a, b) => a - b);
  console.log(`${name.padEnd(42)} ${all[0].toFixed(2)} ms least, ${all[runs >> 1].toFixed(2)} median; ${found[name]}`);
}
