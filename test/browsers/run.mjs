// npm run test:browsers: the packed package in Chromium, Firefox and WebKitGTK: the golden script in every place that they have (places.mjs),
// and threads in pages: isolated or not, under policies, with workers that are refused, lost or ended, and disposed of in mid-run.
// --browsers a,b; --only REGEX (names of cases: "Chromium, in page"); --runs N (of the case "runs", default 200); --dist FOLDER (instead
// of packing). A browser that is not there is a visible SKIP.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BROWSERS, findBrowser } from "../../scripts/browsers/launch.mjs";
import { ISOLATED, openBrowser } from "../../scripts/browsers/open.mjs";
import { tried } from "../again.mjs";
import { placesOf } from "./places.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { values: flags } = parseArgs({
  options: {
    browsers: { type: "string", default: Object.keys(BROWSERS).join() },
    only: { type: "string", default: "" },
    runs: { type: "string", default: "200" },
    dist: { type: "string" },
  },
});
/** Of a page that hangs: a thread that was lost is given up in some 10 to 20 s, where nobody else is at work. */
const LIMIT_MS = 600_000 + 100 * Number(flags.runs);

/** dist/ of the tarball, as a user gets it. */
function unpacked() {
  const folder = mkdtempSync(join(tmpdir(), "lanewise-browsers-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const pack = ["pack", "--silent", "--pack-destination", folder];
  const tarball = execFileSync("npm", pack, { cwd: root, encoding: "utf8" }).trim().split("\n").at(-1);
  execFileSync("tar", ["xzf", join(folder, tarball), "-C", folder]);
  return join(folder, "package/dist");
}
const dist = flags.dist ?? unpacked();

const policy = (text) => ({ ...ISOLATED, "content-security-policy": `script-src 'self' 'wasm-unsafe-eval'; ${text}` });

// --- what an answer has to be: a list of what is wrong ---

const shown = (value) => JSON.stringify(value);
const bits = ({ same }) => (same ? [] : ["other bits than one thread"]);
function both(answer) {
  const { threads, later } = answer;
  const wrong = [threads, later].filter(({ running, asked }) => running < 2 || running !== asked);
  return [...bits(answer), ...wrong.map((report) => `expected two threads, got ${shown(report)}`)];
}
const alone = (reason) => (answer) => {
  const { running, reason: got = "" } = answer.threads;
  return [
    ...bits(answer),
    ...(running === 1 && reason.test(got)
      ? []
      : [`expected one thread because ${reason}, got ${shown(answer.threads)}`]),
  ];
};
/** Every outcome is one of these, and the page goes on. */
const outcomes =
  (pattern) =>
  ({ outcomes: found, after }) => [
    ...found.filter(({ how }) => !pattern.test(how)).map((one) => `got ${shown(one)}`),
    ...both(after),
  ];
const viaFile = (seen) => (seen.includes("/lanewise/worker.js") ? [] : ["expected the worker from its file"]);
const viaText = (seen) => (seen.includes("/lanewise/worker.js") ? ["expected the worker from a blob"] : []);

const NOT_ISOLATED = /^no SharedArrayBuffer: the page is not cross-origin isolated$/;
const REFUSED = /^no worker could be started: /;

/** name: the case, or with "case" another one of cases.mjs; check(answer): what is wrong; seen(urls): likewise. */
const CASES = [
  { name: "two", check: both, seen: viaText },
  { name: "auto", check: both },
  { name: "inWorker", check: both },
  { name: "own", check: both, seen: viaFile },
  { name: "notAWorker", check: alone(/"worker" expected a function that answers a worker, got 7$/) },
  { name: "wrongFile", check: alone(REFUSED) },
  { name: "constructorThrows", check: alone(/: no workers today$/) },
  { name: "ended", check: outcomes(/^none: true$|^ThreadError: "threads" expected .*, got one that was lost/) },
  { name: "lost", check: outcomes(/^ThreadError: "threads" expected .*, got one that was lost/) },
  {
    name: "disposed",
    check: outcomes(/^DisposedError: "model" expected a live model, got one disposed while it ran$/),
  },
  {
    name: "interleaved",
    check: (answer) => [...bits(answer), ...(answer.aborted === "Error: enough" ? [] : [`aborted: ${answer.aborted}`])],
  },
  { name: "background", check: both },
  { name: "many", check: (answer) => [...bits(answer), ...both(answer.after)] },
  {
    name: "runs",
    check: (answer) => [...both(answer), ...(answer.leaked === 0 ? [] : [`${answer.leaked} bytes leaked`])],
    note: ({ ms }) => `${flags.runs} runs in ${(ms / 1000).toFixed(1)} s`,
  },
  {
    name: "blocks",
    check: (answer) => (answer[2].longestBlockMs > 0 ? [] : ["no turns were counted"]),
    note: (answer) =>
      [1, 2]
        .map((n) => `${n}: run ${answer[n].runMs.toFixed(1)}, block ${answer[n].longestBlockMs.toFixed(1)} ms`)
        .join("; "),
  },
  { name: "a policy of scripts alone", case: "two", headers: policy(""), check: both, seen: viaFile },
  { name: "worker-src 'self'", case: "two", headers: policy("worker-src 'self'"), check: both, seen: viaFile },
  { name: "worker-src blob:", case: "two", headers: policy("worker-src blob:"), check: both, seen: viaText },
  { name: "worker-src 'none'", case: "two", headers: policy("worker-src 'none'"), check: alone(REFUSED) },
  {
    name: "Trusted Types",
    case: "two",
    headers: policy("require-trusted-types-for 'script'"),
    check: alone(/Trusted|Sink type mismatch/),
  },
  {
    name: "Trusted Types, a worker of the page's own",
    case: "ownTrusted",
    headers: policy("require-trusted-types-for 'script'"),
    check: both,
    seen: viaFile,
  },
  { name: "not isolated", case: "two", headers: {}, check: alone(NOT_ISOLATED) },
  {
    name: "not isolated, two at least",
    case: "atLeastTwo",
    headers: {},
    check: ({ how }) =>
      how ===
      `UnsupportedError: "threads" expected at least 2, got 1: no SharedArrayBuffer: the page is not cross-origin isolated`
        ? []
        : [`got ${how}`],
  },
];

/** WebKitGTK has shared memory where it is told to, as Safari has by itself. */
const HOSTS = [
  { browser: "chromium", name: "Chromium", cases: [...placesOf({ variant: "relaxed", threads: 3 }), ...CASES] },
  { browser: "firefox", name: "Firefox", cases: [...placesOf({ variant: "relaxed", threads: 3 }), ...CASES] },
  { browser: "webkit", name: "WebKitGTK", env: { JSC_useSharedArrayBuffer: "1" }, cases: CASES },
  {
    browser: "webkit",
    name: "WebKitGTK as it comes",
    cases: [
      ...placesOf({ variant: "simd", threads: 1 }),
      { name: "isolated, without SharedArrayBuffer", case: "two", check: alone(/^no SharedArrayBuffer/) },
    ],
  },
];

const only = new RegExp(flags.only);
let [passed, failed] = [0, 0];
for (const { browser: kind, name: host, env, cases } of HOSTS) {
  if (!flags.browsers.split(",").includes(kind)) continue;
  const { missing } = findBrowser(kind);
  if (missing) {
    console.log(`SKIP ${host}: no ${missing.join(", ")}: apt-get install ${BROWSERS[kind].packages.join(" ")}`);
    continue;
  }
  let browser;
  const close = () => {
    browser?.close();
    browser = undefined;
  };
  for (const one of cases.filter(({ name }) => only.test(`${host}, ${name}`))) {
    const { name, case: page = name, headers = ISOLATED, check, seen, note, blobs } = one;
    const start = performance.now();
    const ask = async () => {
      browser ??= await openBrowser(kind, { env, timeoutMs: LIMIT_MS });
      const script = one.script ?? `/cases.mjs?case=${page}&runs=${flags.runs}`;
      const folders = { "/lanewise/": dist, "/": join(root, "test/browsers") };
      const { value, seen: urls } = await browser.ask({ script, headers, blobs, folders });
      const problems = [...check(value, dist), ...(seen?.(urls) ?? [])];
      return { problems, measured: problems.length === 0 ? note?.(value) : undefined };
    };
    const { status, note: said, facts } = await tried(ask, { renew: close });
    if (status === "ok") passed++;
    else failed++;
    if (status !== "ok") close();
    const ms = (performance.now() - start).toFixed(0);
    const details = status === "ok" ? [facts.measured, said].filter(Boolean).map((one) => `, ${one}`) : [`: ${said}`];
    console.log(`${status} ${host}, ${name} (${ms} ms)${details.join("")}`);
  }
  close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
