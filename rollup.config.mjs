// JavaScript to dist/, minified: one chunk a kernel binary, one a family of ONNX operators, shared code split off, so that every
// entry has the same classes. Prints raw and gzipped sizes and what is fetched by scenario, and fails over budget.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import terser from "@rollup/plugin-terser";
import { wasm } from "@rollup/plugin-wasm";
import { rollup } from "rollup";
import { cli } from "./rollup.cli.mjs";
import { notices } from "./scripts/notices.mjs";
import { BINARIES, CREW } from "./scripts/packs.mjs";

const KB = 1024;

/**
 * What a page fetches: of each entry the names that it uses, as a bundler leaves them; families of ONNX operators, and `source`,
 * which takes a response of fetch(); and one binary of each pack. Budgets are bytes gzipped, also of the same without a bundler,
 * whole entries: `files`, where it is another. dist/sizes.json has what they are.
 */
const SCENARIOS = [
  { name: "one convolution", uses: { index: ["createRuntime"] }, budget: 55.5 * KB, files: 71 * KB },
  {
    name: "LeNet-5 by hand",
    uses: { index: ["createRuntime", "createModel", "sequential", "readSafetensors"] },
    budget: 68.75 * KB,
    files: 71 * KB,
  },
  {
    name: "a float CNN from ONNX",
    uses: { index: ["createRuntime"], onnx: ["loadOnnx"] },
    families: ["source"],
    budget: 96.75 * KB,
    files: 102 * KB,
  },
  {
    name: "a quantised CNN from ONNX",
    uses: { index: ["createRuntime"], onnx: ["loadOnnx"] },
    families: ["source", "layers-int8", "host-quantising"],
    packs: ["int8"],
    budget: 134 * KB,
    files: 139.5 * KB,
  },
  // All binaries are in the entry.
  {
    name: "lanewise/inline",
    uses: { inline: ["createRuntime", "createRuntimeSync"] },
    budget: 113 * KB,
    files: 146 * KB,
  },
  // What it adds to a page that computes already: one binary, whole, is in the entry.
  {
    name: "vision",
    uses: { vision: ["createPreprocessor", "preprocess", "presets"] },
    beside: { index: ["createRuntime"] },
    budget: 12.25 * KB,
    files: 29 * KB,
  },
  // Answers are functions, each for itself: what one adds, and what one of detectors does.
  { name: "topK", uses: { vision: ["topK"] }, beside: { index: ["createRuntime"] }, budget: KB, files: 29 * KB },
  {
    name: "answers of YOLO",
    uses: { vision: ["decodeYolo", "labelsOf"] },
    beside: { index: ["createRuntime"] },
    budget: 4 * KB,
    files: 29 * KB,
  },
  // What it adds to a page that loads networks already.
  {
    name: "quantize",
    uses: { quantize: ["quantize"] },
    beside: { index: ["createRuntime"], onnx: ["loadOnnx"] },
    budget: 12 * KB,
  },
  {
    name: "everything",
    uses: { index: "all", onnx: "all", datasets: "all", vision: "all" },
    families: "all",
    packs: ["numeric", "rare", "recurrent", "audio", "int8", "half"],
  },
];

const INLINE = new URL("build/js/engine/inline.js", import.meta.url);
const { FAMILIES } = await import(new URL("build/js/onnx/families/table.js", import.meta.url));
const BINARY = new RegExp(`wasm/(${[...BINARIES, CREW].map(({ file }) => file).join("|")})\\.wasm(\\?\\w+)?$`);

