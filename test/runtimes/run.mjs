// npm run test:runtimes: installs the packed tarball into a bare project, and runs golden.mjs there in every runtime that can be had.
// Runtimes are installed under .rt (git-ignored); one that can't be is skipped, visibly. The simd binary must give the same bits in all of
// them. Then places that do not do (refusals.mjs). Flags: test/places.mjs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BROWSERS, findBrowser, versionOf } from "../../scripts/browsers/launch.mjs";
import { openBrowser } from "../../scripts/browsers/open.mjs";
import { runPlaces, Skip } from "../places.mjs";
import { EDGE } from "./edge.mjs";
import { HOSTS } from "./hosts.mjs";
import { LIMIT_MS, project } from "./project.mjs";
import { REFUSALS } from "./refusals.mjs";

/**
 * A browser's page that runs `run`, the text of a function, beside golden(); no bundler, an import map to the installed files. files: more
 * modules of the project, by name.
 */
async function page(name, run = "golden", files = {}) {
  const { missing } = findBrowser(name);
  if (missing) throw new Skip(`no ${missing.join(", ")}: apt-get install ${BROWSERS[name].packages.join(" ")}`);
  const entry = (file) => `/node_modules/lanewise/dist/${file}.js`;
  const imports = { lanewise: entry("index") };
  for (const file of ["datasets", "onnx", "vision"]) imports[`lanewise/${file}`] = entry(file);
  const blobs = {
    "/page.mjs": { body: `import { golden } from "./golden.mjs";\nexport default () => (${run})();\n` },
    "/golden-inline.mjs": { body: inlineGolden() },
  };
  for (const [file, body] of Object.entries(files)) blobs[`/${file}`] = { body };
  const browser = await openBrowser(name, { timeoutMs: LIMIT_MS });
  try {
    const { value } = await browser.ask({ script: "/page.mjs", imports, folders: { "/": project }, blobs });
    return value;
  } finally {
    browser.close();
  }
}

/** golden.mjs with static imports of files only, for where neither import() nor an import map is to be had. */
function inlineGolden() {
  const files = {
    lanewise: "inline",
    "lanewise/datasets": "datasets",
    "lanewise/onnx": "onnx-static",
    "lanewise/vision": "vision",
  };
  const text = readFileSync(join(project, "golden.mjs"), "utf8");
  return text.replace(/ from "(lanewise[^"]*)"/g, (_, name) => ` from "/node_modules/lanewise/dist/${files[name]}.js"`);
}

/** golden()'s results, or what failed, as a worker or a worklet posts them. */
const ANSWER = "golden().then((value) => ({ value }), (e) => ({ failure: String(e.stack ?? e) }))";

function serviceWorker(name) {
  const worker = `import { golden } from "/golden-inline.mjs";
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", ({ source }) => ${ANSWER}.then((answer) => source.postMessage(answer)));`;
  const run = `async () => {
  const answer = new Promise((resolve) => { navigator.serviceWorker.onmessage = ({ data }) => resolve(data); });
  await navigator.serviceWorker.register("/sw.mjs", { type: "module" });
  (await navigator.serviceWorker.ready).active.postMessage("go");
  const { value, failure } = await answer;
  if (failure) throw new Error(failure);
  return value;
}`;
  return page(name, run, { "sw.mjs": worker });
}

/** Inside of process() a runtime is made, and used, at once. */
function audioWorklet(name) {
  const worklet = `import { golden } from "/golden-inline.mjs";
import { createRuntimeSync } from "/node_modules/lanewise/dist/inline.js";
registerProcessor("golden", class extends AudioWorkletProcessor {
  process(_, [[output]]) {
    if (this.rt) return true;
    this.rt = createRuntimeSync({ maxBytes: 2 ** 20, threads: 2 });
    const x = this.rt.tensor(output.map((_, i) => i), [1, 1, output.length]);
    const y = this.rt.conv1d(x, this.rt.tensor([1, 1], [1, 1, 2]), null, { padding: [1, 0] });
    const { running, reason } = this.rt.report().threads;
    if (y.data[5] !== 9) this.port.postMessage({ failure: "4 + 5 is " + y.data[5] });
    else if (running !== 1 || !reason) this.port.postMessage({ failure: "no reason for one thread" });
    else ${ANSWER}.then((answer) => this.port.postMessage(answer));
    return true;
  }
});`;
  const run = `async () => {
  const context = new OfflineAudioContext(1, 1280, 44100);
  await context.audioWorklet.addModule("/worklet.mjs");
  const node = new AudioWorkletNode(context, "golden");
  const answer = new Promise((resolve, reject) => {
    node.port.onmessage = ({ data }) => resolve(data);
    node.onprocessorerror = ({ message }) => reject(new Error(message));
  });
  node.connect(context.destination);
  await context.startRendering();
  const { value, failure } = await answer;
  if (failure) throw new Error(failure);
  return value;
}`;
  return page(name, run, { "worklet.mjs": worklet });
}

