// Serves site/ as a static host does: under a sub-path, gzipped, with a policy, cross-origin isolated where asked.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { ISOLATED } from "../../scripts/browsers/open.mjs";

export const SITE = fileURLToPath(new URL("../../site/", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};
export const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

/** The file of site/ that is a part of the page by name, its bytes' hash left out. */
export const siteFile = (name, type = "js") =>
  readdirSync(SITE).find((file) => new RegExp(`^${name}-\\w{8}\\.${type}$`).test(file));

/**
 * { origin, url, requests, deploy(folder), close }. path: where the site is; policy: a Content-Security-Policy; isolated: threads are possible;
 * mbit: megabits a second that a response takes; more: URL path -> bytes that are served beside; requests: paths that were asked for, with the bytes sent.
 */
export async function serveSite({ path = "/some/where/", policy = POLICY, isolated = false, more = {}, mbit } = {}) {
  const requests = [];
  let folder = SITE;
  const packed = new Map();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const name = pathname.startsWith(path) ? pathname.slice(path.length) || "index.html" : "";
    const file = join(folder, name);
    const isThere = name !== "" && file.startsWith(folder) && existsSync(file) && statSync(file).isFile();
    if (!isThere && !more[pathname]) return response.writeHead(404).end();
    const key = isThere ? file : pathname;
    if (!packed.has(key)) packed.set(key, gzipSync(isThere ? readFileSync(file) : more[pathname], { level: 9 }));
    const body = packed.get(key);
    requests.push({ pathname, bytes: body.length });
    const send = () => {
      response.writeHead(200, {
        "content-type": TYPES[extname(pathname) || ".html"] ?? "application/octet-stream",
        "content-encoding": "gzip",
        "content-length": body.length,
        "cache-control": "max-age=600",
        ...(policy && { "content-security-policy": policy }),
        ...(isolated && ISOLATED),
      });
      response.end(body);
    };
    return mbit ? setTimeout(send, (body.length * 8) / mbit / 1000) : send();
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    url: origin + path,
    requests,
    /** Serves another build from now on. */
    deploy(other) {
      folder = other;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
