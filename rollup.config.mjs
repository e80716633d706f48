// JavaScript to dist/, minified: one chunk a kernel binary, one a family of ONNX operators, shared code split off, so that every
// entry has the same classes. Prints raw and gzipped sizes and what is fetched by scenario, and fails over budget.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import terser from "@rollup/plugin-terser";
import { wasm } from "@rollup/plugin-wasm";

const KB = 1024;

/** Bytes of a binary. */
const BINARY_BUDGET = 64 * KB;

/**
 * What is fetched: entries with all that they import, one binary, and chunks that are imported when they are needed. Budgets are
 * bytes gzipped; dist/sizes.json has what they are. The first is to be 58 KB and the third 86 KB once kernels that only some
 * models need are a binary of their own.
 */
const SCENARIOS = [
  { name: "one convolution", entries: ["index"], budget: 59 * KB },
  { name: "LeNet-5 by hand", entries: ["index"], budget: 60 * KB },
  { name: "a float CNN from ONNX", entries: ["index", "onnx"], budget: 87 * KB },
  { name: "a quantised CNN from ONNX", entries: ["index", "onnx"], families: ["layers-quantised"], budget: 100 * KB },
  { name: "everything", entries: ["index", "onnx", "datasets"], families: "all" },
];

const INLINE = new URL("build/js/engine/inline.js", import.meta.url);
const { FAMILIES } = await import(new URL("build/js/onnx/families/table.js", import.meta.url));
const BINARY = /wasm\/(simd|relaxed)\.wasm(\?\w+)?$/;

/** Libraries that are bundled: devDependencies, so that users audit none. */
const libraries = {
  name: "libraries",
  resolveId: (source) => (source === "pbf" ? fileURLToPath(import.meta.resolve("pbf")) : null),
};

/** Methods of pbf's reader that src/onnx/file/proto.ts does not call, and that no bundler can tell: 0.5 KB gzip. */
const UNUSED = /^read(Message|S?Fixed|SVarint|Boolean|String|Bytes|Packed)/;
const withoutUnused = {
  name: "without-unused",
  transform(code, id) {
    if (!/\bpbf\/index\.js$/.test(id)) return null;
    const classes = this.parse(code).body.map(({ declaration }) => declaration);
    const { body } = classes.find((declaration) => declaration?.id?.name === "PbfReader").body;
    const unused = body.filter(({ key }) => UNUSED.test(key.name));
    return {
      code: unused.reduceRight((rest, { start, end }) => rest.slice(0, start) + rest.slice(end), code),
      map: null,
    };
  },
};

/** src imports ../build/wasm/<binary>.wasm: inlined as it stands, left external with ?static and ?module. */
const binaries = {
  name: "binaries",
  resolveId(source) {
    const match = BINARY.exec(source);
    if (!match) return null;
    if (match[2] === "?static") return { id: `./wasm/${match[1]}.wasm`, external: true };
    if (match[2] === "?module") return { id: `./wasm/${match[1]}.wasm?module`, external: true };
    return new URL(`build/wasm/${match[1]}.wasm`, import.meta.url).pathname;
  },
};

const sizes = {
  name: "sizes",
  generateBundle(_, bundle) {
    const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
    const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
    const gzip = new Map(chunks.map(({ fileName, code }) => [fileName, gzipSync(code, { level: 9 }).length]));
    for (const { fileName, code } of chunks)
      console.log(`  ${fileName.padEnd(24)} ${code.length} B, ${gzip.get(fileName)} B gzip`);
    const reach = (name, seen) => {
      if (seen.has(name) || !byName.has(name)) return seen;
      seen.add(name);
      for (const next of byName.get(name).imports) reach(next, seen);
      return seen;
    };
    const sum = (names) => [...names].reduce((total, name) => total + gzip.get(name), 0);
    // A runtime loads one of the binaries that its entry can import.
    const binaries = byName.get("index.js").dynamicImports;
    const binary = binaries.reduce((most, name) => (gzip.get(name) > gzip.get(most) ? name : most));
    const all = byName.get("onnx.js").dynamicImports;
    const rows = SCENARIOS.map(({ name, entries, families = [], budget }) => {
      const files = new Set();
      for (const entry of entries) reach(`${entry}.js`, files);
      for (const file of families === "all" ? all : families.map((family) => `${family}.js`)) {
        if (!all.includes(file)) this.error(`"${name}" expected a family of onnx.js, got ${file}`);
        reach(file, files);
      }
      reach(binary, files);
      return { name, bytes: sum(files), budget, files: [...files] };
    });
    for (const { name, bytes, budget } of rows) {
      const limit = budget ? ` (budget ${budget / KB} KB)` : "";
      console.log(`  ${name}: ${(bytes / KB).toFixed(1)} KB, ${bytes} B gzip${limit}`);
    }
    mkdirSync("dist", { recursive: true });
    writeFileSync(
      "dist/sizes.json",
      `${JSON.stringify({ scenarios: rows, chunks: Object.fromEntries(gzip) }, null, 2)}\n`,
    );
    for (const { name, bytes, budget } of rows)
      if (bytes > budget) this.error(`"${name}" is ${bytes - budget} B over its size budget`);
  },
};

