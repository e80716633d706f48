// JavaScript to dist/, minified: one chunk a kernel binary, shared code split off, so that every entry has the same classes.
// Prints raw and gzipped sizes and fails over budget.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import terser from "@rollup/plugin-terser";
import { wasm } from "@rollup/plugin-wasm";
import { BINARIES } from "./scripts/packs.mjs";

/** Bytes. index: the default entry with all that it loads for one binary. onnx: what that entry adds to it. */
const BUDGETS = { indexGzip: 60 * 1024, onnxGzip: 40 * 1024 };

const INLINE = new URL("build/js/engine/inline.js", import.meta.url);
/** Names of descriptor fields (assembly/desc.ts) that no user meets: shortened, 300 B gzip of the core. */
const DESCRIPTOR_FIELDS =
  /^(\w+Ptr|(src|dst|group|pixel|row|image)\w*Bytes|(kernel|stride|dilation|out|pad)(H|W|Top|Left|Bottom|Right))$/;
const BINARY = new RegExp(`wasm/(${BINARIES.map(({ file }) => file).join("|")})\\.wasm(\\?\\w+)?$`);

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

const budget = {
  name: "budget",
  generateBundle(_, bundle) {
    const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
    const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
    const gzip = (chunk) => gzipSync(chunk.code, { level: 9 }).length;
    const reach = (name, seen = new Set()) => {
      if (seen.has(name) || !byName.has(name)) return seen;
      seen.add(name);
      for (const next of byName.get(name).imports) reach(next, seen);
      return seen;
    };
    for (const chunk of chunks)
      console.log(`  ${chunk.fileName.padEnd(24)} ${chunk.code.length} B, ${gzip(chunk)} B gzip`);
    const core = [...reach("index.js")].reduce((sum, name) => sum + gzip(byName.get(name)), 0);
    const binary = Math.max(...chunks.filter((c) => BINARY.test(c.facadeModuleId ?? "")).map(gzip));
    console.log(`  default entry with one binary: ${core + binary} B gzip (budget ${BUDGETS.indexGzip})`);
    const onnx = gzip(byName.get("onnx.js"));
    console.log(`  onnx beyond it: ${onnx} B gzip (budget ${BUDGETS.onnxGzip})`);
    if (onnx > BUDGETS.onnxGzip) this.error("the onnx entry is over its size budget");
    if (core + binary > BUDGETS.indexGzip) this.error("the default entry is over its size budget");
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
    const { budget } = BINARIES.find(({ file }) => file === BINARY.exec(id)?.[1]) ?? {};
    if (!budget) return null;
    const { statSync } = await import("node:fs");
    const bytes = statSync(id).size;
    console.log(`  ${id.split("/").at(-1).padEnd(24)} ${bytes} B (budget ${budget})`);
    if (bytes > budget) this.error(`${id} is over its size budget`);
    return null;
  },
};

/** What several entries share: errors and checks for all, everything else for those that compute. */
function manualChunks(id) {
  if (!id.includes("/build/js/") || BINARY.test(id)) return undefined;
  const file = id.split("/build/js/")[1];
  if (/^(index|static|edge-light|(datasets|onnx)\/.*)\.js$/.test(file)) return undefined;
  return /^base\/(errors|check)\.js$/.test(file) ? "errors" : "core";
}

export default {
  input: {
    index: "build/js/index.js",
    static: "build/js/static.js",
    "edge-light": "build/js/edge-light.js",
    datasets: "build/js/datasets/index.js",
    onnx: "build/js/onnx/index.js",
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
      mangle: { properties: { regex: DESCRIPTOR_FIELDS } },
      nameCache: {}, // the same short names in every chunk
      format: { semicolons: false },
    }),
    budget,
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
