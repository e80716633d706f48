// dist/cli.js and its commands, each a chunk: dist/cli-<name>.js. A bundle of its own over the entries, as users have them, so that none
// of these grows by it. Libraries are bundled: devDependencies, so that users audit none.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import commonjs from "@rollup/plugin-commonjs";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import terser from "@rollup/plugin-terser";
import { notices } from "./scripts/notices.mjs";

const KB = 1024;

/** Most bytes of all of it on the disk; nobody fetches it. */
const BUDGET = 300 * KB;

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Entries of the package as they are built, and what they are called in dist. */
const ENTRIES = new Map([
  [at("build/js/index.js"), "./index.js"],
  [at("build/js/onnx/index.js"), "./onnx.js"],
  [at("build/js/vision/index.js"), "./vision.js"],
]);

const entries = {
  name: "cli-entries",
  resolveId(source, importer) {
    const id = importer?.startsWith(at("build/js/cli/")) && ENTRIES.get(resolve(dirname(importer), source));
    return id ? { id, external: true } : null;
  },
};

/** The decoder of JPEG as compressed text: 166 KB become 75. */
const decoder = {
  name: "cli-decoder",
  load(id) {
    if (!id.endsWith("mozjpeg_dec.wasm")) return null;
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 18 };
    const text = brotliCompressSync(readFileSync(id), { params }).toString("base64");
    return `import { brotliDecompressSync } from "node:zlib";
export default () => new WebAssembly.Module(brotliDecompressSync(Buffer.from("${text}", "base64")));`;
  },
};

const sizes = {
  name: "cli-sizes",
  generateBundle(_, bundle) {
    const chunks = Object.values(bundle);
    const bytes = chunks.reduce((sum, { code = "" }) => sum + Buffer.byteLength(code), 0);
    console.log(`  command line: ${(bytes / KB).toFixed(1)} KB in ${chunks.length} chunks (budget ${BUDGET / KB} KB)`);
    if (bytes > BUDGET) this.error(`the command line is ${bytes - BUDGET} B over its size budget`);
  },
};

export const cli = {
  input: { cli: "build/js/cli/main.js" },
  plugins: [
    entries,
    decoder,
    nodeResolve({ exportConditions: ["node"], preferBuiltins: true }),
    commonjs(),
    terser({ module: true, compress: { ecma: 2022, passes: 2 } }),
    sizes,
    notices("THIRD-PARTY-CLI.txt"),
  ],
  output: {
    dir: "dist",
    format: "es",
    entryFileNames: "[name].js",
    chunkFileNames: "cli-[name].js",
    hoistTransitiveImports: false,
  },
};