const inlined = wasm({ targetEnv: "browser", maxFileSize: 2 ** 31 });

/** Writes what @rollup/plugin-wasm inlines as base64 in the denser text of src/engine/inline.ts. */
const dense = {
  name: "dense",
  async transform(code, id) {
    const base64 = BINARY.test(id) && /'([A-Za-z0-9+/]{100,}=*)'/.exec(code)?.[1];
    if (!base64) return null;
    const { inlineText } = await import(INLINE);
    const text = JSON.stringify(inlineText(Buffer.from(base64, "base64")));
    const source = `import { inlinedBytes } from ${JSON.stringify(INLINE.pathname)};
export default () => WebAssembly.compile(inlinedBytes(${text}));`;
    return { code: source, map: null };
  },
};

/** Binaries as they are loaded, checked for size. */
const measured = {
  name: "measured",
  async load(id) {
    if (!BINARY.test(id)) return null;
    const { statSync } = await import("node:fs");
    const bytes = statSync(id).size;
    console.log(`  ${id.split("/").at(-1).padEnd(24)} ${bytes} B (budget ${BINARY_BUDGET})`);
    if (bytes > BINARY_BUDGET) this.error(`${id} is over its size budget`);
    return null;
  },
};

/** Modules that a module imports, and those that they import, and so on. */
function reachOf(id, getModuleInfo, seen = new Set()) {
  if (seen.has(id)) return seen;
  seen.add(id);
  for (const next of getModuleInfo(id)?.importedIds ?? []) reachOf(next, getModuleInfo, seen);
  return seen;
}

/**
 * What several entries share: errors and checks for all, everything else for those that compute, and the importer of the two ONNX
 * entries. A family of ONNX operators is one chunk, with what those before it in the table do not have.
 */
function manualChunks(id, { getModuleInfo }) {
  const file = id.split("/build/js/")[1];
  if (BINARY.test(id) || /^(index|static|edge-light|datasets\/.*|onnx\/(index|static))\.js$/.test(file))
    return undefined;
  const inOnnx = (path) => fileURLToPath(new URL(`build/js/onnx/${path}.js`, import.meta.url));
  const isReached = (path) => reachOf(inOnnx(path), getModuleInfo).has(id);
  if (!file?.startsWith("onnx/") && file) return /^base\/(errors|check)\.js$/.test(file) ? "errors" : "core";
  return isReached("load") || isReached("api")
    ? "importer"
    : Object.keys(FAMILIES).find((family) => isReached(`families/${family}`));
}

export default {
  input: {
    index: "build/js/index.js",
    static: "build/js/static.js",
    "edge-light": "build/js/edge-light.js",
    datasets: "build/js/datasets/index.js",
    onnx: "build/js/onnx/index.js",
    "onnx-static": "build/js/onnx/static.js",
  },
  plugins: [
    binaries,
    libraries,
    withoutUnused,
    measured,
    inlined,
    dense,
    terser({
      module: true,
      keep_classnames: /Error|Tensor|Model|Runtime|Plan|Graph/,
      compress: { ecma: 2022, passes: 3 },
    }),
    sizes,
  ],
  output: {
    dir: "dist",
    format: "es",
    manualChunks,
    chunkFileNames: "[name].js",
    entryFileNames: "[name].js",
    hoistTransitiveImports: false,
  },
};
