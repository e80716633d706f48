// Everything that dist/ needs, from source: generated code, the wasm binaries, JavaScript, types. `--binaries`: the wasm
// only. `--quiet`: no table of sizes, but a progress bar.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { ordered } from "./order.mjs";
import { BINARIES, binaryName, CREW, PACKS } from "./packs.mjs";
import { progressBar } from "./progress.mjs";
import { trimTypes } from "./trim-types.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const isQuiet = process.argv.includes("--quiet");

// One after the other in one process: the compiler is warm then, and three processes took twice its time.
const TARGETS = ["debug", "simd", "relaxed"];
const jobs = TARGETS.flatMap((target) =>
  PACKS.filter(({ variants }) => target === "debug" || variants.includes(target)).map(({ name, entry }) => {
    return [entry, "--target", target, "--outFile", `build/wasm/${binaryName(name, target)}.wasm`];
  }),
);
// Before the packs: what the compiler is set to last is what these are put in order with.
jobs.unshift([CREW.entry, "--target", "crew", "--outFile", `build/wasm/${CREW.file}.wasm`]);
const bar = isQuiet ? progressBar("building", jobs.length + 2) : () => {};
await import("./generate.mjs");
for (const [i, job] of jobs.entries()) {
  bar(i);
  const { error, stderr } = await asc.main(job);
  if (error) {
    console.error(stderr.toString());
    process.exit(1);
  }
}
for (const { file } of BINARIES) {
  const path = `build/wasm/${file}.wasm`;
  writeFileSync(path, ordered(readFileSync(path)));
}
if (!process.argv.includes("--binaries")) {
  rmSync("dist", { recursive: true, force: true });
  rmSync("build/js", { recursive: true, force: true });
  rmSync("build/types", { recursive: true, force: true });
  const run = (stdout, name, ...args) =>
    execFileSync(process.execPath, [name, ...args], { stdio: ["inherit", stdout, "inherit"] });
  const bin = (name, ...args) => run("inherit", name, ...args);
  bar(jobs.length);
  bin("node_modules/typescript/bin/tsc", "-p", "."); // declarations: all in build/types, for the page; dist/types: what entries reach
  cpSync("build/types", "dist/types", { recursive: true });
  bin("node_modules/typescript/bin/tsc", "-p", "tsconfig.cli.json"); // with Node's types, which the package does not know
  bar(jobs.length + 1);
  run(isQuiet ? "ignore" : "inherit", "node_modules/rollup/dist/bin/rollup", "-c", "--silent");
  mkdirSync("dist/wasm");
  for (const { file } of BINARIES) cpSync(`build/wasm/${file}.wasm`, `dist/wasm/${file}.wasm`);
  writeFileSync(
    "dist/wasm-module.d.ts",
    'import type { WasmModule } from "./types/base/globals.js";\ndeclare const module: WasmModule;\nexport default module;\n',
  );
  writeFileSync("dist/worker.d.ts", "export {};\n");
  // dist/<entry>.d.ts for every entry that is a file or a folder of src
  const types = readdirSync("dist/types", { withFileTypes: true });
  for (const entry of ["index", "static", "edge-light", "inline", "datasets", "onnx", "vision", "quantize"]) {
    const folder = types.some((type) => type.isDirectory() && type.name === entry);
    const line = `export * from "./types/${entry}${folder ? "/index" : ""}.js";\n`;
    // For Symbol.dispose, which programs of lib es2022 do not know.
    writeFileSync(`dist/${entry}.d.ts`, `/// <reference lib="esnext.disposable" />\n${line}`);
  }
  const isDeclaration = (file) => file.endsWith(".d.ts");
  const files = readdirSync("dist/types", { recursive: true }).map((file) => `types/${file.replaceAll("\\", "/")}`);
  trimTypes("dist", readdirSync("dist").filter(isDeclaration), files.filter(isDeclaration));
  // Resolvers that know no "exports" (Parcel as it comes, older webpack, Jest and TypeScript) look for a folder of the entry's name.
  for (const [name, { types, default: main }] of Object.entries(
    JSON.parse(readFileSync("package.json", "utf8")).exports,
  )) {
    if (!/^\.(\/[a-z-]+)+$/.test(name)) continue;
    const from = (file) => posix.relative(name, file);
    mkdirSync(name, { recursive: true });
    const folder = { type: "module", main: from(main), types: from(types) };
    writeFileSync(`${name}/package.json`, `${JSON.stringify(folder)}\n`);
  }
}
bar(jobs.length + 2);
