// npm run bench:vision: photos to tensors beside Pillow, sharp, pica and TensorFlow.js, alternating in one process (Pillow in one
// of its own, asked in turn), minima; and in Chromium from an ImageBitmap beside tf.browser.fromPixels. --seconds N a case (8),
// --json FILE. What is not installed is a visible SKIP.
import { spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { cpus, loadavg } from "node:os";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { createRuntime } from "lanewise";
import { createPreprocessor, presets, resizeImage } from "lanewise/vision";
import { buildDist, writeResults } from "./machine.mjs";
import { installPeers, PEERS_FOLDER, peerVersions } from "./peers/install.mjs";
import { inChromium } from "./vision-chromium.mjs";
import { visionTable } from "./vision-table.mjs";

const { values: flags } = parseArgs({
  options: { seconds: { type: "string", default: "8" }, json: { type: "string" } },
});
buildDist();
installPeers();
const require = createRequire(`${PEERS_FOLDER}package.json`);
const { mean, std } = presets.imagenet;
const skip = (what, why) => console.log(`SKIPPED: ${what} (${why})`);

/** Smooth colours with noise, opaque. */
function photo(width, height) {
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < data.length; i += 4) {
    const [x, y] = [(i / 4) % width, Math.floor(i / 4 / width)];
    const noise = Math.imul(i + 1, 0x9e3779b1) >>> 28;
    data[i] = 90 + 80 * Math.sin(x / 97) + noise;
    data[i + 1] = 110 + 90 * Math.cos(y / 71) + noise;
    data[i + 2] = 120 + 100 * Math.sin((x + y) / 53) + noise;
    data[i + 3] = 255;
  }
  return { data, width, height };
}

const normalised = (bytes, channels, size) => {
  const out = new Float32Array(3 * size * size);
  for (let i = 0; i < size * size; i++)
    for (let c = 0; c < 3; c++) out[c * size * size + i] = (bytes[i * channels + c] / 255 - mean[c]) / std[c];
  return out;
};

const PYTHON = `
import sys, time
import numpy as np
from PIL import Image
w, h, n = map(int, sys.argv[1:4])
image = Image.fromarray(np.frombuffer(sys.stdin.buffer.read(w * h * 4), np.uint8).reshape(h, w, 4)).convert("RGB")
print(Image.__version__, flush=True)
by = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
for line in sys.stdin:
    t = time.perf_counter()
    image.resize((n, n), by[line.strip()])
    print((time.perf_counter() - t) * 1e3, flush=True)
`;

