// What a user writes, and how each bundler builds it without any configuration.

/** A convolution by Winograd, a strided one and a pointwise one; answers a hash of their bits. Also what the runners run. */
const COMPUTE = `
/** From -0.5 to 0.5, a full mantissa, the same everywhere. */
const noise = (count, seed) => Float32Array.from({ length: count }, (_, i) => (Math.imul(i + seed, 0x9e3779b1) >>> 0) / 2 ** 32 - 0.5);
function hashOf(hash, floats) {
  for (const byte of new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength))
    hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
/** Each is checked against plain sums where one window of it lies, and hashed. */
export function compute(rt, times = 1) {
  let hash = 0x811c9dc5;
  const [C, size] = [16, 28];
  const image = noise(C * size * size, 1);
  for (const [M, kernel, options] of [[32, 3, { padding: 1 }], [24, 5, { stride: 2, padding: 2 }], [40, 1, {}]]) {
    const filters = noise(M * C * kernel * kernel, M);
    const weight = rt.tensor(filters, [M, C, kernel, kernel]);
    const plan = rt.plan.conv2d({ input: [1, C, size, size], weight, ...options });
    const x = rt.tensor(image, [1, C, size, size]);
    const y = rt.empty(plan.outputs[0]);
    for (let i = 0; i < times; i++) plan.run(x, y);
    const got = y.toArray();
    const { stride = 1, padding = 0 } = options;
    const [m, p, q] = [7, 5, 6];
    let sum = 0;
    for (let c = 0; c < C; c++)
      for (let r = 0; r < kernel; r++)
        for (let s = 0; s < kernel; s++)
          sum +=
            image[(c * size + p * stride + r - padding) * size + q * stride + s - padding] *
            filters[((m * C + c) * kernel + r) * kernel + s];
    const [, , P, Q] = y.shape;
    const one = got[(m * P + p) * Q + q];
    if (!(Math.abs(one - sum) < 1e-4)) throw new Error(\`\${kernel}x\${kernel}: expected \${sum}, got \${one}\`);
    hash = hashOf(hash, got);
    for (const one of [weight, plan, x, y]) one.dispose();
  }
  return hash;
}
`;

const ASK = `
const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
export async function ask({ threads = 1, variant = "auto", starts = 0 }) {
  const before = performance.now();
  const rt = await createRuntime({ threads, variant });
  const first = performance.now() - before;
  const settled = ({ running, reason = "" }) => running === threads || (reason && !/starting/.test(reason));
  while (!settled(rt.report().threads) && performance.now() - before < 120000) await new Promise((done) => setTimeout(done, 5));
  const hash = compute(rt, 20);
  const report = rt.report();
  rt.dispose();
  const times = [];
  for (let i = 0; i < starts; i++) {
    const start = performance.now();
    (await createRuntime({ variant })).dispose();
    times.push(performance.now() - start);
  }
  return { hash, report, first, ms: starts > 0 ? median(times) : undefined };
}
`;

/** A module that makes runtimes, and answers what they compute and how long they take to start. */
export const USE = `import { createRuntime } from "lanewise";\n${COMPUTE}${ASK}`;
/** The same beside a page whose bundle has nothing but createRuntime, so that its size is the package's. */
export const BESIDE = `const createRuntime = (options) => globalThis.createRuntime(options);\n${COMPUTE}${ASK}`;
const PAGE = `import { createRuntime } from "lanewise";\nglobalThis.createRuntime = createRuntime;\n`;
const HTML =
  '<!doctype html><meta charset="utf-8"><title>page</title><script type="module" src="./src/index.js"></script>\n';

/** The same in a worker. */
const WORKER_PAGE = `const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
globalThis.app = (options) => new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => (data.failure ? reject(new Error(data.failure)) : resolve(data.value));
  worker.onerror = ({ message }) => reject(new Error(message || "the worker did not load"));
  worker.postMessage(options);
});
`;
const WORKER = `import { ask } from "./use.js";
onmessage = ({ data }) => ask(data).then((value) => postMessage({ value }), (e) => postMessage({ failure: String(e.stack ?? e) }));
`;

/** All entries by name: that each is found, and that they share one core. */
const ENTRIES_PAGE = `import { createRuntime, UnsupportedError } from "lanewise";
import { readIdx } from "lanewise/datasets";
import { createRuntimeSync } from "lanewise/inline";
import { loadOnnx } from "lanewise/onnx";
import { loadOnnx as loadInline } from "lanewise/inline/onnx";
import { preprocess } from "lanewise/vision";
import { compute } from "./use.js";
globalThis.app = async ({ variant }) => {
  for (const one of [createRuntime, readIdx, loadOnnx, loadInline, preprocess, UnsupportedError])
    if (typeof one !== "function") throw new Error("an entry is missing");
  const model = loadOnnx(await createRuntime(), new Uint8Array(8));
  const { name, message } = await model.then(() => ({}), (error) => error);
  if (!/Error$/.test(name) || !/^"/.test(message)) throw new Error(\`loadOnnx answers \${name}: \${message}\`);
  const rt = createRuntimeSync({ variant });
  return { hash: compute(rt), report: rt.report() };
};
`;

