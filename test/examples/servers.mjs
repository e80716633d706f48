// Examples that run without a browser: Node, Deno and Bun. Each answers what is wrong, a list of sentences, or throws.
import { existsSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { digitFiles, hugePng, judged, photoFiles } from "./photos.mjs";
import { copyOf, HANGS_MS, hasPhotos, run, Skip, serve, tools } from "./project.mjs";

const post = (url, body) => fetch(url, { method: "POST", body, signal: AbortSignal.timeout(HANGS_MS) });

/** What a server has to answer to files, and to what is none. */
export async function answers(url, files, { most = 413, none = 400 } = {}) {
  const wrong = [];
  const all = await Promise.all(files.map(async (file) => [file, await (await post(url, file.bytes)).json()]));
  for (const [file, answer] of all) wrong.push(...judged(file, answer));
  for (const [what, body, status] of [
    ["text", "no image", [none]],
    ["a header alone", hugePng(), [most]],
    ["an image cut off", files[0].bytes.subarray(0, 60), [400, none]],
  ]) {
    const response = await post(url, body);
    const { error } = await response.json().catch(() => ({}));
    if (!status.includes(response.status) || typeof error !== "string")
      wrong.push(`${what}: expected ${status} with a sentence, got ${response.status} ${error}`);
  }
  const after = await (await post(url, files[0].bytes)).json();
  return [...wrong, ...judged(files[0], after)];
}

const MODULES = ["jpeg-js", "pngjs"];
const CLIENTS = 40;
/** So many crowds, until one is quicker than the server. */
const CROWDS = 200;

/** A request that the server has begun to read: answers what sends its body, and then what comes back. */
function begun(url, body) {
  const headers = { expect: "100-continue", "content-length": body.length };
  const sent = request(url, { method: "POST", headers, agent: false });
  const answer = new Promise((resolve, reject) => {
    sent.on("error", reject);
    sent.on("response", async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      resolve(JSON.parse(text));
    });
  });
  sent.flushHeaders();
  const finish = () => {
    sent.end(body);
    return answer;
  };
  return Promise.race([new Promise((go) => sent.on("continue", () => go(finish))), answer.then(() => finish)]);
}

/** Answers, back-pressure under a queue of two, a worker that dies, and a shutdown that loses nothing. */
async function nodeServer() {
  const folder = copyOf("node-server", { model: "digits", modules: MODULES });
  const files = digitFiles();
  const env = { ...process.env, PORT: "0", WORKERS: "2", QUEUE: "2" };
  const ready = /listening on (\d+), 2 workers/;
  const { url, child, ended } = await serve(process.execPath, ["server.mjs"], { cwd: folder, env, ready });
  const wrong = await answers(`${url}/classify`, files.slice(0, 3), { most: 400 });
  let refusals = 0;
  for (let i = 0; i < CROWDS && refusals === 0 && wrong.length === 0; i++) {
    const crowd = await Promise.all(
      Array.from({ length: CLIENTS }, (_, k) => post(`${url}/classify`, files[k % 2].bytes)),
    );
    const [taken, refused] = [200, 503].map((status) => crowd.filter((response) => response.status === status));
    if (taken.length + refused.length !== CLIENTS || taken.length < 4)
      wrong.push(`of ${CLIENTS} at once ${taken.length} were taken and ${refused.length} refused`);
    if (!refused.every(({ headers }) => headers.get("retry-after") === "1")) wrong.push("a 503 without Retry-After");
    refusals = refused.length;
  }
  if (refusals === 0) wrong.push(`of ${CROWDS} times ${CLIENTS} at once none was refused`);
  const finish = await begun(`${url}/classify`, files[0].bytes);
  child.kill("SIGTERM");
  wrong.push(...judged(files[0], await finish()));
  const how = await Promise.race([ended, new Promise((done) => setTimeout(done, HANGS_MS, "still running").unref())]);
  if (how !== 0) wrong.push(`SIGTERM: expected an end with 0, got ${how}`);
  return wrong;
}

