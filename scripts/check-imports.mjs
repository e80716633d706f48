// Who may know whom: holds the imports of src/ to one table, from the bottom layer to the top. A file may import its own
// layer and those below it, but for what `without` names. Also: kernels of assembly/ share helpers but never know each other,
// only simd.ts says `relaxed_`, and the test reference imports nothing, so that it shares no bug.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** `import … from "x"`, `export … from "x"`, `import "x"` and `import("x")`, of files of our own. */
const IMPORT = /\b(?:from|import)\s*\(?\s*"(\.[^"]*)"/g;

/**
 * From the bottom up; a layer is a folder, and may import those before it. `without`: layers below that it has no business
 * with. Files at the top of src are entries: they import anything, and only the command line imports them, which knows entries only.
 */
const LAYERS = [
  { name: "base" },
  { name: "kernels" },
  { name: "engine" },
  { name: "plan" },
  { name: "ops" },
  { name: "runtime" },
  { name: "threads" },
  { name: "model", without: ["threads"] },
  { name: "datasets", without: ["kernels", "engine", "plan", "ops", "runtime", "threads", "model"] },
  { name: "onnx", without: ["threads", "datasets"] },
  { name: "vision", without: ["threads", "datasets", "onnx"] },
  { name: "quantiser", without: ["threads", "datasets", "vision"] },
  { name: "entries" },
  { name: "cli" },
];

const layerOf = (file) =>
  LAYERS.findIndex(({ name }) => name === (file.includes("/") ? file.split("/")[0] : "entries"));

/** Most lines of a file: beyond them it has more than one job. */
const MOST_LINES = 400;

const problems = [];
const checkLength = (file, text) => {
  const lines = text.split("\n").length - 1;
  const isWritten = !/(^|\/)gen\//.test(file);
  if (isWritten && lines > MOST_LINES) problems.push(`${file} has ${lines} lines, more than ${MOST_LINES}`);
};
const sources = readdirSync(join(root, "src"), { recursive: true }).filter(
  (file) => file.endsWith(".ts") && !file.endsWith(".d.ts"),
);
let imports = 0;
for (const file of sources) {
  const from = layerOf(file);
  if (from < 0) problems.push(`src/${file} belongs to no layer`);
  const text = readFileSync(join(root, "src", file), "utf8");
  checkLength(`src/${file}`, text);
  for (const [, target] of text.matchAll(IMPORT)) {
    if (!target.endsWith(".js")) continue; // a .wasm binary
    imports++;
    const to = relative(root, join(root, dirname(join("src", file)), target))
      .replace(/^src\//, "")
      .replace(/\.js$/, ".ts");
    const layer = layerOf(to);
    const isOutside = LAYERS[from]?.name === "cli" && LAYERS[layer]?.name !== "cli" && !/(^|\/)index\.ts$/.test(to);
    if (isOutside) problems.push(`src/${file} (cli) imports src/${to}, which is no entry`);
    if (layer > from || LAYERS[from]?.without?.includes(LAYERS[layer]?.name)) {
      problems.push(`src/${file} (${LAYERS[from]?.name}) imports src/${to} (${LAYERS[layer]?.name})`);
    }
  }
}

/**
 * Rooms of assembly/ and those they may import. `abi` is what plans know, too; `lib` is what several kernels use; a kernel knows
 * no other kernel; a pack is a list of kernels.
 */
const ROOMS = {
  abi: ["abi"],
  gen: ["abi", "lib"],
  lib: ["abi", "gen", "lib"],
  kernels: ["abi", "lib"],
  packs: ["gen", "kernels", "lib"],
  crew: [],
};
const kernels = readdirSync(join(root, "assembly"), { recursive: true }).filter((file) => file.endsWith(".ts"));
for (const file of kernels) {
  const text = readFileSync(join(root, "assembly", file), "utf8");
  checkLength(`assembly/${file}`, text);
  const room = dirname(file);
  if (ROOMS[room] === undefined) problems.push(`assembly/${file} is in no room`);
  if (file !== "lib/simd.ts" && /\brelaxed_/.test(text)) problems.push(`assembly/${file} says relaxed_`);
  for (const [, target] of text.matchAll(IMPORT)) {
    imports++;
    const to = join(room, target);
    if (!ROOMS[room]?.includes(dirname(to))) problems.push(`assembly/${file} imports assembly/${to}`);
  }
}
if (/\bfrom "|\bimport\(/.test(readFileSync(join(root, "test/reference.ts"), "utf8")))
  problems.push("test/reference.ts imports something");
if (imports < 50) problems.push(`only ${imports} imports were read`);
for (const problem of problems) console.error(problem);
console.log(`${sources.length + kernels.length} files, ${imports} imports, ${problems.length} across layers`);
process.exitCode = problems.length > 0 ? 1 : 0;
