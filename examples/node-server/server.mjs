// node server.mjs: POST an image to /classify. One runtime a worker thread, so that requests are computed side by side, on all cores.
// SIGTERM: no new requests, those that are there are answered, then it ends.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { Busy, Pool } from "./pool.mjs";

const { PORT = 8080, WORKERS = availableParallelism(), QUEUE = 8 * WORKERS } = process.env;
const MOST_BYTES = 8e6;

const here = (name) => new URL(name, import.meta.url);
const workerData = { file: readFileSync(here("model.onnx")), ...JSON.parse(readFileSync(here("model.json"))) };
const pool = new Pool(() => new Worker(here("worker.mjs"), { workerData }), {
  size: Number(WORKERS),
  waiting: Number(QUEUE),
});

/** The body, or undefined when it is more than so many bytes. */
async function bodyOf(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MOST_BYTES) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

async function answer(request) {
  if (request.url !== "/classify") return { status: 404, error: "POST an image to /classify" };
  if (request.method !== "POST") return { status: 405, error: "POST an image" };
  const body = await bodyOf(request);
  if (body === undefined) return { status: 413, error: `expected at most ${MOST_BYTES} bytes` };
  return pool.run(body);
}

const server = createServer(async (request, response) => {
  let result;
  try {
    result = await answer(request);
  } catch (error) {
    if (response.destroyed) return;
    if (!(error instanceof Busy)) console.error(error);
    const isBusy = error instanceof Busy;
    result = { status: isBusy ? 503 : 500, error: isBusy ? "busy: try again" : "it went wrong" };
  }
  const { status = 200, ...body } = result;
  const headers = { "content-type": "application/json", ...(status === 503 && { "retry-after": "1" }) };
  // What is left of a body that nobody reads ends with the connection.
  if (!request.complete) headers.connection = "close";
  response.writeHead(status, headers).end(JSON.stringify(body));
});

for (const signal of ["SIGTERM", "SIGINT"])
  process.once(signal, async () => {
    server.close();
    server.closeIdleConnections();
    await once(server, "close");
    await pool.close();
  });

await pool.ready;
server.listen(Number(PORT), () => console.log(`listening on ${server.address().port}, ${WORKERS} workers`));
