// npm run bench:worker: the Cloudflare Worker of examples/cloudflare-worker, as wrangler would send it, on workerd here. A fresh process and
// its first answer (--starts N, 10), one request after another, then so many at a time from connections that ask again as soon as they are
// answered (--at 200, --seconds 8): waiting times, answers a second, CPU, memory. --model digits|photos (default: both), --json FILE; --builds FOLDER keeps what wrangler made, and takes what is there.
// Client and workerd share this machine's cores. What can't be had is a visible SKIP.
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { digitFiles, judged, photoFiles } from "../test/examples/photos.mjs";
import { hasPhotos, run, Skip } from "../test/examples/project.mjs";
import { buildWorker, serveWorker } from "../test/examples/workerd.mjs";
import { machine, writeResults } from "./machine.mjs";
import { workerTable } from "./worker-table.mjs";

const { values: flags } = parseArgs({
  options: {
    model: { type: "string" },
    starts: { type: "string", default: "10" },
    at: { type: "string", default: "200" },
    seconds: { type: "string", default: "8" },
    json: { type: "string" },
    builds: { type: "string" },
  },
});
const [starts, atOnce, seconds] = [flags.starts, flags.at, flags.seconds].map(Number);
/** Between two new connections: a queue of the system's holds some 100 that were not taken yet, and resets others. */
const STEP_MS = 4;
/** One after another, of which the first are not counted. */
const [WARM, ALONE] = [40, 150];

const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
/** Connections that workerd closed before it read a request: it does, where its loop comes to one 5 s late. Asked again, as clients do. */
let asked = 0;

/** Posts a file; answers milliseconds. A wrong answer ends the bench. */
async function post(url, file) {
  const start = performance.now();
  for (;;) {
    try {
      const { status, body } = await once(url, file);
      const wrong = status === 200 ? judged(file, JSON.parse(body)) : [`${status} ${body}`];
      if (wrong.length > 0) throw new Error(wrong[0]);
      return performance.now() - start;
    } catch (error) {
      if (error.code !== "ECONNRESET" || !error.reused) throw error;
      asked++;
    }
  }
}

function once(url, { bytes }) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", agent, headers: { "content-length": bytes.length } }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
      response.on("error", reject);
    });
    sent.on("error", (error) => reject(Object.assign(error, { reused: sent.reusedSocket })));
    sent.end(bytes);
  });
}

/** The share-th of sorted values. */
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
const sorted = (values) => Float64Array.from(values).sort();

/** Fresh processes, one after another. */
async function cold(build, file) {
  const all = { start: [], first: [], second: [] };
  for (let i = 0; i < starts; i++) {
    const served = await serveWorker(build);
    all.start.push(served.startMs);
    all.first.push(await post(served.url, file));
    all.second.push(await post(served.url, file));
    await served.stop();
  }
  const median = (values) => at(sorted(values), 0.5);
  return { startMs: median(all.start), firstMs: median(all.first), secondMs: median(all.second) };
}

/** What CPU and answers are between two moments. */
async function counted(served, act) {
  const [cpu, start] = [served.cpuMs(), performance.now()];
  const times = sorted(await act());
  const [wallMs, cpuMs] = [performance.now() - start, served.cpuMs() - cpu];
  return {
    requests: times.length,
    p50: at(times, 0.5),
    p99: at(times, 0.99),
    most: times.at(-1),
    perSecond: (1000 * times.length) / wallMs,
    cpuMs: cpuMs / times.length,
  };
}

/** What wrangler makes, or made before. */
function built(model) {
  if (flags.builds === undefined) return buildWorker(model);
  const folder = resolve(flags.builds, model);
  const note = join(folder, "built.json");
  if (!existsSync(note)) {
    const made = buildWorker(model);
    cpSync(made.folder, folder, { recursive: true });
    writeFileSync(note, JSON.stringify({ ...made, folder, binary: made.binary.replace(made.folder, folder) }));
  }
  return JSON.parse(readFileSync(note, "utf8"));
}

async function measured(build, model, files) {
  const { startMs, firstMs, secondMs } = await cold(build, files[0]);
  const served = await serveWorker(build);
  const idleMB = served.rssMB();
  try {
    for (let i = 0; i < WARM; i++) await post(served.url, files[i % files.length]);
    const alone = await counted(served, async () => {
      const times = [];
      for (let i = 0; i < ALONE; i++) times.push(await post(served.url, files[i % files.length]));
      return times;
    });
    const warmMB = served.rssMB();
    const before = asked;
    const crowd = await counted(served, async () => {
      const times = [];
      const until = performance.now() + 1000 * seconds;
      const client = async (n) => {
        await new Promise((done) => setTimeout(done, n * STEP_MS));
        for (let i = n; performance.now() < until; i++) times.push(await post(served.url, files[i % files.length]));
      };
      await Promise.all(Array.from({ length: atOnce }, (_, n) => client(n)));
      return times;
    });
    const { bytes, gzipBytes } = build;
    const again = asked - before;
    const memory = { idleMB, warmMB, peakMB: served.peakMB() };
    return { model, bytes, gzipBytes, startMs, firstMs, secondMs, alone, atOnce, crowd, again, ...memory };
  } finally {
    await served.stop();
  }
}

/** What a process of workerd holds with a worker that does nothing. */
async function emptyMB(build) {
  writeFileSync(join(build.folder, "out/empty.js"), "export default { fetch: () => new Response() };\n");
  const served = await serveWorker({ ...build, files: ["empty.js"] });
  await (await fetch(served.url)).text();
  const megabytes = served.rssMB();
  await served.stop();
  return megabytes;
}

const MODELS = { digits: () => digitFiles(), photos: () => photoFiles() };
const rows = [];
let versions;
let empty;
for (const [model, files] of Object.entries(MODELS)) {
  if ((flags.model ?? model) !== model) continue;
  try {
    if (model === "photos" && !hasPhotos()) throw new Skip("no shufflenet-v2-12-int8.onnx");
    const build = built(model);
    const row = await measured(build, model, files());
    rows.push(row);
    empty ??= await emptyMB(build);
    versions ??= { workerd: run(build.binary, ["--version"]).trim().replace("workerd ", "") };
    console.log(`${model}: ${row.alone.requests} alone, ${row.crowd.requests} at ${atOnce} a time, all right`);
  } catch (error) {
    if (!(error instanceof Skip)) throw error;
    console.log(`SKIPPED: ${model} (${error.message})`);
  }
}
agent.destroy();
if (rows.length > 0) {
  const results = { versions, emptyMB: empty, seconds, rows };
  console.log(workerTable({ ...results, machine: machine() }));
  console.log(writeResults("worker", results, flags.json));
}
