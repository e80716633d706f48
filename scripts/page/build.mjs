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

const versioned = {
  name: "versioned",
  transform: (code, id) => (/\/build\/page\//.test(id) ? code.replace(/\bVERSION\b/g, JSON.stringify(version)) : null),
};

async function bundle() {
  const built = await rollup({
    input: { boot: "build/page/boot.js", page: "build/page/main.js", engine: "build/page/engine/worker.js" },
    treeshake: { moduleSideEffects: (id) => !id.includes("/build/js/") },
    plugins: [resolved, versioned, ...packagePlugins, terser({ module: true, compress: { ecma: 2022, passes: 2 } })],
  });
  const { output } = await built.write({
    dir: "site",
    format: "es",
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    hoistTransitiveImports: false,
    manualChunks: (id) => (/node_modules\/(preact|@preact)/.test(id) ? "preact" : undefined),
  });
  return output.filter((file) => file.type === "chunk");
}

/** Where the classifier of section 2 may lie; a site without it asks for one to be dropped. */
const CLASSIFIER = "shufflenet-v2-12-int8.onnx";
const classifier = ["examples/models", "../shared/data/models"]
  .map((folder) => join(folder, CLASSIFIER))
  .find((path) => existsSync(path));

const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** index.html with its snippets, which a test runs, and what is known since they were built. */
function html({ percent }) {
  const snippet = (name) => {
    const code = escaped(readFileSync(`${SOURCE}/code/${name}.mjs`, "utf8").trim());
    const listing = `<pre tabindex="0" role="region" aria-label="Code of ${name}"><code>${code}</code></pre><button type="button" class="copy">copy</button>`;
    return `<details class="code"><summary>show the code</summary><div class="listing">${listing}</div></details>`;
  };
  return readFileSync(`${SOURCE}/index.html`, "utf8")
    .replace(/<!-- code:(\w+) -->/g, (_, name) => snippet(name))
    .replace("<!-- accuracy -->", `${percent.toFixed(2)} %`)
    .replace("<!-- version -->", version)
    .replace(
      '<section id="photo">',
      classifier
        ? `<section id="photo" data-classifier="${CLASSIFIER}" data-bytes="${statSync(classifier).size}">`
        : '<section id="photo">',
    );
}

/** All that a chunk imports, and what those do. */
function reach(chunks, names, seen = new Set()) {
  for (const name of names) {
    const chunk = chunks.find(({ fileName }) => fileName === name);
    if (!chunk || seen.has(name)) continue;
    seen.add(name);
    reach(chunks, chunk.imports, seen);
  }
  return seen;
}

const gzipped = (name) => gzipSync(readFileSync(join("site", name)), { level: 9 }).length;

/** { kernels, weights, page }: bytes until the first digit is answered. */
function sizes(chunks) {
  const sum = (names) => [...names].reduce((total, name) => total + gzipped(name), 0);
  const engine = reach(chunks, ["engine.js"]);
  return {
    kernels: sum(engine) + Math.max(gzipped("simd.js"), gzipped("relaxed.js")),
    weights: gzipped("lenet5.safetensors"),
    page: sum(reach(chunks, ["page.js"])) + sum(["index.html", "style.css", "icon.svg", "digits.bin"]),
  };
}

rmSync("build/page", { recursive: true, force: true });
rmSync("site", { recursive: true, force: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", `${SOURCE}/tsconfig.json`], {
  stdio: "inherit",
});
const chunks = await bundle();
mkdirSync("site", { recursive: true });
const { weights, digits, percent } = await lenetAssets(root);
writeFileSync("site/lenet5.safetensors", weights);
writeFileSync("site/digits.bin", digits);
writeFileSync("site/index.html", html({ percent }));
const styles = STYLES.map((name) => readFileSync(`${SOURCE}/style/${name}.css`, "utf8"));
writeFileSync("site/style.css", styles.join("\n").replace(/\n\s*/g, "\n"));
cpSync(`${SOURCE}/icon.svg`, "site/icon.svg");
cpSync("examples/photos/chelsea.jpg", "site/chelsea.jpg");
if (classifier) cpSync(classifier, `site/${CLASSIFIER}`);
const first = [...reach(chunks, ["page.js", "engine.js"]), "simd.js", "relaxed.js"];
const kept = ["./", "style.css", "icon.svg", "lenet5.safetensors", "digits.bin", ...first];
const hash = createHash("sha256");
for (const file of readdirSync("site").sort()) hash.update(readFileSync(join("site", file)));
const worker = readFileSync(`${SOURCE}/sw.js`, "utf8")
  .replace("FILES_HASH", hash.digest("hex").slice(0, 12))
  .replace("FILES_LIST", JSON.stringify(kept));
writeFileSync("site/sw.js", worker);

const found = sizes(chunks);
const total = Object.values(found).reduce((a, b) => a + b);
if (!isQuiet) {
  for (const name of readdirSync("site").filter((file) => extname(file) !== ""))
    console.log(`  ${name.padEnd(24)} ${gzipped(name)} B gzip`);
  for (const [name, bytes] of Object.entries(found))
    console.log(`  ${name}: ${(bytes / KB).toFixed(1)} KB gzip (budget ${BUDGETS[name] / KB} KB)`);
  console.log(
    `  until the first digit is answered: ${(total / KB).toFixed(1)} KB gzip; LeNet-5 reads ${percent.toFixed(2)} %`,
  );
}
const over = Object.keys(BUDGETS).filter((name) => found[name] > BUDGETS[name]);
for (const name of over) console.error(`"${name}" is ${found[name] - BUDGETS[name]} B over its size budget`);
if (over.length > 0) process.exitCode = 1;
