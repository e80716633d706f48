// The steps of .ci/run: each is run even when one before it failed, and counted; the last line sums them up, behind what failed, again, so
// that a log of which only the end is left says it. Needs nothing but Node and npm: the first step installs the rest.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { remarksOf } from "./remarks.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const scratch = mkdtempSync(join(tmpdir(), "lanewise-ci-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const MINUTE = 60_000;

/** What the commands of the step that runs have printed. */
let printed = [];

/**
 * Runs a shell command, shows what it prints, indented so that only our last line is a count; answers { ok, output }. An hour and a half
 * is for what hangs: steps take minutes, and on a machine that has other things to do some times that.
 */
function sh(command, { minutes = 90, cwd = root } = {}) {
  console.log(`\n$ ${command}`);
  const { status, stdout, stderr, error } = spawnSync("bash", ["-c", command], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: minutes * MINUTE,
    maxBuffer: 2 ** 28,
  });
  process.stdout.write((stdout ?? "").replace(/^(?=.)/gm, "  "));
  process.stderr.write((stderr ?? "").replace(/^(?=.)/gm, "  "));
  if (error) console.error(String(error));
  const lines = `${stdout ?? ""}\n${stderr ?? ""}\n${error ?? ""}`.split("\n");
  printed.push({ command, ok: status === 0, lines });
  return { ok: status === 0, output: stdout ?? "" };
}

const sum = (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed });
/** One check. */
const one = (ok) => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1 });

/** A suite that closes with its own `N passed, N failed`; one failure more when it failed without counting any. */
function counted({ ok, output }) {
  const match = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  if (!match) return one(false);
  const [passed, failed] = [Number(match[1]), Number(match[2])];
  return { passed, failed: !ok && failed === 0 ? 1 : failed };
}

function unitTests() {
  const report = join(scratch, "vitest.json");
  const { ok } = sh(`npm test -- --reporter=default --reporter=json --outputFile=${report}`);
  if (!existsSync(report)) return one(false);
  const { numPassedTests: passed, numFailedTests: failed } = JSON.parse(readFileSync(report, "utf8"));
  return { passed, failed: !ok && failed === 0 ? 1 : failed };
}

/** Examples and links of README and docs, and what is written there from code and results. */
function docs() {
  const written = ["npm run docs -- --check", "npm run bench:report -- --check"].map((check) => one(sh(check).ok));
  return [counted(sh("npm run test:docs")), counted(sh("npm run docs:site -- --check")), ...written].reduce(sum);
}

/** The tarball, as a registry would judge it and as TypeScript users meet it. */
const packaging = () => counted(sh("npm run test:types -- --ci"));

/** Operators and whole networks: our own set always, the standard's tests and real networks where they are at hand. */
function conformance() {
  const data = "../shared/data";
  const runs = [
    "conformance",
    "conformance:models",
    ...(existsSync(data) ? [`conformance -- --dir ${data}/onnx-tests`, `conformance:models -- --dir ${data}`] : []),
  ];
  if (runs.length < 4) console.log(`SKIP conformance with the standard's tests and real networks: no ${data}`);
  return runs.map((run) => one(sh(`npm run ${run}`).ok)).reduce(sum);
}

/** Mutated files: our own, and real ones where they are at hand. */
function fuzz() {
  const models = "../shared/data/models";
  const real = existsSync(models) ? [`--count 1500 --dir ${models}`] : [];
  return ["--count 3000", ...real].map((flags) => one(sh(`npm run fuzz -- ${flags}`).ok)).reduce(sum);
}

function demo() {
  const { ok, output } = sh("npm run --silent demo -- --json");
  const last = output.trim().split("\n").at(-1) ?? "";
  const result = last.startsWith("{") ? JSON.parse(last) : {};
  const isQuantised = result.int8?.top1 >= result.top1 - 0.005 && result.int8.bytes < 0.35 * result.int8.floatBytes;
  return one(ok && result.images === 10000 && result.top1 >= 0.99 && result.top5 >= result.top1 && isQuantised);
}

