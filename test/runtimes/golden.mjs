// The golden script: the same file in every runtime. Imports the installed package, takes its data as JavaScript, and
// answers a report that run.mjs checks. Needs no permission, no file, no network.
import {
  CONV_ALGORITHMS,
  createModel,
  createRuntime,
  DisposedError,
  lenet5,
  readSafetensors,
  ShapeError,
  UnsupportedError,
} from "lanewise";
import { readIdx } from "lanewise/datasets";
import { loadOnnx } from "lanewise/onnx";
import { applyMask, createPreprocessor, preprocess, presets, resizeImage, toImage } from "lanewise/vision";
import { digits, float, labels, quantised, weights } from "./fixtures.mjs";

/** Locals: in a context of node:vm a global is looked up anew each time, which took most of its time. */
const { imul, abs, max, floor } = Math;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** By hand: not everywhere is an atob(). */
function bytesOf(base64) {
  const text = base64.replace(/=+$/, "");
  const bytes = new Uint8Array((text.length * 3) >> 2);
  let bits = 0;
  for (let i = 0, at = 0; i < text.length; i++) {
    bits = (bits << 6) | DIGITS.indexOf(text[i]);
    if (i % 4 > 0) bytes[at++] = bits >> (6 - 2 * (i % 4));
  }
  return bytes;
}

/** FNV-1a over the bytes of a float array, going on from `hash`: equal hashes, equal bits. */
function hashOf(floats, hash = 0x811c9dc5) {
  for (const byte of new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength))
    hash = imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

function assert(condition, message) {
  if (!condition) throw new Error(message);
}

/** From -0.5 to 0.5, a full mantissa, the same everywhere: Math.sin differs by engine. */
const noise = (i) => (imul(i + 1, 0x9e3779b1) >>> 0) / 2 ** 32 - 0.5;

/** Every algorithm against plain loops; answers a hash of each one's output. */
function convolutions(rt) {
  const hashes = {};
  for (const algorithm of CONV_ALGORITHMS) {
    const groups = algorithm === "depthwise" ? 6 : 1;
    const [C, M, H, W] = [6, groups === 1 ? 10 : 6, 9, 11];
    const perGroup = C / groups;
    const x = Float32Array.from({ length: C * H * W }, (_, i) => noise(i));
    const w = Float32Array.from({ length: M * perGroup * 9 }, (_, i) => noise(i + 5000));
    const b = Float32Array.from({ length: M }, (_, i) => i / 8);
    const input = rt.tensor(x, [1, C, H, W]);
    const weight = rt.tensor(w, [M, perGroup, 3, 3]);
    const bias = rt.tensor(b, [M]);
    const y = rt.conv2d(input, weight, bias, { padding: 1, groups, activation: "relu", algorithm });
    const got = y.toArray();
    for (let i = 0; i < got.length; i++) {
      const [m, p, q] = [floor(i / (H * W)), floor(i / W) % H, i % W];
      let sum = b[m];
      for (let c = 0; c < perGroup; c++) {
        for (let tap = 0; tap < 9; tap++) {
          const [h, v] = [p + floor(tap / 3) - 1, q + (tap % 3) - 1];
          if (h < 0 || h >= H || v < 0 || v >= W) continue;
          const channel = groups === 1 ? c : m;
          sum += x[(channel * H + h) * W + v] * w[(m * perGroup + c) * 9 + tap];
        }
      }
      assert(abs(got[i] - max(sum, 0)) < 1e-4, `${algorithm}: expected ${max(sum, 0)}, got ${got[i]}`);
    }
    for (const tensor of [input, weight, bias, y]) tensor.dispose();
    hashes[algorithm] = hashOf(got);
  }
  return hashes;
}

/** LeNet-5 on ten digits, one at a time. */
async function reading(rt) {
  const { data, shape } = await readIdx(bytesOf(digits));
  const model = createModel(rt, lenet5({ batch: 1 }), readSafetensors(bytesOf(weights)));
  const logits = new Float32Array(shape[0] * 10);
  let right = 0;
  for (let i = 0; i < shape[0]; i++) {
    const image = rt.tensor(
      Float32Array.from(data.subarray(i * 784, (i + 1) * 784), (p) => p / 255),
      [1, 1, 28, 28],
    );
    const scores = model.run({ image }).logits.toArray();
    logits.set(scores, i * 10);
    if (scores.indexOf(max(...scores)) === labels[i]) right++;
    image.dispose();
  }
  model.dispose();
  return { right, of: shape[0], hash: hashOf(logits) };
}

