// npm run test:bundlers: a page, a worker and routes that compute a convolution, built by each bundler from the packed tarball without any
// configuration, and opened in Chromium: the bits are those of the files as they stand, exactly one kernel binary is requested, and what
// a page with a convolution alone fetches is at most 58 KB gzip; then the same page asks for two threads, which it has from a blob,
// and, under a policy that forbids blobs, from a file of the bundle, or one with a true reason. Flags: test/places.mjs.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { findBrowser } from "../../scripts/browsers/launch.mjs";
import { ISOLATED, openBrowser } from "../../scripts/browsers/open.mjs";
import { BINARIES } from "../../scripts/packs.mjs";
import { freePort, lastJson, project, run, runPlaces, Skip, serve, versionOf } from "../places.mjs";
import { BESIDE, CASES, PAGE_FILES } from "./cases.mjs";
import { next } from "./next.mjs";

const BUDGET = 58 * 1024;

/** Beside the bundle in its page: waits for it, and asks. */
const AGENT = '<script type="module" src="/~agent.mjs?script=/run.mjs"></script>';
const asking = (options) => `${BESIDE}
export default async () => {
  for (let i = 0; !globalThis.app && !globalThis.createRuntime; i++) {
    if (i === 60000) throw new Error("the bundle has not run");
    await new Promise((done) => setTimeout(done, 10));
  }
  return (globalThis.app ?? ask)(${JSON.stringify(options)});
};`;

/** Blobs are forbidden; Parcel's page has an import map. */
const POLICY = "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'self'";

let browser;
function closeBrowser() {
  browser?.close();
  browser = undefined;
}
process.on("exit", closeBrowser);
/** Shows a page, { html, folder } or { html, through }; answers what app(options) does, and the text of all that was fetched. */
async function open({ html, folder, through }, options, headers = {}) {
  browser ??= await openBrowser("chromium");
  try {
    const { value, seen, bodies } = await browser.ask({
      html: `${html}${AGENT}`,
      headers: { ...ISOLATED, ...headers },
      blobs: { "/run.mjs": { body: asking(options) } },
      folders: folder ? { "/": folder } : {},
      through,
    });
    const files = new Map(through ? bodies : []);
    for (const path of through ? [] : new Set(seen)) {
      const file = join(folder, path);
      if (existsSync(file)) files.set(path, readFileSync(file));
    }
    return { ...value, files };
  } catch (error) {
    closeBrowser();
    throw error;
  }
}

/** A stretch of each binary's text that no other has and no minifier writes otherwise. */
const MARKS = new Map();
function marksOf(dist) {
  if (MARKS.size > 0) return MARKS;
  const texts = BINARIES.map(({ file }) => [file, readFileSync(join(dist, `${file}.js`), "utf8")]);
  for (const [file, text] of texts) {
    const stretches = text.match(/[A-Za-z0-9&()*+,./:;<=>?@[\]^_-]{48,200}/g) ?? [];
    const others = texts.filter(([name]) => name !== file).map(([, other]) => other);
    const mark = stretches.find((one) => !others.some((other) => other.includes(one)));
    if (mark) MARKS.set(file, mark);
  }
  for (const file of ["simd", "relaxed"]) if (!MARKS.has(file)) throw new Error(`"${file}" expected a text of its own`);
  return MARKS;
}

/** Names of the binaries in files that were fetched. */
function binariesIn(files, dist) {
  const whole = [...files.values()].join("\n");
  return [...marksOf(dist)].filter(([, mark]) => whole.includes(mark)).map(([name]) => name);
}

let golden;
/** Hashes by variant, of the files as they stand: of simd as Node computes it, too. */
async function bitsOf() {
  if (golden) return golden;
  const folder = project("as it stands", { files: { ...PAGE_FILES, "golden.mjs": GOLDEN } });
  const { simd } = lastJson(run(process.execPath, ["golden.mjs"], { cwd: folder }));
  const imports = { lanewise: "/node_modules/lanewise/dist/index.js" };
  const html = `<script type="importmap">${JSON.stringify({ imports })}</script><script type="module" src="/src/index.js"></script>`;
  const auto = await open({ html, folder }, { starts: 11 });
  const page = await open({ html, folder }, { variant: "simd" });
  golden = {
    simd,
    [auto.report.variant]: auto.hash,
    auto,
    page: page.hash,
    dist: join(folder, "node_modules/lanewise/dist"),
  };
  return golden;
}
const GOLDEN = `import { ask } from "./src/use.js";
const { hash } = await ask({ variant: "simd" });
console.log(JSON.stringify({ simd: hash }));
`;