/** Examples on real models, of npm where there is a network, and of the test data where it is. */
function examples() {
  sh("npm run models");
  return counted(sh("npm run examples"));
}

/** Examples in folders, where they belong: a minute and a bit. */
const copied = () => counted(sh("npm run test:examples"));

/** Two networks beside their peers, where networks and peers are at hand: CI installs no 500 MB. */
function modelsSmoke() {
  const needed = ["../shared/data/models", "bench/peers/node_modules/onnxruntime-web"];
  const missing = needed.filter((path) => !existsSync(path));
  if (missing.length > 0) {
    console.log(`SKIP bench:models: no ${missing.join(", no ")}`);
    return { passed: 0, failed: 0 };
  }
  return counted(sh("npm run bench:models -- --quick --models 'mnist-8|slim'"));
}

/** Every operator beside onnxruntime-web's answer, where that is at hand. */
function operatorsSmoke() {
  if (existsSync("bench/peers/node_modules/onnxruntime-web")) return counted(sh("npm run bench:operators -- --quick"));
  console.log("SKIP bench:operators: no bench/peers/node_modules/onnxruntime-web");
  return { passed: 0, failed: 0 };
}

/** Whole apart from what runs in them, so that their time shows: what cannot be had is skipped, visibly. */
function browsers() {
  sh("node scripts/browsers/install.mjs", { minutes: 30 });
  return { passed: 0, failed: 0 };
}

/** The page: built, within its budgets, and driven in browsers. */
function page() {
  if (!sh("npm run page").ok) return one(false);
  return sum(one(true), counted(sh("npm run test:page")));
}

const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
const STEPS = [
  ["npm ci", () => one(sh("npm ci").ok)],
  ["npm test", unitTests],
  ["lint", () => one(sh("npm run lint").ok)],
  ["docs", docs],
  ["packaging", packaging],
  ["browsers", browsers],
  ["everywhere", () => counted(sh("npm run test:everywhere -- --ci"))],
  ["command line", () => counted(sh("npm run test:cli"))],
  ["places in browsers", () => counted(sh("npm run test:browsers -- --dist dist --only ', in '"))],
  // WebKitGTK has no shared memory as it comes; with the flag that gives it some, its pages fail to load now and then: on demand.
  [
    "threads in browsers",
    () => counted(sh("npm run test:browsers -- --dist dist --browsers chromium,firefox --only ', (?!in )'")),
  ],
  ["page", page],
  ["conformance", conformance],
  ["fuzz", fuzz],
  ["demo", demo],
  ["examples", examples],
  ["examples to copy", copied],
  ...("bench" in scripts ? [["bench smoke", () => counted(sh("npm run bench -- --smoke"))]] : []),
  ["bench:models smoke", modelsSmoke],
  ["bench:operators smoke", operatorsSmoke],
];

const total = { passed: 0, failed: 0 };
const rows = [];
const remarks = [];
for (const [name, step] of STEPS) {
  const start = performance.now();
  let result;
  printed = [];
  try {
    result = step();
  } catch (error) {
    console.error(error);
    result = one(false);
    printed.push({ command: name, ok: false, lines: String(error?.stack ?? error).split("\n") });
  }
  const said = remarksOf(printed, result.failed > 0);
  if (said.length > 0) remarks.push(`${name}:`, ...said.map((line) => `  ${line}`));
  total.passed += result.passed;
  total.failed += result.failed;
  rows.push(
    `${name.padEnd(12)} ${result.passed} passed, ${result.failed} failed (${((performance.now() - start) / 1000).toFixed(0)} s)`,
  );
  if (name === "npm ci" && result.failed > 0) break; // nothing else can run
}
if (remarks.length > 0)
  console.log(`\nWhat failed, or did at first:\n${remarks.map((line) => `  ${line}`).join("\n")}`);
console.log(`\n${rows.map((row) => `  ${row}`).join("\n")}`);
process.exitCode = total.failed > 0 ? 1 : 0;
console.log(`${total.passed} passed, ${total.failed} failed`);