/** A network from an ONNX file, at once and in turns; answers a hash of its output. The quantised one needs a pack of its own. */
async function network(rt, { model: file, input, output }) {
  const floats = (npy) => {
    const bytes = bytesOf(npy);
    return new Float32Array(bytes.slice(10 + bytes[8] + 256 * bytes[9]).buffer);
  };
  const model = await loadOnnx(rt, bytesOf(file));
  const [{ name, shape }] = model.inputs;
  const given = { [name]: { data: floats(input), shape } };
  const got = model.run(given)[model.outputs[0].name].toArray();
  floats(output).forEach((wanted, i) => {
    assert(abs(got[i] - wanted) < 1e-4, `onnx output ${i}: expected ${wanted}, got ${got[i]}`);
  });
  const again = (await model.runAsync(given, { yieldEvery: 0 }))[model.outputs[0].name].toArray();
  assert(got.join() === again.join(), "runAsync differs from run");
  model.dispose();
  return hashOf(got);
}

/** A picture that is the same everywhere. */
function photo(width, height, channels) {
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => imul(i + 1, 0x9e3779b1) >>> 24);
  return { data, width, height, channels };
}

const FILTERS = ["bilinear", "bicubic", "lanczos", "hamming", "box", "area", "nearest"];

/** Photos by every filter, size and layout; answers a hash of all tensors: whole numbers until the last product and sum. */
function photos(rt) {
  let hash = 0x811c9dc5;
  const take = (image, options) => {
    const x = preprocess(rt, image, options);
    hash = hashOf(x.data, hash);
    x.dispose();
  };
  for (const filter of FILTERS) {
    for (const [width, height, size] of [
      [97, 61, [31, 37]],
      [31, 200, [64, 8]],
      [640, 480, [224, 224]],
      [5, 3, [29, 17]],
    ])
      take(photo(width, height, 3), { ...presets.imagenet, fit: "stretch", resize: undefined, filter, size });
  }
  for (const [name, preset] of Object.entries(presets)) {
    const memoryFormat = name.length % 2 ? "contiguous" : "channelsLast";
    take(photo(300, 260, 4), { ...preset, size: [96, 128], memoryFormat });
  }
  const region = { x: 20, y: 10, width: 50, height: 40, angle: 0.5 };
  take(photo(90, 80, 4), { scale: 1, size: 32, region, background: [1, 2, 3], dtype: "uint8" });
  take(photo(90, 80, 4), { scale: 1, mean: 128, size: 32, orientation: 6, channels: "rgba", dtype: "int8" });
  const small = resizeImage(rt, photo(70, 50, 4), [20, 30], { filter: "lanczos" });
  const pre = createPreprocessor(rt, { scale: 1 / 255, size: 16, fit: "letterbox" });
  const view = pre.run(small);
  const cut = applyMask(rt, small, { data: new Uint8Array(16).fill(200), width: 4, height: 4 }, view);
  hash = hashOf(cut.data, hashOf(toImage(rt, pre.tensor, { scale: 1 / 255 }).data, hash));
  pre.dispose();
  return hash;
}

/** In a page: frames of a canvas, an ImageBitmap and a VideoFrame have the bits of their bytes, with VideoFrame and without. */
async function frames(rt) {
  if (typeof OffscreenCanvas !== "function" || typeof VideoFrame !== "function") return undefined;
  const { data, width, height } = resizeImage(rt, photo(333, 211, 3), [211, 333]);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  const bitmap = await createImageBitmap(canvas);
  const frame = new VideoFrame(canvas, { timestamp: 0 });
  const pairs = new Uint8Array((width - 1) * (height - 1) * 1.5).fill(100); // I420, even sides
  const [w, h] = [width - 1, height - 1];
  const film = new VideoFrame(pairs, { format: "I420", codedWidth: w, codedHeight: h, timestamp: 0 });
  const whole = new Uint8ClampedArray(w * h * 4);
  if (film.allocationSize({ format: "RGBA" }) === whole.length) await film.copyTo(whole, { format: "RGBA" });
  else {
    // WebKit copies what a frame has, and knows RGBA on a canvas alone.
    const screen = new OffscreenCanvas(w, h).getContext("2d");
    screen.drawImage(film, 0, 0);
    whole.set(screen.getImageData(0, 0, w, h).data);
  }
  const seen = [];
  const original = VideoFrame;
  for (const has of [true, false]) {
    if (!has) globalThis.VideoFrame = undefined;
    for (const [source, image] of [
      [canvas, { data, width, height }],
      [bitmap, { data, width, height }],
      ...(has
        ? [
            [frame, { data, width, height }],
            [film, { data: whole, width: w, height: h }],
          ]
        : []),
    ]) {
      for (const options of [{ fit: "letterbox" }, { antialias: false, fit: "crop" }, { orientation: 6 }]) {
        const pre = createPreprocessor(rt, { scale: 1 / 255, size: [90, 70], ...options });
        const from = await pre.runFrom(source);
        const got = hashOf(pre.tensor.data);
        const want = pre.run(image);
        assert(
          got === hashOf(pre.tensor.data),
          `a frame has other bits: ${JSON.stringify([has, options, seen.length])}`,
        );
        assert(from.toImage([3, 4]).join() === want.toImage([3, 4]).join(), "a frame has another view");
        pre.dispose();
        seen.push(got);
      }
    }
    globalThis.VideoFrame = original;
  }
  const pre = createPreprocessor(rt, { scale: 1, size: 8 });
  const failure = async (source, options) =>
    pre.runFrom(source, options).then(
      () => "",
      (error) => error,
    );
  const stop = new AbortController();
  const aborted = failure(canvas, { signal: stop.signal });
  stop.abort("enough");
  assert((await aborted) === "enough", "an aborted run ends with its reason");
  frame.close();
  const elements = typeof document === "object" ? [new Image(), document.createElement("video")] : [];
  for (const source of [frame, ...elements, 7, {}]) {
    const { name, message } = await failure(source);
    assert(name === "TypeError" && /^"source" expected .*, got /.test(message), `a source without pixels: ${message}`);
  }
  const both = await Promise.allSettled([pre.runFrom(canvas), pre.runFrom(canvas)]);
  assert(both[0].status === "fulfilled" && both[1].reason?.name === "ModelError", "one run at a time");
  const gone = pre.runFrom(canvas).catch(({ name }) => name);
  pre.dispose();
  assert((await gone) === "DisposedError", "a preprocessor that is disposed meanwhile");
  film.close();
  return seen.length;
}

