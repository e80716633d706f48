// Node, Deno and Bun, from the installed files, from what their own bundlers make of them, and as programs of one file.
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, Skip } from "../places.mjs";
import { installed, nodeOf, programOf, project, script } from "./project.mjs";

const main = join(project, "main.mjs");
const ownVariant = process.versions.node.startsWith("20.") ? "simd" : "relaxed";

const deno = () => programOf("deno", "../@deno/linux-x64-glibc/deno");
const bun = () => programOf("bun", "../@oven/bun-linux-x64/bin/bun");
const versionOf = (binary, ...args) => /\d+\.\d+\.\d+/.exec(run(binary, ["--version", ...args]))[0];

/** Only ECMAScript and WebAssembly. */
export function bare(file = "golden.mjs", ...flags) {
  const dist = join(project, "node_modules/lanewise/dist");
  const names = {
    lanewise: "index",
    "lanewise/datasets": "datasets",
    "lanewise/onnx": "onnx",
    "lanewise/vision": "vision",
  };
  const map = Object.entries(names).map(([name, to]) => `${name}=${join(dist, `${to}.js`)}`);
  const options = ["--experimental-vm-modules", "--no-warnings"];
  return script(process.execPath, [...options, join(project, "bare.mjs"), join(project, file), ...flags, ...map]);
}

/** What Deno makes of main.mjs. It fetches its bundler from npm, and its compiler's half from elsewhere, which is not done here. */
function denoMade([command, ...flags], made, start) {
  const binary = deno();
  rmSync(join(project, made), { force: true });
  const offline = { HTTPS_PROXY: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9" };
  try {
    const env = { ...process.env, NO_COLOR: "1", ...(command === "compile" && offline) };
    run(binary, [command, ...flags, "--output", made, "main.mjs"], { cwd: project, env });
  } catch (error) {
    const download = /Download (http\S+)/.exec(error.stderr ?? "")?.[1];
    if (download) throw new Skip(`deno ${command} fetches ${download}`);
    throw error;
  }
  if (!existsSync(join(project, made))) throw new Error(`deno ${command} wrote nothing`);
  return start(binary);
}

/** After lockdown() of SES intrinsics are frozen, and those that it does not know are gone. */
function locked() {
  const ses = join(installed("ses"), "dist/ses.mjs");
  writeFileSync(
    join(project, "locked.mjs"),
    `import ${JSON.stringify(ses)};
lockdown();
const { golden } = await import("./golden.mjs");
console.log(JSON.stringify(await golden()));
`,
  );
  return script(process.execPath, [join(project, "locked.mjs")]);
}

/** run() answers golden()'s results; threads: of three that are asked for. */
export const HOSTS = [
  {
    name: "Node as it runs here",
    version: () => process.versions.node,
    variant: ownVariant,
    threads: 3,
    run: () => script(process.execPath, [main]),
    ci: true,
  },
  {
    name: "Node, require()",
    version: () => process.versions.node,
    variant: ownVariant,
    threads: 3,
    run: () => script(process.execPath, [join(project, "main.cjs")]),
    ci: true,
  },
  { name: "a bare context of node:vm", variant: ownVariant, run: () => bare(), ci: true },
  { name: "Node after lockdown() of SES", variant: ownVariant, threads: 3, run: locked },
  ...[
    ["22", "node22"],
    ["24", "node24"],
    ["latest", "node-latest"],
  ].map(([version, folder]) => ({
    name: version === "latest" ? "Node, the newest" : `Node ${version}`,
    version: () => versionOf(nodeOf(version, folder)),
    variant: "relaxed",
    threads: 3,
    run: () => script(nodeOf(version, folder), [main]),
    ci: version === "24",
  })),
  // It may read its own files, and start no worker.
  {
    name: "Node 24, --permission",
    version: () => versionOf(nodeOf("24")),
    variant: "relaxed",
    why: /^no worker could be started: Access to this API has been restricted/,
    run: () => script(nodeOf("24"), ["--permission", `--allow-fs-read=${project}`, main]),
    ci: true,
  },
  {
    name: "Deno, no permissions",
    version: () => versionOf(deno()),
    variant: "relaxed",
    threads: 3,
    run: () => script(deno(), ["run", "--no-prompt", "--no-remote", "--cached-only", main]),
    ci: true,
  },
  {
    name: "deno bundle",
    version: () => versionOf(deno()),
    variant: "relaxed",
    threads: 3,
    run: () =>
      denoMade(["bundle"], "deno-bundle.mjs", (binary) =>
        script(binary, ["run", "--no-prompt", "--no-remote", "deno-bundle.mjs"]),
      ),
  },
  {
    name: "deno compile",
    version: () => versionOf(deno()),
    variant: "relaxed",
    threads: 3,
    run: () => denoMade(["compile", "--no-remote"], "deno-program", () => script(join(project, "deno-program"), [])),
  },
  {
    name: "Bun",
    version: () => versionOf(bun()),
    variant: "simd", // relaxed multiply-add is not fused there
    threads: 3,
    run: () => script(bun(), [main]),
    ci: true,
  },
  {
    name: "bun build --compile",
    version: () => versionOf(bun()),
    variant: "simd",
    threads: 3,
    run() {
      run(bun(), ["build", "--compile", main, "--outfile", join(project, "bun-program")], { cwd: project });
      return script(join(project, "bun-program"), []);
    },
  },
];