/** Workers that die, by the pool alone. */
async function pool() {
  const folder = copyOf("node-server", {});
  writeFileSync(
    join(folder, "mortal.mjs"),
    `import { parentPort } from "node:worker_threads";
parentPort.on("message", (what) => {
  if (what === "throw") throw new Error("thrown");
  if (what === "exit") process.exit(3);
  parentPort.postMessage(what);
});
parentPort.postMessage("ready");`,
  );
  writeFileSync(
    join(folder, "main.mjs"),
    `import { Worker } from "node:worker_threads";
import { Busy, Pool } from "./pool.mjs";
const how = (job) => job.then(String, (error) => error instanceof Busy ? "busy" : error.message);
const pool = new Pool(() => new Worker(new URL("mortal.mjs", import.meta.url)), { size: 2, waiting: 4 });
await pool.ready;
const jobs = ["throw", "exit", "a", "b", "c", "d", "e"].map((what) => how(pool.run(what)));
const first = await Promise.all(jobs);
const last = [how(pool.run("f")), how(pool.run("g")), how(pool.run("h"))];
await pool.close();
console.log(JSON.stringify([...first, ...(await Promise.all(last)), await how(pool.run("i"))]));`,
  );
  const got = run(process.execPath, ["main.mjs"], { cwd: folder }).trim();
  const expected = JSON.stringify(["thrown", "a worker ended", "a", "b", "c", "d", "busy", "f", "g", "h", "busy"]);
  return got === expected ? [] : [`expected ${expected}, got ${got}`];
}

function program(name, path) {
  const folder = tools(name, name);
  const binary = join(folder, "..", path);
  if (!existsSync(binary)) throw new Skip(`no ${name} binary for this platform`);
  return binary;
}
const deno = () => program("deno", "@deno/linux-x64-glibc/deno");
const bun = () => program("bun", "@oven/bun-linux-x64/bin/bun");

/** A script's line a file: `path label score %, …`. */
function script(command, args, folder, files) {
  for (const { name, bytes } of files) writeFileSync(join(folder, name), bytes);
  const lines = run(command, [...args, ...files.map(({ name }) => name)], { cwd: folder })
    .trim()
    .split("\n");
  return files.flatMap(({ name, label }, i) =>
    lines[i]?.startsWith(`${name} ${label} `) ? [] : [`expected ${name} ${label}, got ${lines[i]}`],
  );
}

const OFFLINE = ["--no-prompt", "--no-remote", "--cached-only", "--node-modules-dir=manual"];

function denoScript() {
  const binary = deno();
  return script(
    binary,
    ["run", ...OFFLINE, "--allow-read=.", "classify.js"],
    copyOf("deno", { model: "digits", modules: MODULES }),
    digitFiles(),
  );
}

async function denoServer() {
  const binary = deno();
  const folder = copyOf("deno", { model: "digits", modules: MODULES });
  const args = ["serve", "--parallel", "--port=0", "--host=127.0.0.1", ...OFFLINE, "--allow-read=.", "server.js"];
  const { url, child } = await serve(binary, args, { cwd: folder, ready: /http:\/\/[\w.]+:(\d+)/ });
  const wrong = await answers(url, digitFiles(), { most: 400 });
  child.kill();
  return wrong;
}

function bunScript() {
  const binary = bun();
  const wrong = script(binary, ["classify.js"], copyOf("bun", { model: "digits", modules: MODULES }), digitFiles());
  if (!hasPhotos()) return wrong;
  return [
    ...wrong,
    ...script(binary, ["classify.js"], copyOf("bun", { model: "photos", modules: MODULES }), photoFiles()),
  ];
}

export const CASES = [
  { name: "node-server", run: nodeServer },
  { name: "node-server, its pool", run: pool },
  { name: "deno, script", run: denoScript },
  { name: "deno, server", run: denoServer },
  { name: "bun", run: bunScript },
];
