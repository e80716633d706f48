// The golden script in every place that a browser has: pages, workers, worklets, frames, policies. Cases of run.mjs: what is served, and what
// an answer has to be.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ISOLATED } from "../../scripts/browsers/open.mjs";
import { fixturesModule, goldenModule } from "../runtimes/fixtures.mjs";

const ANSWER = "golden().then((value) => ({ value }), (error) => ({ failure: String(error.stack ?? error) }))";
const UNSUPPORTED = "({ name, message }) => ({ value: { how: name + ': ' + message } })";

const serviceWorker = (work, imports) => `${imports}
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", (event) => event.waitUntil(${work}.then((answer) => event.source.postMessage(answer))));`;

const INLINE = 'import { golden } from "/golden-inline.mjs";';

/** What pages, workers and worklets load, beside the package at /lanewise/. */
const BLOBS = {
  "/golden.mjs": { body: goldenModule("/lanewise") },
  "/golden-inline.mjs": { body: goldenModule("/lanewise", { inline: true }) },
  "/fixtures.mjs": { body: fixturesModule() },
  "/place-worker.mjs": {
    body: `import { golden } from "/golden.mjs";\n${ANSWER}.then((answer) => postMessage(answer));`,
  },
  "/place-shared.mjs": {
    body: `import { golden } from "/golden.mjs";\nonconnect = ({ ports: [port] }) => ${ANSWER}.then((answer) => port.postMessage(answer));`,
  },
  "/place-service.mjs": { body: serviceWorker(ANSWER, INLINE) },
  "/place-service-default.mjs": {
    body: serviceWorker(
      `createRuntime().then(() => ({ value: { how: "no error" } }), ${UNSUPPORTED})`,
      'import { createRuntime } from "/lanewise/index.js";',
    ),
  },
  "/place-worklet.mjs": {
    body: `${INLINE}
import { createRuntimeSync } from "/lanewise/inline.js";
registerProcessor("golden", class extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.port.onmessage = () => {};
    if (processorOptions.isWhole) ${ANSWER}.then((answer) => this.port.postMessage(answer));
  }
  process(_, [[output]]) {
    if (this.rt) return true;
    this.rt = createRuntimeSync({ maxBytes: 2 ** 20, threads: 2 });
    const x = this.rt.tensor(output.map((_, i) => i), [1, 1, output.length]);
    const y = this.rt.conv1d(x, this.rt.tensor([1, 1], [1, 1, 2]), null, { padding: [1, 0] });
    const { variant, reason: fact, threads: { running, reason } } = this.rt.report();
    if (y.data[5] !== 9) this.port.postMessage({ failure: "4 + 5 is " + y.data[5] });
    else if (running !== 1 || !reason) this.port.postMessage({ failure: "no reason for one thread" });
    else this.port.postMessage({ value: { variant, reason: fact } });
    return true;
  }
});`,
  },
  "/place-frame.html": {
    type: "text/html",
    body: '<!doctype html><script type="module" src="/place-frame.mjs"></script>',
  },
  "/place-frame.mjs": {
    body: `import { golden } from "/golden.mjs";\n${ANSWER}.then((answer) => parent.postMessage(answer, "*"));`,
  },
};

