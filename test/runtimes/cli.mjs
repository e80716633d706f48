// npm run test:cli: packs the project as it is built, installs the tarball into a folder with a space in its name, and runs the command
// line there as npx, bunx and Deno do. Runtimes are those that test:runtimes has installed; what is not there is skipped, visibly.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tried } from "../again.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const project = mkdtempSync(join(tmpdir(), "lanewise cli "));
process.on("exit", () => rmSync(project, { recursive: true, force: true }));

function run(command, args, cwd = project) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 600_000 });
  return { code: status, out: stdout ?? "", err: (stderr ?? "") + (error ? String(error) : "") };
}

const packed = run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", project], root);
const tarball = packed.out.trim().split("\n").at(-1);
writeFileSync(join(project, "package.json"), JSON.stringify({ name: "scratch", private: true, type: "module" }));
const installed = run("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", join(project, tarball)]);
if (installed.code !== 0) throw new Error(`${packed.err}${installed.err}`);

cpSync(join(root, "test/conformance/models/residual-float.onnx"), join(project, "my model.onnx"));
cpSync(join(root, "examples/photos/chelsea.jpg"), join(project, "my photo.jpg"));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const runtime = (name, path) => {
  const binary = join(root, ".rt", name, "node_modules", path);
  const onPath = spawnSync(name, ["--version"]).status === 0 ? name : undefined;
  return existsSync(binary) ? binary : onPath;
};
const bun = runtime("bun", "@oven/bun-linux-x64/bin/bun");
const deno = runtime("deno", "@deno/linux-x64-glibc/deno");
const WAYS = [
  ["npx", "npx", ["--offline", "lanewise"]],
  ["node_modules/.bin", join(project, "node_modules/.bin/lanewise"), []],
  ["bunx", bun, ["x", "--bun", "lanewise"]],
  [
    "deno run -R -W npm:lanewise",
    deno,
    ["run", "-R", "-W", "--node-modules-dir=manual", "--no-prompt", "npm:lanewise"],
  ],
];

/** What every way has to do; answers what is wrong. */
function problems(command, first) {
  const found = [];
  const check = (what, ok, ran) => {
    if (!ok) found.push(`${what}: ${ran.code} ${ran.out.slice(0, 200)} ${ran.err.slice(0, 600)}`);
  };
  const says = (...args) => run(command, [...first, ...args]);
  const shown = says("--version");
  check("--version", shown.code === 0 && shown.out.startsWith(`lanewise ${version}\n`), shown);
  const inspected = says("inspect", "my model.onnx", "--json", "--svg", "my arena.svg");
  check("inspect", inspected.code === 0 && JSON.parse(inspected.out || "{}").plan?.macs > 0, inspected);
  check("a drawing", existsSync(join(project, "my arena.svg")), inspected);
  const ran = says(
    "run",
    "my model.onnx",
    "--image",
    "my photo.jpg",
    "--preset",
    "unit",
    "--variant",
    "simd",
    "--json",
  );
  check("run", ran.code === 0 && JSON.parse(ran.out || "{}").width === 451, ran);
  const refused = says("inspect", "none.onnx");
  check("a refusal", refused.code === 4 && /^(error: )?.*nothing by that name\n/.test(refused.err), refused);
  rmSync(join(project, "my arena.svg"), { force: true });
  return { found, answer: ran.code === 0 ? JSON.stringify({ ...JSON.parse(ran.out), ms: 0 }) : "" };
}

let [passed, failed] = [0, 0];
let expected;
for (const [name, command, first] of WAYS) {
  if (command === undefined) {
    console.log(`SKIP ${name}: not installed (npm run test:runtimes installs it)`);
    continue;
  }
  const start = performance.now();
  const { status, note, facts } = await tried(() => {
    const { found, answer } = problems(command, first);
    if (expected !== undefined && answer !== expected)
      found.push(`answers: ${answer.slice(0, 300)}, ${WAYS[0][0]} has ${expected.slice(0, 300)}`);
    return { problems: found, answer };
  });
  if (status === "ok") expected ??= facts.answer;
  if (status === "ok") passed++;
  else failed++;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${status.padEnd(4)} ${name} (${seconds} s)${note ? `${status === "ok" ? ", " : ": "}${note}` : ""}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
