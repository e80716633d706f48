// npm run page: examples/page to static files in site/, from the last build. --quiet: no table of sizes.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import terser from "@rollup/plugin-terser";
import { rollup } from "rollup";
import { packagePlugins } from "../../rollup.config.mjs";
import { lenetAssets } from "./assets.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
process.chdir(root);
const isQuiet = process.argv.includes("--quiet");
const KB = 1024;

/**
 * Most bytes gzipped: what has come when the first digit is answered, by what it is for. A binary is one of two, the larger counts.
 */
const BUDGETS = { kernels: 61 * KB, weights: 40 * KB, page: 60 * KB };

const SOURCE = "examples/page";
/** In this order: later ones take precedence. */
const STYLES = ["base", "controls", "digit", "conv", "tables", "files", "narrow"];
const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const entry = (name) => join(root, "build/js", name);

/** Packages as they stand in build/ and node_modules. */
const resolved = {
  name: "resolved",
  resolveId(source) {
    if (source === "lanewise") return entry("index.js");
    if (source.startsWith("lanewise/")) return entry(`${source.slice("lanewise/".length)}/index.js`);
    if (source === "page:labels") return join(root, "examples/labels.mjs");
    if (source.startsWith("#lanewise/")) return entry(source.slice("#lanewise/".length));
    if (/^(preact|@preact)\b/.test(source)) return fileURLToPath(import.meta.resolve(source));
    return null;
  },
};

/** Words of env.d.ts by what only the build knows. */
const known = (words) => ({
  name: "known",
  transform(code, id) {
    if (!/\/build\/page\//.test(id)) return null;
    return code.replace(/\b(VERSION|ENGINE|WEIGHTS|DIGITS)\b/g, (word) => JSON.stringify(words[word]));
  },
});

/** What changes seldom is a file of its own. */
const ownChunk = (id) => (/node_modules\/(preact|@preact)/.test(id) ? "preact" : undefined);

/**
 * A file's name has its bytes in it: the page of one build never loads a part of another's. Page and engine are bundled apart, each
 * with what it needs of the tables, since the engine would wait for a part in common.
 */
async function bundle(input, words, format = "es") {
  const built = await rollup({
    input,
    preserveEntrySignatures: "allow-extension", // no file before the engine's that hands on what it exports
    treeshake: { moduleSideEffects: (id) => !id.includes("/build/js/") },
    plugins: [
      resolved,
      known(words),
      ...packagePlugins,
      terser({ module: format === "es", compress: { ecma: 2022, passes: 2 } }),
    ],
  });
  const { output } = await built.write({
    dir: "site",
    format,
    name: format === "iife" ? "boot" : undefined,
    entryFileNames: "[name]-[hash].js",
    chunkFileNames: "[name]-[hash].js",
    hashCharacters: "base36",
    hoistTransitiveImports: false,
    manualChunks: format === "es" ? ownChunk : undefined,
  });
  return output.filter((file) => file.type === "chunk");
}

/** Where the classifier of section 2 may lie; a site without it asks for one to be dropped. */
const CLASSIFIER = "shufflenet-v2-12-int8.onnx";
const classifier = ["examples/models", "../shared/data/models"]
  .map((folder) => join(folder, CLASSIFIER))
  .find((path) => existsSync(path));

const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** index.html with its snippets, which a test runs, and what is known since they were built; named: files by what they are there. */
function html({ percent, named }) {
  const snippet = (name) => {
    const code = escaped(readFileSync(`${SOURCE}/code/${name}.mjs`, "utf8").trim());
    const listing = `<pre tabindex="0" role="region" aria-label="Code of ${name}"><code>${code}</code></pre><button type="button" class="copy">copy</button>`;
    return `<details class="code"><summary>show the code</summary><div class="listing">${listing}</div></details>`;
  };
  return readFileSync(`${SOURCE}/index.html`, "utf8")
    .replace(/<!-- code:(\w+) -->/g, (_, name) => snippet(name))
    .replace(/(?:src|href)="(\w+)\.(js|css)"/g, (text, name, type) =>
      text.replace(`${name}.${type}`, named(name, type)),
    )
    .replace("<!-- accuracy -->", `${percent.toFixed(2)} %`)
    .replace("<!-- version -->", version)
    .replace(
      '<section id="photo">',
      classifier
        ? `<section id="photo" data-classifier="${CLASSIFIER}" data-bytes="${statSync(classifier).size}">`
        : '<section id="photo">',
    );
}

/** The file of a chunk. */
const fileOf = (chunks, name) => chunks.find((chunk) => chunk.name === name).fileName;

/** Files of a chunk and of all that it imports, and what those do. */
function reach(chunks, fileName, seen = new Set()) {
  const chunk = chunks.find((one) => one.fileName === fileName);
  if (!chunk || seen.has(fileName)) return seen;
  seen.add(fileName);
  for (const next of chunk.imports) reach(chunks, next, seen);
  return seen;
}

const gzipped = (name) => gzipSync(readFileSync(join("site", name)), { level: 9 }).length;

/** Writes a file whose name has its bytes in it; answers the name. */
function written(name, type, bytes) {
  const file = `${name}-${createHash("sha256").update(bytes).digest("hex").slice(0, 8)}.${type}`;
  writeFileSync(join("site", file), bytes);
  return file;
}

rmSync("build/page", { recursive: true, force: true });
rmSync("site", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", `${SOURCE}/tsconfig.json`], {
  stdio: "inherit",
});
mkdirSync("site");
const lenet = await lenetAssets(root);
const weights = written("lenet5", "safetensors", lenet.weights);
const digits = written("digits", "bin", lenet.digits);
const styles = STYLES.map((name) => readFileSync(`${SOURCE}/style/${name}.css`, "utf8"));
const style = written("style", "css", styles.join("\n").replace(/\n\s*/g, "\n"));
const engine = await bundle({ engine: "build/page/engine/worker.js" }, { WEIGHTS: weights });
const ENGINE = fileOf(engine, "engine");
const words = { VERSION: version, ENGINE, DIGITS: digits };
const boot = await bundle({ boot: "build/page/boot.js" }, words, "iife");
const page = await bundle({ page: "build/page/main.js" }, words);
const named = (name, type) => (type === "css" ? style : fileOf([...boot, ...page], name));
writeFileSync("site/index.html", html({ ...lenet, named }));
cpSync(`${SOURCE}/icon.svg`, "site/icon.svg");
cpSync("examples/photos/chelsea.jpg", "site/chelsea.jpg");
if (classifier) cpSync(classifier, `site/${CLASSIFIER}`);

