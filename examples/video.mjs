// A video in a page: 300 frames of it through a detector in a module worker, in headless Chromium. What a page needs is in
// examples/video; this serves it and looks on. `node examples/video.mjs`
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { readModel, report } from "./files.mjs";

const FRAMES = 300;
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = BROWSERS.find(existsSync);
const peers = new URL("../bench/peers/package.json", import.meta.url);
const { chromium } = await Promise.resolve()
  .then(() => createRequire(peers)("playwright-core"))
  .catch(() => ({}));
const skip = !executablePath ? "no Chromium" : !chromium ? "no playwright-core: npm ci in bench/peers" : undefined;
if (skip) {
  console.log(`SKIP: ${skip}`);
  process.exit(0);
}

const model = readModel("picodet_s_320.onnx");
const entries = { lanewise: "index", "lanewise/onnx": "onnx", "lanewise/vision": "vision" };
const imports = Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, `/dist/${file}.js`]));
const page = `<!doctype html><canvas width="640" height="400"></canvas><script type="module" src="page.mjs"></script>`;
const TYPES = { ".mjs": "text/javascript", ".js": "text/javascript", ".jpg": "image/jpeg" };

/** Import maps do not reach workers: names of packages become addresses, as a bundler would make them. */
const resolved = (text) => text.replace(/from "(lanewise[^"]*)"/g, (_, name) => `from "${imports[name] ?? name}"`);
const server = createServer(({ url }, response) => {
  const path = new URL(`..${url.replace("/examples/video/photos", "/examples/photos")}`, import.meta.url);
  const [type, body] =
    url === "/examples/video/"
      ? ["text/html", page]
      : url === "/model.onnx"
        ? ["application/octet-stream", model]
        : [TYPES[extname(url)], existsSync(path) ? readFileSync(path) : undefined];
  response.writeHead(body && type ? 200 : 404, { "content-type": type ?? "text/plain" });
  response.end(url.endsWith(".mjs") ? resolved(String(body)) : body);
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
try {
  const tab = await browser.newPage();
  tab.setDefaultTimeout(600_000);
  tab.on("pageerror", (error) => console.error(error.message));
  await tab.goto(`http://127.0.0.1:${server.address().port}/examples/video/`);
  await tab.waitForFunction(() => globalThis.start !== undefined);
  await tab.evaluate(() => globalThis.start());
  const heaps = await heapsOf(tab);
  await tab.evaluate(() => globalThis.play(30));
  const before = await heaps();
  const { busy, seen } = await tab.evaluate((frames) => globalThis.play(frames), FRAMES);
  const growth = (await heaps()) - before;
  await tab.screenshot({ path: new URL("out/video.png", import.meta.url).pathname });
  busy.sort((a, b) => a - b);
  const [blocked, longest] = [busy[FRAMES >> 1], busy[Math.floor(0.95 * FRAMES)]];
  console.log(
    `${FRAMES} frames, a cup in ${seen}; page busy ${blocked.toFixed(2)} ms a frame, 95 % below ${longest.toFixed(2)}`,
  );
  console.log(`heaps of page and worker: ${(growth / 1024).toFixed(0)} KB more than after 30 frames`);
  report({ frames: busy.length, blocked, growth, seen });
} finally {
  await browser.close();
  server.close();
}

/** Bytes of live objects in page and worker, after a collection. */
async function heapsOf(tab) {
  const session = await tab.context().newCDPSession(tab);
  const waiting = new Map();
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result } = JSON.parse(message);
    waiting.get(id)?.(result);
  });
  const attached = new Promise((resolve) =>
    session.once("Target.attachedToTarget", ({ sessionId }) => resolve(sessionId)),
  );
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const sessionId = await attached;
  let last = 0;
  const ofWorker = (method) =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      session.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id: last, method }) });
    });
  return async () => {
    let bytes = 0;
    for (const send of [(method) => session.send(method), ofWorker]) {
      await send("HeapProfiler.enable");
      await send("HeapProfiler.collectGarbage");
      bytes += (await send("Runtime.getHeapUsage")).usedSize;
    }
    return bytes;
  };
}
