// The Cloudflare Worker on workerd: what `wrangler deploy` would send, served here. bench/worker.mjs measures with it, too.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { digitFiles, judged, photoFiles } from "./photos.mjs";
import { copyOf, hasPhotos, run, Skip, serve } from "./project.mjs";
import { answers } from "./servers.mjs";

/** Kernel's clock ticks a second, of /proc/PID/stat. */
const TICKS = 100;

/** What wrangler makes of the example: { folder, bytes, gzipBytes } of all that is sent. */
export function buildWorker(model) {
  const folder = copyOf("cloudflare-worker", { model, npm: true });
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1", XDG_CONFIG_HOME: folder };
  run("npx", ["wrangler", "deploy", "--dry-run", "--minify", "--outdir", "out"], { cwd: folder, env });
  const files = readdirSync(join(folder, "out")).filter((name) => /\.(js|wasm|onnx)$/.test(name));
  const all = files.map((name) => readFileSync(join(folder, "out", name)));
  const sum = (sizes) => sizes.reduce((a, b) => a + b, 0);
  const binary = join(folder, "node_modules/@cloudflare/workerd-linux-64/bin/workerd");
  if (!existsSync(binary)) throw new Skip("no workerd binary for this platform");
  return {
    folder,
    files,
    binary,
    bytes: sum(all.map((file) => file.length)),
    gzipBytes: sum(all.map((file) => gzipSync(file).length)),
  };
}

const KINDS = { js: "esModule", wasm: "wasm", onnx: "data" };

/** Serves a built worker: { url, startMs, cpuMs(), rssMB(), peakMB(), stop() }; startMs from nothing to a port that listens. */
export async function serveWorker({ folder, files, binary }) {
  const modules = [...files]
    .sort((a, b) => Number(b === "index.js") - Number(a === "index.js")) // the first is the entry
    .map((name) => `(name = "${name}", ${KINDS[name.split(".").at(-1)]} = embed "out/${name}")`);
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [${modules.join(", ")}],
  compatibilityDate = "2026-01-01"
);
`,
  );
  const start = performance.now();
  const args = ["serve", "--control-fd=1", "config.capnp"];
  const { url, child, ended } = await serve(binary, args, { cwd: folder, ready: /"port":(\d+)/ });
  const startMs = performance.now() - start;
  const status = (key) =>
    Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))[1]) / 1024;
  return {
    url,
    startMs,
    /** Of all its threads, since its start. */
    cpuMs() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1].split(" ");
      return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
    },
    rssMB: () => status("VmRSS"),
    peakMB: () => status("VmHWM"),
    stop() {
      child.kill();
      return ended;
    },
  };
}

const WARM = 40;

/** Answers of one model, and what a request costs: a note. */
async function worker(model, files) {
  const built = buildWorker(model);
  const served = await serveWorker(built);
  try {
    const wrong = await answers(served.url, files, { none: 415 });
    const { status } = await fetch(served.url);
    if (status !== 405) wrong.push(`GET: expected 405, got ${status}`);
    const post = async (i) => {
      const file = files[i % files.length];
      const answer = await fetch(served.url, { method: "POST", body: file.bytes });
      wrong.push(...judged(file, await answer.json()));
    };
    for (let i = 0; i < WARM; i++) await post(i);
    const before = served.cpuMs();
    for (let i = 0; i < WARM; i++) await post(i);
    const cpu = (served.cpuMs() - before) / WARM;
    const note = `${(built.bytes / 1024).toFixed(0)} KB sent, ${(built.gzipBytes / 1024).toFixed(0)} gzipped; ${cpu.toFixed(1)} ms of CPU a request, ${served.peakMB().toFixed(0)} MB`;
    return { wrong, note };
  } finally {
    await served.stop();
  }
}

function photoWorker() {
  if (!hasPhotos()) throw new Skip("no shufflenet-v2-12-int8.onnx in examples/models or ../shared/data/models");
  return worker("photos", photoFiles());
}

export const CASES = [
  { name: "cloudflare-worker, digits", run: () => worker("digits", digitFiles()) },
  { name: "cloudflare-worker, photos", run: photoWorker },
];
