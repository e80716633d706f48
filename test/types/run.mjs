// npm run test:types: the packed declarations as users compile them: consumer.ts, and every block of README and docs as strict
// TypeScript, by every compiler x resolution x lib. TypeScript 7 is at hand; others are installed under .rt (git-ignored) with
// `--all`, and a visible SKIP without; with `--ci` each resolution has one lib in these. Then what judges packages: publint, and where
// installed or with `--all` attw and JSR (of Deno, a dry run); `--judges`: these alone. Needs a build; the last line is
// `N passed, N failed`.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { blocksOf, PAGES, SOURCES } from "../../scripts/doc-blocks.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const isCi = process.argv.includes("--ci");
const isAll = isCi || process.argv.includes("--all");
const isJudged = process.argv.includes("--judges"); // what judges packages alone

/** An npm package under .rt; undefined where it is not at hand and not asked for. */
function installed(name, version) {
  const prefix = join(root, ".rt", [name.replace("/", "-"), ...(version === "latest" ? [] : [version])].join("-"));
  const folder = join(prefix, "node_modules", name);
  if (existsSync(folder)) return folder;
  if (!isAll && !(isJudged && name !== "typescript")) return undefined;
  mkdirSync(prefix, { recursive: true });
  const flags = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", prefix];
  spawnSync("npm", ["install", ...flags, `${name}@${version}`], { stdio: "ignore", timeout: 900_000 });
  return existsSync(folder) ? folder : undefined;
}

const COMPILERS = [
  { name: "TypeScript 7", folder: join(root, "node_modules/typescript") },
  { name: "TypeScript 6", folder: installed("typescript", "6") },
  { name: "TypeScript 5.9", folder: installed("typescript", "5.9") },
];
const RESOLUTIONS = [
  { module: "esnext", moduleResolution: "bundler" },
  { module: "node16", moduleResolution: "node16" },
  { module: "nodenext", moduleResolution: "nodenext" },
];
/** What a program knows beyond the language; has: what blocks of docs may need. */
const LIBS = [
  { lib: ["es2022"], has: [] },
  { lib: ["es2022", "webworker"], has: ["edge"] },
  { lib: ["es2023", "dom", "dom.iterable"], has: ["edge", "browser"] },
];

// --- a bare project with the tarball in it ---

const project = mkdtempSync(join(tmpdir(), "lanewise-types-"));
process.on("exit", () => rmSync(project, { recursive: true, force: true }));
const packed = execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", project], {
  cwd: root,
  encoding: "utf8",
});
const tarball = join(project, packed.trim().split("\n").at(-1));
const installedAt = join(project, "node_modules/lanewise");
mkdirSync(installedAt, { recursive: true });
execFileSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", installedAt]);
for (const name of ["@types/node", "undici-types"])
  cpSync(join(root, "node_modules", name), join(project, "node_modules", name), { recursive: true });
writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
cpSync(join(root, "test/types/consumer.ts"), join(project, "consumer.ts"));
const blocks = [...PAGES, ...SOURCES].flatMap(blocksOf);
for (const [i, { file, line, text }] of blocks.entries())
  writeFileSync(join(project, `block${i}.ts`), `// ${file}:${line}\n${text}\nexport {};\n`);

let passed = 0;
let failed = 0;
function judge(what, { status, stdout, stderr, error }) {
  if (status === 0) passed++;
  else {
    failed++;
    console.log(`FAIL ${what}\n${error ?? `${stdout}${stderr}`}`.trimEnd());
  }
}
const run = (command, args, options = {}) =>
  spawnSync(command, args, { cwd: project, encoding: "utf8", timeout: 900_000, ...options });

/** Compiles files, with declarations checked too where they are none of ours: `types` are those of Node. */
function compile(what, compiler, files, options) {
  const compilerOptions = { strict: true, noEmit: true, target: "es2022", ...options };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  judge(what, run(process.execPath, [join(compiler, "bin/tsc"), "-p", "."]));
}

for (const { name, folder } of isJudged ? [] : COMPILERS) {
  const isNewest = folder === COMPILERS[0].folder;
  if (folder === undefined) {
    console.log(`SKIP ${name}: not under .rt; npm run test:types -- --all installs it`);
    continue;
  }
  for (const [i, resolution] of RESOLUTIONS.entries()) {
    for (const { lib, has } of isCi && !isNewest ? [LIBS[i]] : LIBS) {
      const what = `${name}, ${resolution.moduleResolution}, lib ${lib.join(" ")}`;
      if (!isCi || isNewest) compile(what, folder, ["consumer.ts"], { ...resolution, lib, types: [] });
      compile(`${what}, unchecked indices and exact options`, folder, ["consumer.ts"], {
        ...{ ...resolution, lib, types: [] },
        ...{ noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true },
      });
      const files = blocks.flatMap(({ needs }, n) =>
        needs === undefined || has.includes(needs) ? [`block${n}.ts`] : [],
      );
      compile(`${what}, ${files.length} blocks of docs`, folder, files, {
        ...{ ...resolution, lib, types: ["node"] },
        skipLibCheck: true, // Node's own declarations and a page's are not ours to check
      });
    }
  }
}

// --- what judges packages ---

judge("publint", run(process.execPath, [join(root, "node_modules/publint/src/cli.js"), "run", tarball, "--strict"]));
const attw = installed("@arethetypeswrong/cli", "latest");
if (attw === undefined) console.log("SKIP attw: not under .rt");
else
  judge(
    "attw",
    run(process.execPath, [join(attw, "dist/index.js"), tarball, "--profile", "esm-only", "--format", "ascii"]),
  );
const deno = installed("deno", "latest");
const denoBinary = deno && join(deno, "../@deno/linux-x64-glibc/deno");
if (!denoBinary || !existsSync(denoBinary)) console.log("SKIP JSR: no Deno under .rt");
else {
  execFileSync(process.execPath, [join(root, "scripts/jsr.mjs")]);
  judge("JSR", run(denoBinary, ["publish", "--dry-run", "--allow-dirty"], { cwd: join(root, "build/jsr") }));
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
