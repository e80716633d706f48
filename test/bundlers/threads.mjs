// npm run test:bundlers: a page that asks for two threads, built by each bundler from the packed tarball without any configuration,
// in isolated Chromium: two threads from a blob, and under a policy that forbids blobs two from a file of the bundle, or one with a
// true reason. Installs bundlers in a temporary folder (--keep FOLDER: there, for the next time); what cannot be had is a visible SKIP.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findBrowser } from "../../scripts/browsers/launch.mjs";
import { ISOLATED, openBrowser } from "../../scripts/browsers/open.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { values: flags } = parseArgs({ options: { only: { type: "string", default: "" }, keep: { type: "string" } } });
const only = new RegExp(flags.only);

/** What a user writes. */
const APP = `import { createRuntime } from "lanewise";
globalThis.threads = async () => {
  const rt = await createRuntime({ threads: 2 });
  const start = performance.now();
  const settled = ({ running, reason = "" }) => running === 2 || (reason && !/starting/.test(reason));
  while (!settled(rt.report().threads) && performance.now() - start < 15000) await new Promise((done) => setTimeout(done, 5));
  const weight = rt.tensor(Float32Array.from({ length: 64 * 64 * 9 }, (_, i) => (i % 7) - 3), [64, 64, 3, 3]);
  const plan = rt.plan.conv2d({ input: [1, 64, 56, 56], weight, padding: 1 });
  const x = rt.tensor(Float32Array.from({ length: 64 * 56 * 56 }, (_, i) => (i % 5) - 2), [1, 64, 56, 56]);
  const y = rt.empty(plan.outputs[0]);
  for (let i = 0; i < 20; i++) plan.run(x, y);
  const sum = y.toArray().reduce((a, b) => a + b, 0);
  const { threads } = rt.report();
  rt.dispose();
  return { threads, sum };
};
`;
const HTML = `<!doctype html><meta charset="utf-8"><title>threads</title><script type="module" src="./src/index.js"></script>\n`;

/** Packages; the command that builds; the entry that it writes, or a page that names it. */
const BUNDLERS = [
  { name: "Vite 8", packages: ["vite@8"], build: ["vite", "build"], out: "dist", page: "index.html" },
  { name: "Vite 5", packages: ["vite@5"], build: ["vite", "build"], out: "dist", page: "index.html" },
  {
    name: "webpack 5",
    packages: ["webpack@5", "webpack-cli"],
    build: ["webpack", "--mode", "production"],
    out: "dist",
    entry: "main.js",
  },
  {
    name: "Rollup 4",
    packages: ["rollup@4", "@rollup/plugin-node-resolve"],
    build: ["rollup", "-i", "src/index.js", "-d", "dist", "-f", "es", "-p", "node-resolve"],
    out: "dist",
    entry: "index.js",
  },
  {
    name: "esbuild, splitting",
    packages: ["esbuild"],
    build: ["esbuild", "src/index.js", "--bundle", "--format=esm", "--splitting", "--minify", "--outdir=dist"],
    out: "dist",
    entry: "index.js",
  },
  {
    name: "esbuild, one file, names kept",
    packages: ["esbuild"],
    build: ["esbuild", "src/index.js", "--bundle", "--format=esm", "--keep-names", "--outdir=dist"],
    out: "dist",
    entry: "index.js",
  },
  {
    name: "Parcel 2",
    packages: ["parcel@2"],
    build: ["parcel", "build", "index.html", "--no-cache"],
    out: "dist",
    page: "index.html",
    // Its default is not to look at package exports.
    manifest: { "@parcel/resolver-default": { packageExports: true } },
  },
];

const workspace = flags.keep ?? mkdtempSync(join(tmpdir(), "lanewise-bundlers-"));
if (!flags.keep) process.on("exit", () => rmSync(workspace, { recursive: true, force: true }));
const run = (command, args, cwd) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 300_000 });
const lastLine = (error) => `${error.stderr || error.stdout || error.message}`.trim().split("\n").slice(-4).join(" ");

