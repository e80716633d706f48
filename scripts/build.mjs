// Everything that dist/ needs, from source: generated code, the wasm binaries, JavaScript, types. `--binaries`: the wasm
// only. `--quiet`: no table of sizes, but a progress bar.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { progressBar } from "./progress.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const isQuiet = process.argv.includes("--quiet");
const bar = isQuiet ? progressBar("building", 5) : () => {};
await import("./generate.mjs");
for (const [i, target] of ["debug", "simd", "relaxed"].entries()) {
  bar(i);
  const { error, stderr } = await asc.main(["--target", target]);
  if (error) {
    console.error(stderr.toString());
    process.exit(1);
  }
}
if (!process.argv.includes("--binaries")) {
  rmSync("dist", { recursive: true, force: true });
  rmSync("build/js", { recursive: true, force: true });
  const run = (stdout, name, ...args) =>
    execFileSync(process.execPath, [name, ...args], { stdio: ["inherit", stdout, "inherit"] });
  const bin = (name, ...args) => run("inherit", name, ...args);
  bar(3);
  bin("node_modules/typescript/bin/tsc", "-p", ".", "--declarationDir", "dist/types");
  bar(4);
  run(isQuiet ? "ignore" : "inherit", "node_modules/rollup/dist/bin/rollup", "-c", "--silent");
  mkdirSync("dist/wasm");
  for (const name of ["simd", "relaxed"]) cpSync(`build/wasm/${name}.wasm`, `dist/wasm/${name}.wasm`);
  writeFileSync("dist/wasm-module.d.ts", "declare const module: WebAssembly.Module;\nexport default module;\n");
  // dist/<entry>.d.ts for every entry that is a file or a folder of src
  const types = readdirSync("dist/types", { withFileTypes: true });
  for (const entry of ["index", "static", "edge-light", "datasets", "onnx"]) {
    const folder = types.some((type) => type.isDirectory() && type.name === entry);
    writeFileSync(`dist/${entry}.d.ts`, `export * from "./types/${entry}${folder ? "/index" : ""}.js";\n`);
  }
}
bar(5);
