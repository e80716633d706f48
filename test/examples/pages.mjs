// Examples that run in a browser, opened by drive.mjs. Each answers what is wrong, a list of sentences.
import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { BROWSERS, findBrowser, launch } from "../../scripts/browsers/launch.mjs";
import { openBrowser } from "../../scripts/browsers/open.mjs";
import { digitFiles } from "./photos.mjs";
import { copyOf, HANGS_MS, root, run, Skip, tools } from "./project.mjs";
import { worklet } from "./worklet-heap.mjs";

const NAMES = { chromium: "Chromium", firefox: "Firefox", webkit: "WebKitGTK" };
const here = join(root, "test/examples");

function needed(browser) {
  const { missing } = findBrowser(browser);
  if (missing) throw new Skip(`no ${missing.join(", ")}: apt-get install ${BROWSERS[browser].packages.join(" ")}`);
}

/** One file of a script and all that it imports, as the README says. */
function bundle(folder, entry, to = `dist/${entry}`, more = []) {
  const esbuild = join(tools("esbuild", "esbuild"), "bin/esbuild");
  run(esbuild, [entry, "--bundle", "--minify", "--log-level=error", `--outfile=${to}`, ...more], { cwd: folder });
}

const files = digitFiles();
const given = {
  "/files.json": { type: "application/json", body: JSON.stringify(files.map(({ name, type }) => ({ name, type }))) },
  ...Object.fromEntries(files.map(({ name, type, bytes }) => [`/files/${name}`, { type, body: bytes }])),
};

/** What a page shows for the digits. */
const read = (shown, some = files) =>
  some.flatMap(({ name, label }) =>
    shown[name]?.startsWith(`${label} `) ? [] : [`${name}: expected ${label}, got ${shown[name]}`],
  );

/** Asks a browser for a case of drive.mjs, with an example's folder at /app/. */
async function ask(browser, folder, name, more = {}) {
  needed(browser);
  const open = await openBrowser(browser, { timeoutMs: HANGS_MS });
  try {
    return await open.ask({
      script: `/drive.mjs?case=${name}`,
      folders: { "/app/": folder, "/": here },
      blobs: { ...given, ...more.blobs },
      ...more,
    });
  } finally {
    open.close();
  }
}

async function importMap(browser) {
  needed(browser);
  const folder = copyOf("import-map", { model: "digits" });
  cpSync(join(folder, "node_modules/lanewise/dist"), join(folder, "lanewise"), { recursive: true });
  const { value, seen } = await ask(browser, folder, "page");
  const binaries = seen.filter((path) => /\/(simd|relaxed)\.js$/.test(path));
  const wrong = binaries.length === 1 ? [] : [`expected one binary, got ${binaries}`];
  const { value: after } = browser === "chromium" ? await ask(browser, folder, "wrong") : {};
  return [...wrong, ...read(value.shown), ...(after ? read(after.shown, files.slice(0, 1)) : [])];
}

let installed;
/** Installed once for both builds. */
function reactFolder() {
  if (installed) return installed;
  const folder = copyOf("react", { npm: true });
  run(process.execPath, [join(root, "examples/model.mjs"), join(folder, "public"), "digits"]);
  installed = folder;
  return folder;
}

/** Builds are of both kinds: React's own development build mounts twice under StrictMode. */
async function react(browser, mode) {
  needed(browser);
  const folder = reactFolder();
  const env = { ...process.env, NODE_ENV: mode };
  run("npx", ["vite", "build", "--mode", mode, "--logLevel", "error"], { cwd: folder, env });
  const counting = `<script>self.workers = { made: 0, ended: 0 };
self.Worker = class extends Worker { constructor(...all) { super(...all); workers.made++; } terminate() { super.terminate(); workers.ended++; } };</script>`;
  const html = readFileSync(join(folder, "dist/index.html"), "utf8").replace("<meta", `${counting}<meta`);
  const blobs = { ...given, "/app/index.html": { type: "text/html", body: html } };
  const { value, seen } = await ask(browser, join(folder, "dist"), "react", { blobs });
  const times = mode === "development" ? 2 : 1; // of StrictMode
  const wrong = [];
  const counts = [
    ["hidden", value.hidden, { made: times, ended: times }],
    ["shown again", value.workers, { made: 2 * times, ended: 2 * times - 1 }],
  ];
  for (const [when, got, expected] of counts)
    if (JSON.stringify(got) !== JSON.stringify(expected))
      wrong.push(`${when}: expected workers ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`);
  const binaries = new Set(seen.filter((path) => /\/(simd|relaxed)-[\w-]+\.js$/.test(path)));
  if (binaries.size !== 1) wrong.push(`expected one binary, got ${[...binaries]}`);
  return [...wrong, ...read(value.shown), ...read(value.again, files.slice(0, 1))];
}

async function serviceWorker(browser) {
  needed(browser);
  const folder = copyOf("service-worker", { model: "digits" });
  bundle(folder, "sw.js", "service-worker.js");
  let isOffline = false;
  const answer = (path) => {
    if (path === "/~offline") isOffline = true;
    if (path === "/~offline" || (isOffline && path.startsWith("/app/"))) return { status: 404, body: "offline" };
    if (path === "/app/") return { type: "text/html", body: readFileSync(join(folder, "index.html")) };
    return undefined;
  };
  const { value } = await ask(browser, folder, "offline", { answer });
  const wrong = value.gone === "offline" ? [] : [`expected no server, got ${value.gone}`];
  return [...wrong, ...read(value.online, files.slice(0, 2)), ...read(value.shown)];
}

