// Edge workers: workerd from its own configuration, what wrangler would deploy in Miniflare, and the edge runtime of Vercel.
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARIES } from "../../scripts/packs.mjs";
import { freePort, HANGS_MS, run, Skip, serve } from "../places.mjs";
import { installed, nodeOf, programOf, project, script } from "./project.mjs";

const dist = join(project, "node_modules/lanewise/dist");
const answering = (file) => `import { golden } from "./${file}";
export default { async fetch() { try { return Response.json(await golden()); } catch (e) { return new Response("failed: " + e.stack); } } };
`;
/** Modules are named as the files import them: all of the package in one folder, so that its entries share one core. */
const ENTRIES = { static: "static.js", datasets: "datasets", "onnx-static": "onnx", "vision-static": "vision" };
const OTHERS = new Set(["index.js", "inline.js", "edge-light.js", "onnx.js", "vision.js", "vision-edge-light.js"]);

/** [name, kind, path] of the package as the condition "workerd" gives it. */
function packageModules() {
  writeFileSync(join(project, "lanewise.mjs"), 'export * from "lanewise/static.js";\n');
  const modules = [["lanewise", "esModule", "lanewise.mjs"]];
  const others = new Set([...OTHERS, ...BINARIES.map(({ file }) => `${file}.js`)]);
  for (const file of readdirSync(dist).filter((name) => name.endsWith(".js") && !others.has(name)))
    modules.push([
      `lanewise/${ENTRIES[file.replace(".js", "")] ?? file}`,
      "esModule",
      `node_modules/lanewise/dist/${file}`,
    ]);
  for (const file of readdirSync(join(dist, "wasm")))
    modules.push([`lanewise/wasm/${file}`, "wasm", `node_modules/lanewise/dist/wasm/${file}`]);
  return modules;
}

/** What a worker of these modules answers in workerd, which forbids compiling bytes. */
export async function workerd(modules) {
  const list = modules
    .map(([name, kind, path]) => `(name = ${JSON.stringify(name)}, ${kind} = embed ${JSON.stringify(path)})`)
    .join(",\n    ");
  const port = await freePort();
  const config = join(project, "config.capnp");
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [
    ${list}
  ],
  compatibilityDate = "2026-01-01"
);
`,
  );
  const url = `http://127.0.0.1:${port}/`;
  const binary = programOf("workerd", "../@cloudflare/workerd-linux-64/bin/workerd");
  const { end } = await serve(binary, ["serve", config], { cwd: project, url });
  try {
    const answer = await (await fetch(url, { signal: AbortSignal.timeout(HANGS_MS) })).text();
    if (answer.startsWith("failed: ")) throw new Error(answer);
    return JSON.parse(answer);
  } finally {
    end();
  }
}

/** The entry of other places, as who bundles without the condition has it. */
export function workerdByDefault(file) {
  writeFileSync(join(project, "worker-default.mjs"), answering(file));
  const js = (name, path) => [name, "esModule", path];
  const chunks = readdirSync(dist).filter((name) => name.endsWith(".js") && !/-static|static|edge/.test(name));
  writeFileSync(join(project, "lanewise-default.mjs"), 'export * from "lanewise/index.js";\n');
  return workerd([
    js("worker.mjs", "worker-default.mjs"),
    js(file, file),
    js("lanewise", "lanewise-default.mjs"),
    ...chunks.map((name) => js(`lanewise/${name}`, `node_modules/lanewise/dist/${name}`)),
  ]);
}

function golden() {
  writeFileSync(join(project, "worker.mjs"), answering("golden.mjs"));
  return workerd([
    ...["worker.mjs", "golden.mjs", "fixtures.mjs"].map((name) => [name, "esModule", name]),
    ...packageModules(),
  ]);
}

/** What `wrangler deploy` of a version that this Node runs would upload, in Miniflare. */
async function wrangler(node, ...version) {
  const out = join(project, "deployed");
  rmSync(out, { recursive: true, force: true });
  writeFileSync(join(project, "worker.mjs"), answering("golden.mjs"));
  const folder = installed("wrangler", ...version);
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1", XDG_CONFIG_HOME: project };
  const flags = ["--dry-run", "--outdir", out, "--name", "golden", "--compatibility-date", "2026-01-01"];
  run(node, [join(folder, "bin/wrangler.js"), "deploy", "worker.mjs", ...flags], { cwd: project, env });
  const files = readdirSync(out).filter((name) => /\.(js|wasm)$/.test(name));
  const modules = files
    .sort((a) => (a.endsWith(".js") ? -1 : 1))
    .map((name) => ({
      type: name.endsWith(".js") ? "ESModule" : "CompiledWasm",
      path: join(out, name),
    }));
  const options = { modules, modulesRoot: out, compatibilityDate: "2026-01-01", cf: false };
  writeFileSync(
    join(project, "miniflare.mjs"),
    `import { createRequire } from "node:module";
// Miniflare 5 has other options, and takes those of 4 so.
const { Miniflare, convertV4MiniflareOptions = (options) => options } = createRequire(${JSON.stringify(join(folder, "package.json"))})("miniflare");
const worker = new Miniflare(convertV4MiniflareOptions(${JSON.stringify(options)}));
const answer = await (await worker.dispatchFetch("http://localhost/")).text();
await worker.dispose();
console.log(answer);
`,
  );
  return script(node, [join(project, "miniflare.mjs")], { env });
}

/** A script of one file, evaluated where there is what Vercel's edge has. */
function edgeRuntime() {
  const vm = join(installed("@edge-runtime/vm", "latest", "edge-runtime"), "dist/index.js");
  const esbuild = join(installed("esbuild"), "bin/esbuild");
  if (!existsSync(vm)) throw new Skip("no @edge-runtime/vm");
  writeFileSync(join(project, "edge.mjs"), 'import { golden } from "./golden.mjs";\nglobalThis.answer = golden();\n');
  run(esbuild, ["edge.mjs", "--bundle", "--format=iife", "--outfile=edge.js", "--log-level=error"], { cwd: project });
  writeFileSync(
    join(project, "edge-main.mjs"),
    `import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
const { EdgeVM } = createRequire(import.meta.url)(${JSON.stringify(vm)});
const vm = new EdgeVM();
vm.evaluate(readFileSync("edge.js", "utf8"));
console.log(JSON.stringify(await vm.evaluate("answer")));
`,
  );
  return script(process.execPath, ["edge-main.mjs"]);
}

const ownVariant = process.versions.node.startsWith("20.") ? "simd" : "relaxed";
const versionAt =
  (name, ...more) =>
  () =>
    script(process.execPath, [
      "-p",
      `JSON.stringify(require(${JSON.stringify(join(installed(name, ...more), "package.json"))}).version)`,
    ]);

export const EDGE = [
  { name: "workerd", variant: "relaxed", version: versionAt("workerd"), run: golden, ci: true },
  {
    name: "wrangler deploy --dry-run, in Miniflare",
    variant: "relaxed",
    version: versionAt("wrangler", "4"),
    run: () => wrangler(process.execPath, "4"),
    ci: true,
  },
  // Which Node 20 does not run: npm takes an older one there.
  {
    name: "wrangler, the newest, in Node 24",
    variant: "relaxed",
    version: versionAt("wrangler", "^4.164.0", "wrangler-newest"),
    run: () => wrangler(nodeOf("24"), "^4.164.0", "wrangler-newest"),
  },
  {
    name: "@edge-runtime/vm",
    variant: ownVariant,
    version: versionAt("@edge-runtime/vm", "latest", "edge-runtime"),
    run: edgeRuntime,
    ci: true,
  },
];