export const PAGE_FILES = { "index.html": HTML, "src/use.js": USE, "src/index.js": PAGE };
const WORKER_FILES = { ...PAGE_FILES, "src/index.js": WORKER_PAGE, "src/worker.js": WORKER };
const ES_WORKER_FILES = {
  ...WORKER_FILES,
  "vite.config.js": 'export default { worker: { format: "es" } };\n',
};
const ENTRIES_FILES = { ...PAGE_FILES, "src/index.js": ENTRIES_PAGE };

const vite = (version, more = {}) => ({
  name: `Vite ${version}`,
  packages: [`vite@${version}`],
  build: ["vite", "build"],
  page: "index.html",
  ...more,
});
const viteWorker = (version, more) => vite(version, { files: WORKER_FILES, threads: false, ...more });
const ESBUILD = ["esbuild", "src/index.js", "--bundle", "--format=esm", "--outdir=dist"];

/**
 * name; packages, installed in a folder of the first's name (folder: another); files: of PAGE_FILES by default; build: the command, which writes dist/; entry: of
 * which a page is made, or page: the one that was written; serve: instead of dist/, what serves the page (port behind it).
 * both: both binaries are in what it writes, and budget false: what it writes is more than the page needs. threads: two are tried, too.
 */
export const CASES = [
  vite(8, { ci: true }),
  vite(8, {
    name: "Vite 8, dev",
    build: undefined,
    serve: ["vite", "--strictPort", "--port"],
    budget: false,
    threads: false,
    ci: true,
  }),
  viteWorker(8, { name: "Vite 8, a worker", both: true, ci: true }),
  viteWorker(8, {
    name: "Vite 8, a worker with worker.format es",
    files: ES_WORKER_FILES,
    folder: "Vite 8 es worker",
  }),
  // Rollup makes no scripts of one file out of import(): the other entry, or the other format.
  ...[7, 6, 5].flatMap((version) => [
    vite(version),
    viteWorker(version, {
      name: `Vite ${version}, a worker of lanewise/inline`,
      files: { ...WORKER_FILES, "src/use.js": USE.replace('"lanewise"', '"lanewise/inline"') },
      both: true,
    }),
    viteWorker(version, {
      name: `Vite ${version}, a worker with worker.format es`,
      files: ES_WORKER_FILES,
      folder: `Vite ${version} es worker`,
    }),
  ]),
  {
    name: "webpack 5",
    packages: ["webpack@5", "webpack-cli"],
    build: ["webpack", "--mode", "production"],
    entry: "main.js",
    ci: true,
  },
  {
    name: "Rspack",
    packages: ["@rspack/core", "@rspack/cli"],
    build: ["rspack", "build", "--mode", "production"],
    entry: "main.js",
  },
  {
    name: "Rollup 4",
    packages: ["rollup@4", "@rollup/plugin-node-resolve", "@rollup/plugin-terser"],
    build: ["rollup", "-i", "src/index.js", "-d", "dist", "-f", "es", "-p", "node-resolve", "-p", "terser"],
    entry: "index.js",
  },
  {
    name: "esbuild --splitting",
    packages: ["esbuild"],
    build: [...ESBUILD, "--minify", "--splitting"],
    entry: "index.js",
    ci: true,
  },
  {
    name: "esbuild, one file, names kept",
    packages: ["esbuild"],
    build: [...ESBUILD, "--keep-names"],
    entry: "index.js",
    both: true,
    ci: true,
  },
  {
    name: "Parcel 2 as it comes",
    packages: ["parcel@2"],
    build: ["parcel", "build", "index.html", "--no-cache"],
    page: "index.html",
    ci: true,
  },
  {
    name: "Parcel 2 as it comes, all entries",
    packages: ["parcel@2"],
    files: ENTRIES_FILES,
    build: ["parcel", "build", "index.html", "--no-cache"],
    page: "index.html",
    both: true,
    threads: false,
    ci: true,
  },
  {
    name: "Parcel 2, packageExports",
    packages: ["parcel@2"],
    folder: "Parcel 2 exports",
    manifest: { "@parcel/resolver-default": { packageExports: true } },
    build: ["parcel", "build", "index.html", "--no-cache"],
    page: "index.html",
  },
  {
    name: "bun build --splitting",
    packages: ["bun"],
    program: "node_modules/@oven/bun-linux-x64/bin/bun",
    build: ["bun", "build", "src/index.js", "--outdir=dist", "--splitting", "--minify"],
    entry: "index.js",
  },
  {
    name: "bun build, one file",
    packages: ["bun"],
    program: "node_modules/@oven/bun-linux-x64/bin/bun",
    build: ["bun", "build", "src/index.js", "--outdir=dist", "--minify"],
    entry: "index.js",
    both: true,
  },
];
