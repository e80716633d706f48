// A browser that is asked one page after another: the page runs a module of ours and posts what its default export answers; the
// server keeps that request open and answers it with the next page.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, resolve } from "node:path";
import { launch, versionOf } from "./launch.mjs";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

/** What makes a page cross-origin isolated. */
export const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/** As a module of its own, so that a page with a Content-Security-Policy runs it. */
const AGENT = `const failure = (error) => ({ failure: String(error?.stack && !error.stack.includes(error.message) ? error.message + " " + error.stack : error?.stack ?? error) });
const script = new URL(import.meta.url).searchParams.get("script");
let answer;
try {
  const { default: run } = await import(script);
  answer = { value: await run((line) => fetch("/~log", { method: "POST", body: String(line) })) };
} catch (error) {
  answer = failure(error);
}
const response = await fetch("/~answer", { method: "POST", body: JSON.stringify({ ...answer }) });
location.replace(await response.text());
`;

/** A page that runs a module, with an import map where one is given. */
function pageOf(script, imports) {
  const map = imports ? `<script type="importmap">${JSON.stringify({ imports })}</script>` : "";
  return `<!doctype html><meta charset="utf-8">${map}<body><script type="module" src="/~agent.mjs?script=${encodeURIComponent(script)}"></script>`;
}

/**
 * Starts a browser. ask() shows it a page and answers what the page's module did:
 * - folders: URL prefix -> folder whose files are served, the longest prefix first
 * - script: URL of the module whose default export is run, with a function that logs a line
 * - imports: an import map; html: a whole page in its place, which loads /~agent.mjs?script=URL itself
 * - headers: of the page and of every file; blobs: URL -> { type?, body }
 * - through: origin of a server that has what is not here; what it sent is in `bodies`, by URL
 * - answer(pathname): asked first, { status?, type?, body, headers? } or undefined for what is served otherwise
 * A page that fails, or answers nothing in timeoutMs, is an Error with what it logged; the browser is gone after the latter.
 */
export async function openBrowser(name, { env = {}, timeoutMs = 300_000 } = {}) {
  let current; // what is asked now
  let waiting; // the response that the last page waits for
  let asked = 0;
  const log = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const headers = { "cache-control": "no-store", ...current?.headers };
    const send = (status, type, body) => response.writeHead(status, { ...headers, "content-type": type }).end(body);
    const own = current?.answer?.(pathname);
    if (own) {
      response.writeHead(own.status ?? 200, { ...headers, "content-type": own.type ?? "text/plain", ...own.headers });
      return response.end(own.body);
    }
    if (request.method === "POST") return void bodyOf(request).then((body) => taken(pathname, body, response));
    if (pathname === "/~agent.mjs") return send(200, TYPES[".mjs"], AGENT);
    if (current === undefined) return send(404, "text/plain", "");
    if (pathname.startsWith("/~page"))
      return send(200, TYPES[".html"], current.html ?? pageOf(current.script, current.imports));
    const blob = current.blobs?.[pathname];
    if (blob) return send(200, blob.type ?? TYPES[extname(pathname)] ?? "application/octet-stream", blob.body);
    const file = fileOf(current.folders ?? {}, decodeURIComponent(pathname));
    current.seen.push(pathname);
    if (file === undefined && current.through) return void forward(request, response, current);
    if (file === undefined) return send(404, "text/plain", "");
    response.writeHead(200, { ...headers, "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
    return createReadStream(file).pipe(response);
  });
  function taken(pathname, body, response) {
    if (pathname === "/~log") {
      log.push(body);
      return response.end();
    }
    if (pathname !== "/~answer" || current === undefined) return response.writeHead(404).end();
    waiting = response;
    return current.answered(JSON.parse(body));
  }
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const origin = `http://127.0.0.1:${server.address().port}`;
  let process;
  const close = () => {
    process?.end();
    server.closeAllConnections();
    server.close();
  };
  return {
    name,
    origin,
    version: versionOf(name),
    /** Of a process that the browser started; undefined before the first page. */
    get pid() {
      return process?.pid;
    },
    close,
    async ask(request, { timeoutMs: limit = timeoutMs } = {}) {
      const url = `${origin}/~page${++asked}`;
      log.length = 0;
      let timer;
      const answer = new Promise((resolve, reject) => {
        current = { ...request, seen: [], bodies: new Map(), answered: resolve };
        timer = setTimeout(() => reject(new Error(`no answer within ${limit / 1000} s`)), limit);
        if (process === undefined) process = launch(name, url, env);
        else waiting.end(url);
        process.ended.then((how) => reject(new Error(`${name} ended: ${how}\n${process.output()}`)));
      });
      try {
        const { value, failure } = await answer;
        if (failure !== undefined) throw new Error(failure);
        return { value, seen: current.seen, bodies: current.bodies, log: [...log] };
      } catch (error) {
        error.message = [error.message, ...log].join("\n");
        if (waiting?.writableEnded !== false) close();
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Of another server, in our origin. */
async function forward({ url, headers: asked }, response, { through, headers, bodies }) {
  const { host, connection, "accept-encoding": encoding, ...others } = asked;
  try {
    const got = await fetch(through + url, { headers: others });
    const body = Buffer.from(await got.arrayBuffer());
    bodies.set(url, body);
    response.writeHead(got.status, { ...headers, "content-type": got.headers.get("content-type") ?? "" }).end(body);
  } catch (error) {
    response.writeHead(502).end(String(error));
  }
}

async function bodyOf(request) {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  return body;
}

function fileOf(folders, pathname) {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  for (const prefix of prefixes) {
    if (!pathname.startsWith(prefix)) continue;
    const folder = resolve(folders[prefix]);
    const file = join(folder, pathname.slice(prefix.length));
    if (file.startsWith(folder) && existsSync(file) && statSync(file).isFile()) return file;
  }
  return undefined;
}