/** The bundle's folder; installs what is not there. Throws { skip } where the bundler cannot be had. */
function built({ name, packages, build, out, manifest }, tarball) {
  const folder = join(workspace, name.toLowerCase().replace(/[^a-z0-9]+/g, "-"));
  mkdirSync(join(folder, "src"), { recursive: true });
  if (!existsSync(join(folder, "package.json"))) {
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ name: "page", private: true, type: "module", ...manifest }),
    );
    try {
      run("npm", ["install", "--no-audit", "--no-fund", ...packages], folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw Object.assign(new Error(lastLine(error)), { skip: true });
    }
  }
  run("npm", ["install", "--no-audit", "--no-fund", "--no-save", "--prefer-offline", tarball], folder);
  writeFileSync(join(folder, "src/index.js"), APP);
  writeFileSync(join(folder, "index.html"), HTML);
  rmSync(join(folder, out), { recursive: true, force: true });
  run(join(folder, "node_modules/.bin", build[0]), build.slice(1), folder);
  return join(folder, out);
}

/** Beside the bundle in its page: waits for it, and asks. */
const RUN = `export default async () => {
  for (let i = 0; globalThis.threads === undefined; i++) {
    if (i === 1000) throw new Error("the bundle has not run");
    await new Promise((done) => setTimeout(done, 10));
  }
  return globalThis.threads();
};`;
const AGENT = '<script type="module" src="/~agent.mjs?script=/run.mjs"></script>';

async function ask(browser, { page, entry }, folder, policy) {
  const own = page ? readFileSync(join(folder, page), "utf8") : `<body><script type="module" src="/${entry}"></script>`;
  const { value, seen } = await browser.ask({
    html: `${own}${AGENT}`,
    headers: { ...ISOLATED, ...(policy && { "content-security-policy": policy }) },
    blobs: { "/run.mjs": { body: RUN } },
    folders: { "/": folder },
  });
  return { ...value, seen };
}

/** Blobs are forbidden; Parcel's page has an import map. */
const POLICY = "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'self'";

const { missing } = findBrowser("chromium");
if (missing) {
  console.log(`SKIP: no ${missing.join(", ")}`);
  console.log("0 passed, 0 failed");
  process.exit(0);
}
mkdirSync(workspace, { recursive: true });
const tarball = join(
  workspace,
  run("npm", ["pack", "--silent", "--pack-destination", workspace], root).trim().split("\n").at(-1),
);
let [passed, failed] = [0, 0];
let sum;
for (const bundler of BUNDLERS.filter(({ name }) => only.test(name))) {
  const { name } = bundler;
  let browser;
  try {
    const folder = built(bundler, tarball);
    browser = await openBrowser("chromium");
    const open = await ask(browser, bundler, folder);
    const strict = await ask(browser, bundler, folder, POLICY);
    sum ??= open.sum;
    const problems = [];
    if (open.threads.running !== 2) problems.push(`expected two threads, got ${JSON.stringify(open.threads)}`);
    if (strict.threads.running !== 2 && !/^no worker could be started: /.test(strict.threads.reason))
      problems.push(`expected two threads or a reason, got ${JSON.stringify(strict.threads)}`);
    if (open.sum !== sum || strict.sum !== sum) problems.push(`expected ${sum}, got ${open.sum} and ${strict.sum}`);
    const { running, reason } = strict.threads;
    const file = strict.seen.find((url) => /worker/.test(url));
    const under = `under a policy ${running}${reason ? ` (${reason})` : file ? ` from ${file}` : ""}`;
    if (problems.length > 0) failed++;
    else passed++;
    console.log(
      problems.length > 0
        ? `FAIL ${name}: ${problems.join("; ")}`
        : `ok ${name}: two threads of ${open.seen.length} files, ${under}`,
    );
  } catch (error) {
    if (error.skip) console.log(`SKIP ${name}: ${error.message}`);
    else {
      failed++;
      console.log(`FAIL ${name}: ${lastLine(error)}`);
    }
  } finally {
    browser?.close();
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
