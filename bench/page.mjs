// npm run bench:page: the page of site/ in Chromium, cold: bytes and times to the first answer, whole and of LeNet-5 alone beside
// onnxruntime-web's, in one run, in turns; the longest tasks of its main thread; section 4 beside bench:browsers' time of the same layer.
// --rounds N, --json FILE, --no-layer.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readSafetensors } from "lanewise";
import { chromium } from "playwright-core";
import { BROWSERS, CHROMIUM_FLAGS } from "../scripts/browsers/launch.mjs";
import { serveSite, siteFile } from "../test/page/serve.mjs";
import { writeResults } from "./machine.mjs";
import { installPeers, PEERS_FOLDER } from "./peers/install.mjs";
import { lenet5Onnx } from "./peers/lenet5-onnx.mjs";
import { ms, table } from "./table.mjs";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    json: { type: "string" },
    "no-layer": { type: "boolean", default: false },
  },
});
const rounds = Number(flags.rounds);
/** Of onnxruntime-web's, at most. */
const TARGETS = { bytes: 1 / 40, ms: 1 / 10 };
/** A phone's network, on a good day. */
const SLOW_MBIT = 10;
/** Between section 4's time of a layer and bench:browsers'. */
const LAYER_TOLERANCE = 0.15;

installPeers();
const root = new URL("../", import.meta.url);
const ort = (name) => readFileSync(`${PEERS_FOLDER}node_modules/onnxruntime-web/dist/${name}`);
const ORT_FILES = ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.mjs"];
const lenet5 = readSafetensors(readFileSync(new URL("examples/lenet5/lenet5.safetensors", root)));

/** A page with nothing but LeNet-5: it answers { at: ms since it was asked for, answer }. */
const PAGE = (script) => `<!doctype html><meta charset="utf-8"><script type="module" src="${script}"></script>`;
const DIGIT = `const pixels = new Float32Array(784);
for (let x = 8; x < 20; x++) pixels[7 * 28 + x] = pixels[8 * 28 + x] = 1;
for (let y = 8; y < 22; y++) pixels[y * 28 + 18] = pixels[y * 28 + 19] = 1;
const done = (logits) => { globalThis.result = { at: performance.now(), answer: [...logits].indexOf(Math.max(...logits)) }; };`;
const ENGINE = `/site/${siteFile("engine")}`;
/** The first as onnxruntime-web's, in the page itself; a page and a worker with nothing in them are what no library gets below. */
const SIDES = {
  lanewise: `${DIGIT}
import { answer } from "${ENGINE}";
const { value } = await answer("classify", { pixels });
done(value.logits);`,
  "onnxruntime-web": `${DIGIT}
import * as ort from "/ort/${ORT_FILES[0]}";
ort.env.wasm.wasmPaths = "/ort/";
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create("/lenet5.onnx", { executionProviders: ["wasm"] });
const { y } = await session.run({ x: new ort.Tensor("float32", pixels, [1, 1, 28, 28]) });
done(y.data);`,
  "lanewise in a worker": `${DIGIT}
const worker = new Worker("${ENGINE}", { type: "module" });
worker.onmessage = ({ data }) => done(data.value.logits);
worker.postMessage({ id: 1, op: "classify", args: { pixels } });`,
  "an empty page": "globalThis.result = { at: performance.now(), answer: 7 };",
  "an empty worker": `const worker = new Worker("/echo.js", { type: "module" });
worker.onmessage = () => { globalThis.result = { at: performance.now(), answer: 7 }; };
worker.postMessage(0);`,
};
const scriptOf = (name) => name.replaceAll(" ", "-");
const serve = (mbit) =>
  serveSite({
    mbit,
    path: "/site/",
    policy: "",
    more: {
      ...Object.fromEntries(ORT_FILES.map((name) => [`/ort/${name}`, ort(name)])),
      ...Object.fromEntries(
        Object.entries(SIDES).flatMap(([name, code]) => [
          [`/${scriptOf(name)}.html`, Buffer.from(PAGE(`/${scriptOf(name)}.js`))],
          [`/${scriptOf(name)}.js`, Buffer.from(code)],
        ]),
      ),
      "/echo.js": Buffer.from("onmessage = () => postMessage(0);"),
      "/lenet5.onnx": Buffer.from(lenet5Onnx(lenet5)),
    },
  });

