// In headless Chromium: an ImageBitmap of 1920x1080 to a tensor, by runFrom(), and by tf.browser.fromPixels, resizeBilinear and
// normalising, in turn in one page.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { PEERS_FOLDER } from "./peers/install.mjs";

const ROOT = new URL("../", import.meta.url).pathname;
const CHROMIUM = "/usr/bin/chromium";
const TYPES = { ".js": "text/javascript", ".html": "text/html", ".wasm": "application/wasm" };
const TFJS = "/bench/peers/node_modules/@tensorflow";
const IMPORTS = { lanewise: "/dist/index.js", "lanewise/vision": "/dist/vision.js" };

const PAGE = `<!doctype html><script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script src="${TFJS}/tfjs-core/dist/tf-core.min.js"></script>
<script src="${TFJS}/tfjs-backend-wasm/dist/tf-backend-wasm.min.js"></script>
<script type="module">
import { createRuntime } from "lanewise";
import { createPreprocessor, presets } from "lanewise/vision";
globalThis.measure = async (rounds) => {
  const [width, height, size] = [1920, 1080, 224];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillRect(0, 0, width, height); // a photo has no holes
  for (let i = 0; i < 400; i++) {
    context.fillStyle = "hsl(" + i * 7 + " 60% " + (20 + (i % 60)) + "%)";
    context.fillRect((i * 97) % width, (i * 61) % height, 300, 200);
  }
  const bitmap = await createImageBitmap(canvas);
  const { mean, std } = presets.imagenet;
  const rt = await createRuntime();
  const pre = createPreprocessor(rt, { scale: 1 / 255, mean, std, size });
  const plain = createPreprocessor(rt, { scale: 1 / 255, mean, std, size, antialias: false });
  const sides = {
    "lanewise runFrom, bilinear": () => pre.runFrom(bitmap),
    "lanewise runFrom, without antialias": () => plain.runFrom(bitmap),
  };
  const { tf } = globalThis;
  if (tf?.wasm) {
    tf.wasm.setWasmPaths("${TFJS}/tfjs-backend-wasm/dist/");
    await tf.setBackend("wasm");
    const [m, s] = [tf.tensor1d(mean), tf.tensor1d(std)];
    sides["TensorFlow.js fromPixels, resizeBilinear, normalise"] = () =>
      tf.tidy(() => void tf.div(tf.sub(tf.div(tf.image.resizeBilinear(tf.browser.fromPixels(bitmap), [size, size], false, true), 255), m), s).dataSync());
  }
  const times = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
  for (const run of Object.values(sides)) await run();
  for (let i = 0; i < rounds; i++)
    for (const [name, run] of Object.entries(sides))
      for (let k = 0; k < (name.startsWith("lanewise") ? 5 : 1); k++) {
        const start = performance.now();
        await run();
        times[name].push(performance.now() - start);
      }
  return Object.entries(times).map(([name, list]) => {
    list.sort((a, b) => a - b);
    return { name, ms: [list[0], list[list.length >> 1]] };
  });
};
</script>`;

/** { version, rows: [{ name, ms: [minimum, median] }] }; undefined, and said so, where there is no Chromium. */
export async function inChromium(skip) {
  if (!existsSync(CHROMIUM)) return skip("Chromium", `no ${CHROMIUM}`);
  const server = createServer((request, response) => {
    const path = resolve(ROOT, `.${new URL(request.url, "http://x").pathname}`);
    if (request.url === "/") return response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
    if (!path.startsWith(ROOT) || !existsSync(path)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream" });
    createReadStream(path).pipe(response);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const { chromium } = await import(pathToFileURL(`${PEERS_FOLDER}node_modules/playwright-core/index.mjs`).href);
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction(() => globalThis.measure !== undefined);
    return { version: browser.version(), rows: await page.evaluate(() => globalThis.measure(20)) };
  } catch (error) {
    return skip("Chromium", error.message.split("\n")[0]);
  } finally {
    await browser.close();
    server.close();
  }
}