/** The extension as it is loaded by hand, and a page of the test's own beside its popup, which posts what that shows. */
async function extension() {
  needed("chromium");
  const folder = copyOf("extension", { model: "digits" });
  bundle(folder, "background.js");
  for (const name of ["drive.mjs", "sounds.mjs"]) cpSync(join(here, name), join(folder, name));
  mkdirSync(join(folder, "files"));
  for (const { name, bytes } of files) writeFileSync(join(folder, "files", name), bytes);
  writeFileSync(join(folder, "files.json"), given["/files.json"].body);
  let answered;
  const answer = new Promise((resolve) => {
    answered = resolve;
  });
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    response.writeHead(200, { "access-control-allow-origin": "*" }).end();
    if (body) answered(JSON.parse(body));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const back = `http://127.0.0.1:${server.address().port}/`;
  writeFileSync(
    join(folder, "test.js"),
    `import run from "./drive.mjs?case=popup";
const answer = await run().then((value) => ({ value }), (error) => ({ failure: String(error.stack ?? error) }));
await fetch(${JSON.stringify(back)}, { method: "POST", body: JSON.stringify(answer) });`,
  );
  writeFileSync(join(folder, "test.html"), `<!doctype html><body><script type="module" src="test.js"></script>`);
  // Pages of extensions that the command line names are opened before there are extensions.
  appendFileSync(join(folder, "dist/background.js"), 'chrome.tabs.create({ url: "test.html" });\n');
  const flags = [`--load-extension=${folder}`, `--disable-extensions-except=${folder}`];
  const browser = launch("chromium", "about:blank", {}, flags);
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`no answer: ${browser.output()}`)), HANGS_MS);
  });
  try {
    const { value, failure } = await Promise.race([answer, late]);
    if (failure) throw new Error(failure);
    return read(value.shown);
  } finally {
    clearTimeout(timer);
    browser.end();
    server.close();
  }
}

/** The network's file and the processor, as the README says. */
function denoiser() {
  const folder = copyOf("audio-worklet");
  run(process.execPath, [join(root, "examples/audio-worklet/make-model.mjs"), folder]);
  bundle(folder, "processor.js", "dist/processor.js", ["--format=esm"]);
  return folder;
}

/** A tone beside noise: 10 dB more of it are left, and nothing is lost where there is no noise to take. */
function heard(before, after, exact) {
  const wrong = after > before + 8 ? [] : [`expected 8 dB more than ${before}, got ${after}`];
  return exact > 100 ? wrong : [...wrong, `expected the sound itself to 100 dB, got ${exact}`];
}

async function sound(browser) {
  needed(browser);
  const { value } = await ask(browser, denoiser(), "sound");
  return heard(value.before, value.heard["-24"].tone, value.heard["-100"].same);
}

/** The same processor in Node, where the heap can be counted. */
function heap() {
  const folder = denoiser();
  const child = join(here, "worklet-child.mjs");
  const args = ["--expose-gc", child, "dist/processor.js", "denoise.onnx"];
  const { before, after, exact, silence, few, many, calls, wasteful, callMs } = JSON.parse(
    run(process.execPath, args, { cwd: folder }),
  );
  const wrong = heard(before, after, exact);
  if (!silence) wrong.push("expected silence of silence");
  // An object a call is 16 bytes or more; what a thousand calls leave is what counting them does.
  if (few > 4000) wrong.push(`expected no garbage of 1000 calls, got ${few} bytes`);
  if (many > 2 * calls) wrong.push(`expected no garbage of ${calls} calls, got ${many} bytes`);
  if (wasteful < 16_000) wrong.push("expected to see 16 bytes a call");
  const note = `${(1000 * callMs).toFixed(0)} us a block, ${few} bytes left by 1,000 of them, ${before.toFixed(1)} dB before, ${after.toFixed(1)} after`;
  return { wrong, note };
}

/** On Chromium's audio thread itself: no more than the engine leaves of calls that do nothing. */
async function heapInChromium() {
  needed("chromium");
  const { bytes, nothing, most, blocks } = await worklet(denoiser());
  const wrong = bytes - nothing <= most ? [] : [`expected at most ${nothing} bytes of ${blocks} blocks, got ${bytes}`];
  return { wrong, note: `${blocks} blocks leave ${bytes} bytes, of a processor that does nothing ${nothing}` };
}

export const CASES = [
  ...Object.keys(NAMES).map((browser) => ({ name: `import-map, ${NAMES[browser]}`, run: () => importMap(browser) })),
  { name: "react, Chromium", run: () => react("chromium", "production") },
  { name: "react, Chromium, StrictMode in development", run: () => react("chromium", "development") },
  ...Object.keys(NAMES).map((browser) => ({
    name: `service-worker, ${NAMES[browser]}`,
    run: () => serviceWorker(browser),
  })),
  { name: "extension, Chromium", run: extension },
  ...Object.keys(NAMES).map((browser) => ({ name: `audio-worklet, ${NAMES[browser]}`, run: () => sound(browser) })),
  { name: "audio-worklet, its heap", run: heap },
  { name: "audio-worklet, its heap in Chromium", run: heapInChromium },
];