/** The bundle's folder or server. */
async function built({
  name,
  packages,
  folder: named = packages[0],
  files = PAGE_FILES,
  program,
  build,
  serve: server,
  manifest,
  page,
  entry,
}) {
  const folder = project(named, { packages, files, manifest });
  const command = ([bin, ...args]) => [join(folder, program ?? `node_modules/.bin/${bin}`), args];
  if (program && !existsSync(join(folder, program))) throw new Skip(`no ${name} for this platform`);
  const facts = { version: versionOf(folder, packages[0].replace(/(?<=.)@.*/, "")), end() {} };
  if (server) {
    const port = await freePort();
    const through = `http://localhost:${port}`;
    const { end } = await serve(...command([...server, String(port)]), { cwd: folder, url: through });
    return { ...facts, end, through, html: await (await fetch(through)).text() };
  }
  const out = join(folder, "dist");
  rmSync(out, { recursive: true, force: true });
  run(...command(build), { cwd: folder });
  const html = page
    ? readFileSync(join(out, page), "utf8")
    : `<!doctype html><body><script type="module" src="/${entry}"></script>`;
  return { ...facts, folder: out, html };
}

const sizeOf = (files) => [...files].reduce((sum, [, body]) => sum + gzipSync(body, { level: 9 }).length, 0);

/** One thread, as chosen and as `simd`. */
async function oneThread(bundle, { both = false, budget = !both }) {
  const bits = await bitsOf();
  const auto = await open(bundle, { starts: 11 });
  const simd = await open(bundle, { variant: "simd" });
  const problems = [];
  const { variant, reason } = auto.report;
  const same = auto.hash === bits[variant] && simd.hash === bits.simd;
  if (!same) problems.push(`other bits than the files as they stand: ${variant} ${auto.hash}, simd ${simd.hash}`);
  for (const [files, wanted] of [
    [auto.files, variant],
    [simd.files, "simd"],
  ]) {
    const got = binariesIn(files, bits.dist);
    if (both ? !got.includes(wanted) : got.join() !== wanted)
      problems.push(`expected the binary ${wanted} alone, got ${got}`);
  }
  const bytes = sizeOf(auto.files);
  if (budget && bytes > BUDGET) problems.push(`${bytes} B gzip are more than ${BUDGET}`);
  const note = `${auto.files.size} file${auto.files.size > 1 ? "s" : ""}, ${(bytes / 1024).toFixed(1)} KB gzip${both ? ", all binaries in one" : ", one binary"}`;
  return { problems, variant, reason, bits: same, ms: auto.ms, note, gzip: bytes };
}

/** Two threads from a blob; from a file, or one with a reason, where blobs are forbidden. */
async function twoThreads(bundle) {
  const bits = await bitsOf();
  const free = await open(bundle, { threads: 2 });
  const strict = await open(bundle, { threads: 2 }, { "content-security-policy": POLICY });
  const problems = [];
  if (free.report.threads.running !== 2)
    problems.push(`expected two threads, got ${JSON.stringify(free.report.threads)}`);
  const { running, reason } = strict.report.threads;
  if (running !== 2 && !/^no worker could be started: /.test(reason))
    problems.push(`expected two threads or a reason, got ${JSON.stringify(strict.report.threads)}`);
  for (const { hash, report } of [free, strict])
    if (hash !== bits[report.variant]) problems.push("two threads have other bits than one");
  const file = [...strict.files.keys()].find((url) => /worker/.test(url));
  const how = reason ? `one: ${reason}` : file ? `from ${file}` : "two";
  return { problems, threads: free.report.threads.running, note: `under a policy ${how}` };
}

async function check(one) {
  const bundle = await built(one);
  try {
    const alone = await oneThread(bundle, one);
    const { version } = bundle;
    if (one.threads === false) return { version, threads: 1, ...alone };
    const two = await twoThreads(bundle);
    return {
      version,
      ...alone,
      ...two,
      problems: [...alone.problems, ...two.problems],
      note: `${alone.note}, ${two.note}`,
    };
  } finally {
    bundle.end();
  }
}

/** Without a bundler: an import map. */
async function asItStands() {
  const { auto, page, simd, dist } = await bitsOf();
  const got = binariesIn(auto.files, dist);
  const { variant, reason } = auto.report;
  const problems = got.join() === variant ? [] : [`expected the binary ${variant} alone, got ${got}`];
  if (page !== simd) problems.push("simd has other bits than in Node");
  return { problems, variant, reason, threads: 1, bits: page === simd, ms: auto.ms, note: `${auto.files.size} files` };
}

const { missing } = findBrowser("chromium");
const places = [
  { name: "no bundler, an import map", ci: true, check: asItStands },
  ...CASES.map((one) => ({ name: one.name, ci: one.ci, check: () => check(one) })),
  ...next({ open, bitsOf, binariesIn, sizeOf }),
];
await runPlaces(
  "bundlers",
  missing
    ? places.map((place) => ({ ...place, check: () => Promise.reject(new Skip(`no ${missing.join(", ")}`)) }))
    : places,
  { renew: closeBrowser },
);
closeBrowser();