const executablePath = BROWSERS.chromium.programs.find((path) => existsSync(path));
const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS.filter((flag) => flag !== "--headless") });
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** One visit with nothing in any cache. */
async function visit(served, path, look, init) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, serviceWorkers: "block" });
  if (init) await context.addInitScript(init);
  const page = await context.newPage();
  served.requests.length = 0;
  await page.goto(served.origin + path);
  const found = await look(page);
  const bytes = served.requests.reduce((sum, request) => sum + request.bytes, 0);
  await context.close();
  return { ...found, bytes };
}

/** The page as a visitor sees it. */
const whole = (served) =>
  visit(
    served,
    "/site/",
    async (page) => {
      await page.waitForSelector("[data-first]");
      return page.evaluate(() => {
        const { loadEventEnd } = performance.getEntriesByType("navigation")[0];
        const first = Number(document.querySelector("[data-first]").dataset.first);
        return { lcp: globalThis.lcp, load: loadEventEnd, first, afterLoad: first - loadEventEnd };
      });
    },
    () => {
      new PerformanceObserver((list) => {
        globalThis.lcp = list.getEntries().at(-1).startTime;
      }).observe({ type: "largest-contentful-paint", buffered: true });
    },
  );

/** LeNet-5 alone, by one side. */
const alone = (served, name) =>
  visit(served, `/${scriptOf(name)}.html`, async (page) => {
    await page.waitForFunction(() => globalThis.result, null, { timeout: 60_000 });
    const { at, answer } = await page.evaluate(() => globalThis.result);
    if (answer !== 7) throw new Error(`${name} answers ${answer} to a 7`);
    return { first: at };
  });

const of = (visits, key) => median(visits.map((found) => found[key]));
const networks = [];
let page;
for (const mbit of [undefined, SLOW_MBIT]) {
  const served = await serve(mbit);
  const visits = { page: [], ...Object.fromEntries(Object.keys(SIDES).map((name) => [name, []])) };
  for (let round = 0; round < (mbit ? Math.min(3, rounds) : rounds); round++) {
    if (!mbit) visits.page.push(await whole(served));
    for (const name of Object.keys(SIDES)) visits[name].push(await alone(served, name));
  }
  served.close();
  if (!mbit)
    page = Object.fromEntries(["lcp", "load", "first", "afterLoad", "bytes"].map((key) => [key, of(visits.page, key)]));
  const sides = Object.keys(SIDES).map((name) => ({
    name,
    bytes: of(visits[name], "bytes"),
    ms: of(visits[name], "first"),
  }));
  networks.push({ mbit, sides });
}
console.log(
  table(
    ["cold, median", "network", "bytes, gzip", "ms to LeNet-5's first answer"],
    networks.flatMap(({ mbit, sides }) =>
      sides.map(({ name, bytes, ms: time }) => [
        name,
        mbit ? `${mbit} Mbit/s` : "local",
        bytes.toLocaleString("en-US"),
        ms(time),
      ]),
    ),
  ),
);
for (const { mbit, sides } of networks)
  for (const [key, target] of Object.entries(TARGETS)) {
    const [own, other] = ["lanewise", "onnxruntime-web"].map((name) => sides.find((side) => side.name === name)[key]);
    const ratio = other / own;
    const verdict = ratio >= 1 / target ? "reached" : "NOT reached";
    console.log(
      `${mbit ? `${mbit} Mbit/s` : "local"}, ${key}: ${ratio.toFixed(1)} times less, target ${1 / target}: ${verdict}`,
    );
  }
console.log(
  `the page: ${page.bytes.toLocaleString("en-US")} B, largest paint ${ms(page.lcp)} ms, loaded ${ms(page.load)}, first digit ${ms(page.first)}, ${ms(page.afterLoad)} after that`,
);

/** A task that is longer is felt, and Chromium calls it long. */
const LONG_MS = 50;
const TASK_ROUNDS = 3;
const HASHES = ["conv?h=12&w=12&c=4&m=4&p=4", "nets?net=resnet18", "digit?e=5", "report"];