/** Libraries that are bundled: devDependencies, so that users audit none. The quantiser, which writes, has a copy of its own. */
const WRITING = "?writing";
const libraries = {
  name: "libraries",
  resolveId(source, importer) {
    if (source !== "pbf") return null;
    return fileURLToPath(import.meta.resolve("pbf")) + (/\/quantiser\//.test(importer) ? WRITING : "");
  },
  load: (id) => (id.endsWith(WRITING) ? readFileSync(id.slice(0, -WRITING.length), "utf8") : null),
};

/** Methods of pbf's reader that src/onnx/file/proto.ts does not call, and its decoder of text; no bundler can tell: 0.5 KB gzip. */
const UNUSED = /^read(Message|S?Fixed|SVarint|Boolean|String|Bytes|Packed)/;
const withoutUnused = {
  name: "without-unused",
  transform(code, id) {
    if (!/\bpbf\/index\.js$/.test(id)) return null;
    const classes = this.parse(code).body.map(({ declaration }) => declaration);
    const { body } = classes.find((declaration) => declaration?.id?.name === "PbfReader").body;
    const unused = body.filter(({ key }) => UNUSED.test(key.name));
    return {
      code: unused
        .reduceRight((rest, { start, end }) => rest.slice(0, start) + rest.slice(end), code)
        .replace("new TextDecoder", "/*@__PURE__*/ $&"),
      map: null,
    };
  },
};

/**
 * Fields of descriptors under short names, the same in every chunk: 0.4 KB gzip. Of those with a capital letter inside, which no
 * option is, and without a digit at the end, as src/ops/parts/strided.ts puts them together; other names that are put together are
 * refused. test/public-api.txt has what users see.
 */
const shortFields = {
  name: "short-fields",
  buildStart() {
    const folder = new URL("build/js/kernels/gen/", import.meta.url);
    const files = readdirSync(folder, { recursive: true }).filter((file) => file.endsWith(".js"));
    const text = files.map((file) => readFileSync(new URL(file, folder), "utf8")).join("\n");
    const structs = [...text.matchAll(/^export const \w+Desc = \{([^}]*)\}/gm)].map(([, fields]) => fields).join();
    const names = new Set(structs.match(/\b[a-z]+[A-Z][A-Za-z]*(?=: )/g));
    for (const name of readFileSync("test/public-api.txt", "utf8").match(/\w+/g)) names.delete(name);
    this.short = new Map([...names].map((name, i) => [name, `$${i.toString(36)}`]));
  },
  transform(code, id) {
    if (!/\/build\/(js\/|page\/sections\/methods-facts\.js)/.test(id)) return null; // the page asks for FFT's tiles
    for (const [key, end] of code.matchAll(/\[`\$\{\w+\}([A-Z]\w*)`\]/g))
      if ([...this.short.keys()].some((name) => name.endsWith(end)))
        this.error(`${id}: ${key} expected a field spelt out, since its name is shortened`);
    return { code: code.replace(/[a-z]\w*/gi, (word) => this.short.get(word) ?? word), map: null };
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

/**
 * lanewise/worker.js: a file that imports none, so that any tool may copy it, and the same as text in the chunk of threads, since a
 * function's text is not its own where a user's bundler keeps names or counts lines.
 */
const worker = {
  name: "worker",
  async transform(code, id) {
    if (!id.endsWith("/build/js/threads/start.js")) return null;
    const bundle = await rollup({ input: "build/js/threads/module.js", plugins: [shortFields, terser()] });
    const [{ code: whole }] = (await bundle.generate({ format: "iife" })).output;
    this.emitFile({ type: "prebuilt-chunk", fileName: "worker.js", code: whole });
    const [before, after] = code.split(/`\(\$\{work\}\)\(\)`/);
    if (after === undefined) this.error(`${id} expected the worker's text`);
    return { code: before + JSON.stringify(whole.trim()) + after, map: null };
  },
};

const gzipped = (code) => gzipSync(code, { level: 9 }).length;

/** Bytes of what a bundler leaves of entries of which these names are used: package.json says that no module has side effects. */
async function bundled(uses) {
  const lines = Object.entries(uses).map(([entry, names]) => {
    const file = JSON.stringify(fileURLToPath(new URL(`dist/${entry}.js`, import.meta.url)));
    return names === "all" ? `export * from ${file};` : `export { ${names.join(", ")} } from ${file};`;
  });
  const bundle = await rollup({
    input: "page",
    treeshake: { moduleSideEffects: false },
    plugins: [
      {
        name: "page",
        resolveId: (id) => (id === "page" ? id : null),
        load: (id) => (id === "page" ? lines.join("\n") : null),
      },
    ],
  });
  const { output } = await bundle.generate({ format: "es" });
  return sumOf(output, ["page.js"]);
}

/** Bytes of chunks and of all that they import. */
function sumOf(chunks, names) {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const seen = new Set();
  const reach = (name) => {
    const chunk = byName.get(name);
    if (chunk === undefined || seen.has(chunk)) return;
    seen.add(chunk);
    chunk.imports.forEach(reach);
  };
  names.forEach(reach);
  return [...seen].reduce((sum, { code }) => sum + gzipped(code), 0);
}

/** Prints what every chunk and every scenario takes, and keeps it in dist/sizes.json. */
const sizes = {
  name: "sizes",
  async writeBundle(_, bundle) {
    const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
    const gzip = new Map(chunks.map(({ fileName, code }) => [fileName, gzipped(code)]));
    for (const { fileName, code } of chunks)
      console.log(`  ${fileName.padEnd(24)} ${code.length} B, ${gzip.get(fileName)} B gzip`);
    /** A runtime loads one binary of a pack: the largest counts. */
    const binaryOf = (pack) => {
      const files = BINARIES.filter((binary) => binary.pack === pack).map(({ file }) => `${file}.js`);
      return Math.max(...files.map((file) => gzip.get(file)));
    };
    const all = chunks.find(({ fileName }) => fileName === "onnx.js").dynamicImports;
    const scenarios = [];
    for (const { name, uses, beside, families = [], packs = [], budget, files = budget } of SCENARIOS) {
      const entries = Object.keys(uses).map((entry) => `${entry}.js`);
      const wanted = families === "all" ? all : families.map((family) => `${family}.js`);
      for (const file of wanted)
        if (!all.includes(file)) this.error(`"${name}" expected a family of onnx.js, got ${file}`);
      if (beside) {
        const there = Object.keys(beside).map((entry) => `${entry}.js`);
        const whole = sumOf(chunks, [...there, ...entries]) - sumOf(chunks, there);
        const bytes = (await bundled({ ...beside, ...uses })) - (await bundled(beside));
        scenarios.push({ name, bytes, files: whole, budget, filesBudget: files });
        continue;
      }
      const whole = sumOf(chunks, entries);
      const onDemand = sumOf(chunks, [...entries, ...wanted]) - whole;
      const fetched = uses.inline ? [] : ["float", ...packs];
      const more = onDemand + fetched.reduce((sum, pack) => sum + binaryOf(pack), 0);
      scenarios.push({ name, bytes: (await bundled(uses)) + more, files: whole + more, budget, filesBudget: files });
    }
    const limit = (budget) => (budget ? ` (budget ${budget / KB} KB)` : "");
    for (const { name, bytes, files, budget, filesBudget } of scenarios) {
      const [one, many] = [bytes, files].map((size) => (size / KB).toFixed(1));
      console.log(`  ${name}: ${one} KB gzip${limit(budget)}, ${many} without a bundler${limit(filesBudget)}`);
    }
    writeFileSync("dist/sizes.json", `${JSON.stringify({ scenarios, chunks: Object.fromEntries(gzip) }, null, 2)}\n`);
    for (const { name, bytes, files, budget, filesBudget } of scenarios) {
      if (bytes > budget) this.error(`"${name}" is ${bytes - budget} B over its size budget`);
      if (files > filesBudget)
        this.error(`"${name}" is ${files - filesBudget} B over its size budget without a bundler`);
    }
  },
};

const inlined = wasm({ targetEnv: "browser", maxFileSize: 2 ** 31 });

/** Compiled where it is called: a few KB, which engines do at once. */
const SYNCHRONOUS = /wasm\/vision\.wasm$/;

/** Writes what @rollup/plugin-wasm inlines as base64 in the denser text of src/engine/inline.ts. */
const dense = {
  name: "dense",
  async transform(code, id) {
    const base64 = BINARY.test(id) && /'([A-Za-z0-9+/]{100,}=*)'/.exec(code)?.[1];
    if (!base64) return null;
    const { inlineText } = await import(INLINE);
    const text = JSON.stringify(inlineText(Buffer.from(base64, "base64")));
    const compile = SYNCHRONOUS.test(id) ? "new WebAssembly.Module" : "WebAssembly.compile";
    const source = `import { inlinedBytes } from ${JSON.stringify(INLINE.pathname)};
export const bytes = () => inlinedBytes(${text});
export default (twin = (binary) => binary) => ${compile}(twin(bytes()));`;
    return { code: source, map: null };
  },
};

/** Binaries as they are loaded, checked for size. */
const measured = {
  name: "measured",
  load(id) {
    const { budget } = [...BINARIES, CREW].find(({ file }) => file === BINARY.exec(id)?.[1]) ?? {};
    if (!budget) return null;
    const bytes = statSync(id).size;
    console.log(`  ${id.split("/").at(-1).padEnd(24)} ${bytes} B (budget ${budget})`);
    if (bytes > budget) this.error(`${id} is over its size budget`);
    return null;
  },
};

/** What makes modules of build/js whole, in whichever bundle: the page's (scripts/page) is another. */
export const packagePlugins = [binaries, libraries, withoutUnused, shortFields, worker, inlined, dense];

/** Modules that a module imports, and those that they import, and so on. */
function reachOf(id, getModuleInfo, seen = new Set()) {
  if (seen.has(id)) return seen;
  seen.add(id);
  for (const next of getModuleInfo(id)?.importedIds ?? []) reachOf(next, getModuleInfo, seen);
  return seen;
}

/**
 * What several entries share: errors and checks for all, everything else for those that compute, and the importer of the two ONNX
 * entries. A family of ONNX operators is one chunk, with what those before it in the table do not have, facts of its pack too.
 */
function manualChunks(id, { getModuleInfo }) {
  const file = id.split("/build/js/")[1];
  // Threads are for who asks for them; static entries have what they say instead.
  if (file === "threads/asked.js") return "threads-asked";
  if (file === "threads/alone.js") return "core";
  if (/^(threads\/|plan\/(split|cost)\.js)/.test(file) || /crew\.wasm$/.test(id)) return "threads";
  if (
    BINARY.test(id) ||
    id.endsWith(WRITING) ||
    /^(index|inline|static|edge-light|quantize|quantiser\/.*|datasets\/.*|(onnx|vision)\/(index|static|edge-light)|runtime\/create-sync)\.js$/.test(
      file,
    )
  )
    return undefined;
  if (/^(ops\/(byte|half)-weights|model\/weight-range)\.js$/.test(file)) return "weights";
  if (/^vision\/answers\//.test(file)) return "answers";
  if (/^vision\/picture\/frame\.js$/.test(file)) return "frames";
  if (/^(vision|kernels\/gen\/vision)\//.test(file)) return "pictures";
  if (file && !/^(onnx|kernels\/gen\/\w+)\//.test(file)) {
    if (/^base\/(errors|check)\.js$/.test(file)) return "errors";
    return "core";
  }
  const inOnnx = (path) => fileURLToPath(new URL(`build/js/onnx/${path}.js`, import.meta.url));
  const isReached = (path) => reachOf(inOnnx(path), getModuleInfo).has(id);
  return isReached("load") || isReached("api")
    ? "importer"
    : Object.keys(FAMILIES).find((family) => isReached(`families/${family}`));
}

const library = {
  input: {
    index: "build/js/index.js",
    inline: "build/js/inline.js",
    static: "build/js/static.js",
    "edge-light": "build/js/edge-light.js",
    datasets: "build/js/datasets/index.js",
    quantize: "build/js/quantize.js",
    onnx: "build/js/onnx/index.js",
    "onnx-static": "build/js/onnx/static.js",
    vision: "build/js/vision/index.js",
    "vision-static": "build/js/vision/static.js",
    "vision-edge-light": "build/js/vision/edge-light.js",
  },
  plugins: [
    binaries,
    libraries,
    withoutUnused,
    shortFields,
    worker,
    measured,
    inlined,
    dense,
    terser({
      module: true,
      keep_classnames: /Error$|^(Tensor|Model|OnnxModel|Runtime|Plan|Graph)$/,
      // gzip finds more where statements, comparisons and functions stand as they were written: 0.2 KB.
      compress: {
        ecma: 2022,
        passes: 3,
        sequences: false,
        lhs_constants: false,
        inline: false,
        reduce_funcs: false, // a function that is written where it is called is made anew by every call
        unsafe_arrows: true, // no function is called with new
      },
      // Node prints the line of an error that nobody catches: some rows of it, not 80 KB.
      format: { max_line_len: 3000 },
    }),
    notices("THIRD-PARTY.txt"),
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

export default [library, cli];