const PAGES = [
  { name: "Chromium, a plain page", variant: "relaxed", frames: 18, run: () => page("chromium") },
  { name: "Chromium, a service worker, lanewise/inline", variant: "relaxed", run: () => serviceWorker("chromium") },
  { name: "Chromium, an AudioWorklet, lanewise/inline", variant: "relaxed", run: () => audioWorklet("chromium") },
  { name: "Firefox, a plain page", variant: "relaxed", frames: 18, run: () => page("firefox") },
  { name: "Firefox, a service worker, lanewise/inline", variant: "relaxed", run: () => serviceWorker("firefox") },
  { name: "Firefox, an AudioWorklet, lanewise/inline", variant: "relaxed", run: () => audioWorklet("firefox") },
  { name: "WebKitGTK, a plain page", variant: "simd", frames: 18, run: () => page("webkit") },
  { name: "WebKitGTK, a service worker, lanewise/inline", variant: "simd", run: () => serviceWorker("webkit") },
].map((place) => ({
  ...place,
  version: () => versionOf(place.name.split(",")[0].toLowerCase().replace("gtk", "")),
  ci: true,
}));

let bits; // hashes of what the simd binary computes: the same in every runtime
async function check(runtime) {
  const results = await runtime.run();
  const [auto, simd, several] = results;
  const { variant, reason } = auto.report;
  const problems = [];
  if (variant !== runtime.variant) problems.push(`expected the ${runtime.variant} binary, got ${variant} (${reason})`);
  for (const { lenet } of results)
    if (lenet.right < 9) problems.push(`LeNet-5 read ${lenet.right} of ${lenet.of} digits`);
  // Even in workerd: its clock stands still only where Cloudflare runs it.
  for (const { choice } of results)
    if (!choice.startsWith("fastest measured")) problems.push(`expected a measured choice, got "${choice}"`);
  bits ??= simd.hashes;
  const others = Object.keys(bits).filter((what) => [simd, several].some(({ hashes }) => hashes[what] !== bits[what]));
  for (const what of others) problems.push(`simd: ${what} has other bits than in the first place`);
  const { running, reason: why } = several.report.threads;
  const wanted = runtime.threads ?? 1;
  if (running !== wanted) problems.push(`expected ${wanted} threads, got ${running} (${why})`);
  if (running === 1 && !why) problems.push("expected a reason for one thread, got none");
  // Photos have the same bits beside either binary.
  if (auto.hashes.photos !== bits.photos) problems.push(`photos have other bits beside ${variant}`);
  if (runtime.frames && results.some(({ framed }) => framed !== runtime.frames)) problems.push("frames were not tried");
  const { first, ms } = auto.starts;
  const note = `first ${first.toFixed(1)} ms, ${Object.keys(auto.hashes).length - 4} algorithms, two networks, photos${auto.framed ? `, ${auto.framed} frames` : ""}, ${auto.lenet.right} of ${auto.lenet.of} digits`;
  return {
    problems,
    version: runtime.version?.(),
    variant,
    reason,
    threads: running,
    bits: others.length === 0,
    ms,
    note,
  };
}

const places = [...HOSTS, ...PAGES, ...EDGE].map((one) => ({ name: one.name, ci: one.ci, check: () => check(one) }));
await runPlaces("runtimes", [...places, ...REFUSALS]);
