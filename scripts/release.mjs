// npm run release -- --dry-run: all that has to be true before the package is published, each in a line: a clean tree, the version in the
// changelog, two builds with the same bytes, a tarball of what belongs there and nothing else, sizes, what judges packages; then the
// command that publishes, which runs without --dry-run only. --kept: takes the build that is there for the first of the two.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { table } from "../bench/table.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { values: flags } = parseArgs({
  options: { "dry-run": { type: "boolean", default: false }, kept: { type: "boolean", default: false } },
});
const isDry = flags["dry-run"];
const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const scratch = mkdtempSync(join(tmpdir(), "lanewise-release-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const run = (command, ...args) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 2 ** 26 }).trim();

let failed = 0;
let passed = 0;
/** A line for what holds, or for each thing that does not. */
function check(what, problems) {
  if (problems.length === 0) passed++;
  failed += problems.length;
  console.log(problems.length === 0 ? `ok ${what}` : problems.map((one) => `FAIL ${what}: ${one}`).join("\n"));
}
const note = (text) => console.log(`note: ${text}`);

// --- what is released ---

const changes = run("git", "status", "--porcelain");
check("a clean tree", changes ? [`${changes.split("\n").length} files differ from the last commit`] : []);

const { version, name } = manifest;
const [, heading, state] = /^## (\S+)(?: \((.*)\))?$/m.exec(readFileSync("CHANGELOG.md", "utf8")) ?? [];
const isDated = /^\d{4}-\d\d-\d\d$/.test(state);
const unreleased = isDry && state === "unreleased";
if (unreleased) note(`CHANGELOG.md has ${version} as unreleased: it takes a date`);
check("the version in CHANGELOG.md", [
  ...(heading === version ? [] : [`its first heading expected ${version}, got ${heading}`]),
  ...(isDated || unreleased ? [] : [`"${heading}" expected a date, got ${state}`]),
]);
const tag = `v${version}`;
check("a tag that is new", run("git", "tag", "--list", tag) ? [`${tag} is there already`] : []);

const wanted = [
  "name",
  "version",
  "description",
  "keywords",
  "license",
  "type",
  "engines",
  "files",
  "main",
  "types",
  "exports",
];
check("metadata", [
  ...wanted.filter((field) => manifest[field] === undefined).map((field) => `package.json expected ${field}, got none`),
  ...Object.keys(manifest.dependencies ?? {}).map((one) => `${one} is a dependency: there are none`),
  ...["preinstall", "install", "postinstall"]
    .filter((one) => manifest.scripts[one])
    .map((one) => `${one} runs at users'`),
]);
const addresses = ["repository", "homepage", "bugs"].filter((field) => manifest[field] === undefined);
if (addresses.length > 0) note(`package.json has no ${addresses.join(", ")}; npm's provenance asks for the repository`);
if (!isDry) check("a repository for the provenance", manifest.repository ? [] : ["package.json has none"]);

// --- two builds ---

const filesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
const hashes = () =>
  new Map(filesOf("dist").map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]));