/** Why a tuned plan has its algorithm. */
function tuned(rt) {
  const weight = rt.zeros([16, 16, 3, 3]);
  const plan = rt.plan.conv2d({ input: [1, 16, 14, 14], weight, tune: true });
  const { reason } = plan.describe();
  plan.dispose();
  weight.dispose();
  return reason;
}

function refusals(rt) {
  const refuses = (act, type) => {
    try {
      act();
    } catch (error) {
      return error instanceof type;
    }
    return false;
  };
  const x = rt.zeros([1, 3, 4, 4]);
  const w = rt.zeros([2, 3, 3, 3]);
  assert(
    refuses(() => rt.conv2d(x, w, null, { groups: 2 }), ShapeError),
    "groups that do not divide are a ShapeError",
  );
  assert(
    refuses(() => rt.conv2d(x, w, null, { stride: 0 }), RangeError),
    "a zero stride is a RangeError",
  );
  assert(
    refuses(() => rt.conv2d(x, w, null, { stride: 2, algorithm: "winograd43" }), UnsupportedError),
    "Winograd has stride 1",
  );
  w.dispose();
  assert(
    refuses(() => rt.conv2d(x, w), DisposedError),
    "a disposed tensor is a DisposedError",
  );
  x.dispose();
}

/** A runtime with threads, when all of them run that are to come. */
async function withThreads(options) {
  const rt = await createRuntime(options);
  for (let i = 0; i < 2400 && rt.report().threads.reason === "others are starting"; i++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return rt;
}

/** ms that createRuntime() takes: the first one of this process or page, and the median of later ones. */
async function starting() {
  const now = typeof performance === "object" ? () => performance.now() : Date.now; // an AudioWorklet counts whole ms
  const times = [];
  for (let i = 0; i < 22; i++) {
    const start = now();
    (await createRuntime()).dispose();
    times.push(now() - start);
  }
  const [first, ...later] = times;
  return { first, ms: later.sort((a, b) => a - b)[later.length >> 1] };
}

/** variants: "auto" always, and by name what this entry of the package has; the last one again with three threads. */
export async function golden(variants = ["auto", "simd"]) {
  const results = [];
  const starts = await starting();
  for (const [variant, threads] of [...variants.map((variant) => [variant, 1]), [variants.at(-1), 3]]) {
    const rt = await withThreads({ variant, threads });
    const hashes = convolutions(rt);
    const lenet = await reading(rt);
    await network(rt, float);
    await network(rt, quantised);
    photos(rt);
    const framed = await frames(rt);
    const { memoryBytes } = rt.report();
    for (let i = 0; i < 20; i++) convolutions(rt);
    await reading(rt);
    const networks = { float: await network(rt, float), quantised: await network(rt, quantised), photos: photos(rt) };
    const choice = tuned(rt);
    refusals(rt);
    const report = rt.report();
    assert(report.memoryBytes === memoryBytes, `memory grew from ${memoryBytes}: ${JSON.stringify(report)}`);
    assert(
      report.bytesInUse === 0 && report.liveTensors === 0 && report.livePlans === 0,
      `leak: ${JSON.stringify(report)}`,
    );
    rt.dispose();
    results.push({ starts, report, hashes: { ...hashes, lenet5: lenet.hash, ...networks }, lenet, choice, framed });
  }
  return results;
}