/** Milliseconds of Pillow's resize alone, asked one at a time. */
async function openPillow({ data, width, height }, size) {
  const python = ["/usr/bin/python3", "python3"].find(
    (name) => spawnSync(name, ["-c", "import PIL, numpy"]).status === 0,
  );
  if (python === undefined) return undefined;
  const child = spawn(python, ["-c", PYTHON, `${width}`, `${height}`, `${size}`], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.write(data);
  const { value: version } = await lines.next();
  const ask = async (filter) => {
    child.stdin.write(`${filter}\n`);
    return Number((await lines.next()).value);
  };
  return { version, ask, close: () => child.stdin.end() };
}

/** Every side of a case: { name, run }, run answers milliseconds. */
async function sidesOf(rt, image, size) {
  const { data, width, height } = image;
  const timed = (act) => async () => {
    const start = performance.now();
    await act();
    return performance.now() - start;
  };
  const sides = [];
  const ends = [];
  const own = (name, options) => {
    const pre = createPreprocessor(rt, { scale: 1 / 255, mean, std, size, ...options });
    ends.push(() => pre.dispose());
    sides.push({
      name: `lanewise ${name}`,
      run: () => {
        const start = performance.now();
        pre.run(image);
        return performance.now() - start;
      },
    });
  };
  own("bilinear", {});
  own("bilinear, channels-last", { memoryFormat: "channelsLast" });
  own("bilinear, uint8", { dtype: "uint8", scale: 1, mean: 0, std: 1 });
  own("bicubic", { filter: "bicubic" });
  own("lanczos", { filter: "lanczos" });
  own("area", { filter: "area" });
  own("bilinear without antialias", { antialias: false });
  const pillow = await openPillow(image, size);
  if (pillow) {
    ends.push(pillow.close);
    for (const filter of ["bilinear", "bicubic", "lanczos"])
      sides.push({ name: `Pillow ${filter}`, run: () => pillow.ask(filter) });
  } else skip("Pillow", "no python3 with PIL and numpy");
  try {
    const sharp = require("sharp");
    sharp.concurrency(1);
    sharp.cache(false);
    const raw = { raw: { width, height, channels: 4 } };
    const act = async () => {
      const out = await sharp(data, raw)
        .removeAlpha()
        .resize(size, size, { fit: "fill", kernel: "linear" })
        .raw()
        .toBuffer();
      normalised(out, 3, size);
    };
    await act();
    sides.push({ name: "sharp linear, normalised", run: timed(act) });
  } catch (error) {
    skip("sharp", error.message.split("\n")[0]);
  }
  try {
    const pica = require("pica")({ features: ["js", "wasm"], concurrency: 1 });
    const to = { src: data, width, height, toWidth: size, toHeight: size, filter: "hamming" };
    const act = async () => normalised(await pica.resizeBuffer(to), 4, size);
    await act();
    sides.push({ name: "pica hamming (wasm), normalised", run: timed(act) });
  } catch (error) {
    skip("pica", error.message.split("\n")[0]);
  }
  sides.push(...(await tfjsSides(image, size, timed)));
  const close = () => {
    for (const end of ends) end();
  };
  return { sides, close, pillow: pillow?.version };
}

/** The steady state of fromPixels, resizeBilinear and normalising, part by part: fresh buffers of whole calls cost page faults. */
async function tfjsSides({ data, width, height }, size, timed) {
  try {
    const tf = require("@tensorflow/tfjs-core");
    const wasm = require("@tensorflow/tfjs-backend-wasm");
    wasm.setWasmPaths(`${PEERS_FOLDER}node_modules/@tensorflow/tfjs-backend-wasm/dist/`);
    await tf.setBackend("wasm");
    const rgb = new Int32Array(width * height * 3);
    const drop = () => {
      for (let i = 0, n = width * height; i < n; i++) for (let c = 0; c < 3; c++) rgb[i * 3 + c] = data[i * 4 + c];
    };
    drop();
    const whole = tf.tensor3d(rgb, [height, width, 3], "int32");
    const small = tf.image.resizeBilinear(whole, [size, size], false, true);
    const [m, s] = [tf.tensor1d(mean), tf.tensor1d(std)];
    return [
      { name: "TensorFlow.js: drop alpha", part: true, run: timed(drop) },
      {
        name: "TensorFlow.js: tensor",
        part: true,
        run: timed(() => tf.tensor3d(rgb, [height, width, 3], "int32").dispose()),
      },
      {
        name: "TensorFlow.js: resizeBilinear",
        part: true,
        run: timed(() => tf.tidy(() => void tf.image.resizeBilinear(whole, [size, size], false, true))),
      },
      {
        name: "TensorFlow.js: normalise",
        part: true,
        run: timed(() => tf.tidy(() => void tf.div(tf.sub(tf.div(small, 255), m), s).dataSync())),
      },
    ];
  } catch (error) {
    skip("TensorFlow.js", error.message.split("\n")[0]);
    return [];
  }
}

const CASES = [
  [1920, 1080, 224],
  [640, 480, 320],
  [4000, 3000, 224],
];
const rt = await createRuntime();
const rows = [];
let pillow;
for (const [width, height, size] of CASES) {
  const image = photo(width, height);
  const { sides, close, pillow: version } = await sidesOf(rt, image, size);
  pillow = version;
  const times = new Map(sides.map(({ name }) => [name, []]));
  const until = performance.now() + 1000 * Number(flags.seconds);
  do
    for (const { name, run } of sides)
      for (let i = 0; i < (name.startsWith("lanewise") ? 10 : 3); i++) times.get(name).push(await run());
  while (performance.now() < until);
  close();
  const min = (name) => Math.min(...times.get(name));
  const parts = sides.filter(({ part }) => part);
  const shown = sides
    .filter(({ part }) => !part)
    .map(({ name }) => ({ name, ms: min(name), runs: times.get(name).length }));
  if (parts.length > 0) {
    const sum = parts.reduce((total, { name }) => total + min(name), 0);
    shown.push({
      name: "TensorFlow.js wasm, sum of its parts",
      ms: sum,
      parts: parts.map(({ name }) => [name, min(name)]),
    });
  }
  for (const row of shown) rows.push({ width, height, size, ...row });
}
// A mask as large as the photo.
const mask = { data: new Uint8Array(256 * 144), width: 256, height: 144 };
let best = Infinity;
for (let i = 0; i < 40; i++) {
  const start = performance.now();
  resizeImage(rt, mask, [1080, 1920]);
  best = Math.min(best, performance.now() - start);
}
rows.push({ width: 256, height: 144, size: "1920x1080", name: "lanewise mask, resizeImage", ms: best, runs: 40 });
const versions = { node: process.versions.node, pillow, ...peerVersions(["sharp", "pica", "@tensorflow/tfjs-core"]) };
const chromium = await inChromium(skip);
const results = { versions, load: loadavg()[0], cores: cpus().length, rows, chromium };
console.log(visionTable(results));
console.log(writeResults("vision", results, flags.json));
process.exit(0); // TensorFlow.js keeps workers