/** Files until the first digit is answered, by what they are for. Of the two binaries a browser fetches one. */
const first = {
  kernels: [...reach(engine, ENGINE)],
  weights: [weights],
  page: [fileOf(boot, "boot"), ...reach(page, fileOf(page, "page")), "index.html", style, "icon.svg", digits],
};
const binaries = ["simd", "relaxed"].map((name) => fileOf(engine, name));
const kept = ["./", ...Object.values(first).flat(), ...binaries].filter((file) => file !== "index.html");
const hash = createHash("sha256");
for (const file of readdirSync("site").sort()) hash.update(readFileSync(join("site", file)));
const worker = readFileSync(`${SOURCE}/sw.js`, "utf8")
  .replace("FILES_HASH", hash.digest("hex").slice(0, 12))
  .replace("FILES_LIST", JSON.stringify(kept));
writeFileSync("site/sw.js", worker);

const sum = (files) => files.reduce((total, file) => total + gzipped(file), 0);
const found = Object.fromEntries(Object.entries(first).map(([what, files]) => [what, sum(files)]));
found.kernels += Math.max(...binaries.map(gzipped));
const total = Object.values(found).reduce((a, b) => a + b);
if (!isQuiet) {
  for (const name of readdirSync("site").filter((file) => extname(file) !== ""))
    console.log(`  ${name.padEnd(32)} ${gzipped(name)} B gzip`);
  for (const [name, bytes] of Object.entries(found))
    console.log(`  ${name}: ${(bytes / KB).toFixed(1)} KB gzip (budget ${BUDGETS[name] / KB} KB)`);
  console.log(
    `  until the first digit is answered: ${(total / KB).toFixed(1)} KB gzip; LeNet-5 reads ${lenet.percent.toFixed(2)} %`,
  );
}
const over = Object.keys(BUDGETS).filter((name) => found[name] > BUDGETS[name]);
for (const name of over) console.error(`"${name}" is ${found[name] - BUDGETS[name]} B over its size budget`);
if (over.length > 0) process.exitCode = 1;
