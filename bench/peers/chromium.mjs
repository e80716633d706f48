// Headless Chromium as one more engine of the comparison: serves the project's files to page.mjs.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, resolve } from "node:path";
import { BROWSERS, CHROMIUM_FLAGS } from "../../scripts/browsers/launch.mjs";

const ROOT = new URL("../../", import.meta.url).pathname;
const { programs: BINARIES } = BROWSERS.chromium;
const TYPES = { ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm" };
const IMPORTS = {
  lanewise: "/dist/index.js",
  tinybench: "/node_modules/tinybench/dist/index.js",
  flatbuffers: "/bench/peers/node_modules/flatbuffers/mjs/flatbuffers.js",
  "@litertjs/core": "/bench/peers/node_modules/@litertjs/core/dist/index.js",
  "@litertjs/wasm-utils": "/bench/peers/node_modules/@litertjs/wasm-utils/dist/index.js",
};
const PAGE = `<!doctype html><body><script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module" src="/bench/peers/page.mjs"></script>`;

/** An engine as run.mjs takes it: { name, ask, close }; undefined, and said so, where there is no Chromium. */
export async function openChromium() {
  const executablePath = BINARIES.find((path) => existsSync(path));
  if (executablePath === undefined) {
    console.error(
      `SKIPPED: LiteRT.js, because there is no Chromium (${BINARIES.join(", ")}; apt-get install chromium)`,
    );
    return undefined;
  }
  const { chromium } = await import("playwright-core");
  const server = await serve();
  const browser = await chromium.launch({ executablePath, headless: true, args: CHROMIUM_FLAGS });
  const close = async () => {
    await browser.close();
    server.close();
  };
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page
      .waitForFunction(() => globalThis.compare !== undefined)
      .catch((error) => {
        throw new Error([...errors, error.message].join("; "));
      });
    return {
      name: "chromium",
      version: browser.version(),
      ask: (message) => page.evaluate((one) => globalThis.compare(one), message),
      close,
    };
  } catch (error) {
    console.error(`SKIPPED: LiteRT.js, because its page fails: ${error.message}`);
    await close();
    return undefined;
  }
}

/** Isolated, because only then the page's clock steps by 5 us instead of 100. */
function serve() {
  const headers = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/") return response.writeHead(200, { ...headers, "content-type": "text/html" }).end(PAGE);
    const path = resolve(ROOT, `.${decodeURIComponent(pathname)}`);
    if (!path.startsWith(ROOT) || !existsSync(path)) return response.writeHead(404).end();
    response.writeHead(200, { ...headers, "content-type": TYPES[extname(path)] ?? "application/octet-stream" });
    createReadStream(path).pipe(response);
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}