/** Ends here where it fails: there is nothing to look at. */
function build() {
  const { status } = spawnSync(process.execPath, ["scripts/build.mjs", "--quiet"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status === 0) return;
  console.log(`FAIL the build: it ended with ${status}\n${passed} passed, ${failed + 1} failed`);
  process.exit(1);
}
if (!flags.kept) build();
const first = hashes();
build();
const second = hashes();
const differing = [...new Set([...first.keys(), ...second.keys()])].filter(
  (file) => first.get(file) !== second.get(file),
);
check(
  `two builds with the same ${second.size} files`,
  differing.map((file) => `${file} differs`),
);

// --- the tarball ---

const [packed] = JSON.parse(run("npm", "pack", "--json", "--ignore-scripts", "--pack-destination", scratch));
const tarball = join(scratch, packed.filename);
run("tar", "-xzf", tarball, "-C", scratch);
const paths = packed.files.map(({ path }) => path);
const folders = Object.keys(manifest.exports).filter((entry) => /^\.(\/[a-z-]+)+$/.test(entry));
const BELONGS = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md|dist\/THIRD-PARTY(-CLI)?\.txt)$/,
  /^dist\/[a-z0-9-]+\.(js|d\.ts)$/,
  /^dist\/wasm\/[a-z0-9-]+\.wasm$/,
  /^dist\/types\/[a-z0-9/-]+\.d\.ts$/,
  new RegExp(`^(${folders.map((entry) => entry.slice(2)).join("|")})/package\\.json$`),
];
const programs = Object.values(manifest.bin ?? {}).map((path) => path.replace(/^\.\//, ""));
const needed = [
  ...programs,
  ...["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "dist/THIRD-PARTY.txt", "dist/THIRD-PARTY-CLI.txt"],
  ...folders.map((entry) => `${entry.slice(2)}/package.json`),
  ...Object.values(manifest.exports)
    .flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)))
    .map((target) => target.slice(2)),
];
const holds = (path) =>
  path.includes("*") ? paths.some((one) => one.endsWith(path.split("*")[1])) : paths.includes(path);
check(`${paths.length} files that belong into the tarball`, [
  ...paths
    .filter((path) => !programs.includes(path) && !BELONGS.some((rule) => rule.test(path)))
    .map((path) => `${path} is there`),
  ...needed.filter((path) => !holds(path)).map((path) => `${path} is missing`),
]);

/** Chunks that an entry leads to, by import, export and import(). */
const reached = new Set();
function reach(file) {
  if (reached.has(file)) return;
  reached.add(file);
  const text = readFileSync(join(scratch, "package/dist", file), "utf8");
  for (const [, next] of text.matchAll(/(?:from|import)\s*\(?\s*"\.\/([\w-]+\.js)"/g)) reach(next);
}
for (const path of needed.filter((one) => /^dist\/[\w-]+\.js$/.test(one))) reach(path.slice(5));
const chunks = paths.flatMap((path) => /^dist\/([\w-]+\.js)$/.exec(path)?.[1] ?? []);
check(
  "every chunk is led to",
  chunks.filter((file) => !reached.has(file)).map((file) => `dist/${file} is not`),
);

const PRIVATE = [process.cwd(), homedir(), "sourceMappingURL", "file://"];
check(
  "no source maps, no folders of this machine",
  paths.flatMap((path) => {
    const text = readFileSync(join(scratch, "package", path), "latin1");
    return PRIVATE.filter((one) => one !== "/" && text.includes(one)).map((one) => `${path} has ${one}`);
  }),
);

// --- sizes ---

const { scenarios } = JSON.parse(readFileSync("dist/sizes.json", "utf8"));
const kb = (bytes) => (bytes / 1024).toFixed(1);
const sizes = scenarios.map(({ name: scenario, bytes, files }) => [scenario, kb(bytes), kb(files)]);
console.log(`\n${table(["KB gzip", "by a bundler", "file by file"], sizes)}\n`);
console.log(`tarball ${kb(packed.size)} KB, installed ${kb(packed.unpackedSize)} KB, ${paths.length} files\n`);

// --- what judges packages ---

const judged = spawnSync(process.execPath, ["test/types/run.mjs", "--judges"], { encoding: "utf8" });
console.log(judged.stdout.trim().replace(/^(?=.)/gm, "  "));
check("publint, attw, JSR", judged.status === 0 ? [] : ["see above"]);

const command = ["publish", tarball, "--provenance", "--access", "public"];
console.log(`\nnpm ${command.join(" ").replace(tarball, packed.filename)}${isDry ? " (not run)" : ""}`);
if (failed === 0 && !isDry) {
  const { status } = spawnSync("npm", command, { stdio: "inherit" });
  check(`${name} ${version} is published`, status === 0 ? [] : [`npm publish ended with ${status}`]);
  if (status === 0) note(`git tag ${tag} && git push origin ${tag}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