let reference;
/** Hashes of what the simd binary computes in Node: those of every engine. */
function bitsInNode(dist) {
  if (reference) return reference;
  const folder = mkdtempSync(join(tmpdir(), "lanewise-golden-"));
  try {
    writeFileSync(join(folder, "golden.mjs"), goldenModule(pathToFileURL(dist)));
    writeFileSync(join(folder, "fixtures.mjs"), fixturesModule());
    writeFileSync(
      join(folder, "main.mjs"),
      'import { golden } from "./golden.mjs";\nconst [, simd] = await golden();\nconsole.log(JSON.stringify(simd.hashes));',
    );
    const printed = execFileSync(process.execPath, ["main.mjs"], { cwd: folder, encoding: "utf8", timeout: 600_000 });
    reference = JSON.parse(printed.trim().split("\n").at(-1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return reference;
}

const REASONS = {
  relaxed: /^the engine fuses multiply-add$/,
  simd: /^the engine has no (relaxed SIMD|fused multiply-add)$/,
};

/** What golden() has to answer in a browser with this binary. threads: how many of three are to run, or why not. */
function golden({ variant, frames, threads = 1, why = /./ }) {
  return (results, dist) => {
    const bits = bitsInNode(dist);
    const [auto, simd, several] = results;
    const problems = [];
    const { variant: got, reason } = auto.report;
    if (got !== variant || !REASONS[variant].test(reason)) problems.push(`expected ${variant}, got ${got} (${reason})`);
    for (const { lenet } of results)
      if (lenet.right < 9) problems.push(`LeNet-5 read ${lenet.right} of ${lenet.of} digits`);
    for (const [what, hash] of Object.entries(bits))
      if ([simd, several].some(({ hashes }) => hashes[what] !== hash))
        problems.push(`simd: ${what} has other bits than in Node`);
    if (auto.hashes.photos !== bits.photos) problems.push(`photos have other bits beside ${got}`);
    const { running, reason: said = "" } = several.report.threads;
    if (running !== threads || (threads === 1 && !why.test(said)))
      problems.push(`expected ${threads} threads (${why}), got ${running} (${said})`);
    if (frames && results.some(({ framed }) => framed !== frames)) problems.push("frames were not tried");
    return problems;
  };
}

const inside =
  (wanted) =>
  ({ variant, reason }) =>
    variant === wanted && REASONS[wanted].test(reason) ? [] : [`expected ${wanted}, got ${variant} (${reason})`];

const sentence = (pattern) => (answer) =>
  Object.entries(answer).flatMap(([way, how]) =>
    pattern.test(how) ? [] : [`${way}: expected ${pattern}, got ${how}`],
  );

const policy = (scripts) => ({
  "content-security-policy": `default-src 'none'; connect-src 'self'; script-src 'self' ${scripts}`,
});
const OPEN = { "access-control-allow-origin": "*" };
const NOT_ISOLATED = /not cross-origin isolated/;
const NO_IMPORT =
  /^UnsupportedError: "wasm" expected a binary this engine compiles, got its own: .*; take lanewise\/inline$/;
const NO_WASM = /^UnsupportedError: "wasm" expected .*'wasm-unsafe-eval'/;

/** variant: the browser's own; threads: of three, in an isolated page. */
export function placesOf({ variant, threads }) {
  const alone = { variant, why: NOT_ISOLATED };
  const places = [
    { name: "page", check: golden({ ...alone, frames: 18 }) },
    {
      name: "isolated page",
      place: "page",
      headers: ISOLATED,
      check: golden({ variant, frames: 18, threads, why: /no SharedArrayBuffer/ }),
    },
    { name: "module worker", place: "moduleWorker", check: golden(alone) },
    { name: "shared worker", place: "sharedWorker", check: golden(alone) },
    { name: "service worker, lanewise/inline", place: "serviceWorker", check: golden({ variant }) },
    { name: "service worker, lanewise", place: "serviceWorkerDefault", check: sentence(NO_IMPORT) },
    { name: "AudioWorklet, lanewise/inline", place: "audioWorklet", check: golden({ variant }) },
    { name: "AudioWorklet, inside of process()", place: "insideProcess", check: inside(variant) },
    { name: "sandboxed frame", place: "sandboxed", headers: OPEN, check: golden(alone) },
    {
      name: "page, policy with 'wasm-unsafe-eval'",
      place: "page",
      headers: policy("'wasm-unsafe-eval'"),
      check: golden(alone),
    },
    {
      name: "page, policy without 'wasm-unsafe-eval'",
      place: "forbidden",
      headers: policy(""),
      check: sentence(NO_WASM),
    },
  ];
  return places.map(({ place, ...one }) => ({
    headers: {},
    ...one,
    name: `in ${one.name}`,
    script: `/places-page.mjs?place=${place ?? one.name}`,
    blobs: BLOBS,
  }));
}