/** Tasks of the page's main thread, from its load on, while methods are timed and sections change: ms each by CPU time and by the clock. */
async function tasks() {
  const served = await serve();
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, serviceWorkers: "block" });
  const tab = await context.newPage();
  await browser.startTracing(tab, { categories: ["toplevel"] });
  await tab.goto(`${served.origin}/site/`);
  await tab.waitForSelector("[data-first]");
  await tab.goto(`${served.origin}/site/#methods?c=16&m=16&h=28`);
  await tab.getByRole("button", { name: "Measure on this device" }).click();
  await tab.waitForSelector("#methods .wow", { timeout: 60_000 });
  for (const hash of HASHES) {
    await tab.goto(`${served.origin}/site/#${hash}`);
    await tab.waitForTimeout(500);
  }
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  await context.close();
  served.close();
  const threadOf = ({ pid, tid }) => `${pid} ${tid}`;
  const named = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const mains = new Set(named.map(threadOf));
  const all = traceEvents.filter((one) => /RunTask$/.test(one.name) && one.ph === "X" && mains.has(threadOf(one)));
  if (!all.some(({ tdur }) => tdur > 0)) throw new Error("the trace has no CPU times of the main thread");
  return { cpu: all.map(({ tdur = 0 }) => tdur / 1000), clock: all.map(({ dur }) => dur / 1000) };
}
const rounded = [];
for (let round = 0; round < TASK_ROUNDS; round++) rounded.push(await tasks());
/** Of the quietest round. */
const longest = (key) => {
  const found = rounded.map((round) => round[key]).sort((a, b) => Math.max(...a) - Math.max(...b))[0];
  return { longestMs: Math.max(...found), long: found.filter((time) => time > LONG_MS).length };
};
const main = { cpu: longest("cpu"), clock: longest("clock") };
for (const [key, how] of Object.entries({ cpu: "of CPU time", clock: "by the clock" }))
  console.log(
    `its main thread's longest task: ${ms(main[key].longestMs)} ms ${how}; ${main[key].long} of more than ${LONG_MS} ms`,
  );

/** Section 4's times of 3x3 64@56, and the same layer's of bench:browsers. */
async function layer() {
  const served = await serve();
  const context = await browser.newContext({ serviceWorkers: "block" });
  const tab = await context.newPage();
  await tab.goto(`${served.origin}/site/#methods`);
  await tab.waitForSelector("html[data-ready]");
  const start = performance.now();
  await tab.getByRole("button", { name: "Measure on this device" }).click();
  await tab.waitForSelector("#methods .wow", { timeout: 60_000 });
  const seconds = (performance.now() - start) / 1000;
  const times = await tab
    .locator("table.methods tbody tr")
    .evaluateAll((rows) =>
      rows.map((row) => [row.querySelector("th").textContent, Number(row.querySelector("[data-ms]").dataset.ms)]),
    );
  await context.close();
  served.close();
  return { seconds, times: Object.fromEntries(times) };
}
const section = flags["no-layer"] ? undefined : await layer();
if (section) {
  await browser.close(); // the machine is bench:browsers' now
  console.log(`section 4 took ${section.seconds.toFixed(1)} s: ${JSON.stringify(section.times)}`);
  const folder = mkdtempSync(join(tmpdir(), "lanewise-page-"));
  const json = join(folder, "layer.json");
  const script = new URL("browsers.mjs", import.meta.url).pathname;
  execFileSync(process.execPath, [
    script,
    "--browsers",
    "chromium",
    "--only",
    "^3x3 64@56$",
    "--no-build",
    "--json",
    json,
  ]);
  const { rows } = JSON.parse(readFileSync(json, "utf8"));
  rmSync(folder, { recursive: true });
  section.bench = rows[0].times["lanewise-relaxed"] ?? rows[0].times;
  console.log(`bench:browsers, the same layer: ${JSON.stringify(section.bench)}; within ${100 * LAYER_TOLERANCE} %?`);
}
if (flags.json) console.log(`written: ${writeResults("page", { rounds, page, main, networks, section }, flags.json)}`);
process.exit(0);
