// A new build of the site under an open page: what the page loads late comes from its own build or not at all.
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { holds, kept, ready, same, test } from "./harness.mjs";
import { onnxFile } from "./onnx.mjs";
import { SITE } from "./serve.mjs";

const HASHED = /-(\w{8})\.(?:js|css|bin|safetensors)$/;
const NETWORK = onnxFile({
  inputs: [{ name: "x", shape: [1, 8] }],
  nodes: [["Relu", ["x"], "y"]],
  outputs: [{ name: "y", shape: [1, 8] }],
});

/** site/ as it would be had every file changed: all hashes are others. */
function anotherBuild() {
  const folder = mkdtempSync(join(tmpdir(), "lanewise-site-"));
  cpSync(SITE, folder, { recursive: true });
  const files = readdirSync(folder);
  const hashes = files.flatMap((file) => HASHED.exec(file)?.[1] ?? []);
  const renamed = (text) => hashes.reduce((all, hash) => all.replaceAll(hash, `${hash.slice(1)}0`), text);
  for (const file of files) {
    if (/\.(js|css|html)$/.test(file)) {
      const text = renamed(readFileSync(join(folder, file), "utf8"));
      // The service worker's cache is named by all bytes.
      writeFileSync(
        join(folder, file),
        file === "sw.js" ? text.replace(/"lanewise-[\w-]+"/, '"lanewise-another"') : text,
      );
    }
    if (HASHED.test(file)) renameSync(join(folder, file), join(folder, renamed(file)));
  }
  return folder;
}

const drop = (page) => page.locator("#file-model").setInputFiles({ name: "mine.onnx", mimeType: "", buffer: NETWORK });
const opened = (page) => page.waitForSelector("#model .opened[data-nodes='1']");

test("builds: a part that is gone is no other build's; a reload cures it", {}, async ({ page, url, served }) => {
  const folder = anotherBuild();
  try {
    await ready(page, url);
    served.deploy(folder);
    served.requests.length = 0;
    await drop(page);
    await page
      .locator("#model .refusal", { hasText: /"model-\w{8}\.js" expected a file beside this page, got none.*reload/ })
      .waitFor();
    same(
      served.requests.map(({ pathname }) => pathname),
      [],
      "what the old page got of the new build",
    );
    await page.goto("about:blank");
    await ready(page, `${url}?2`); // this browser may keep the page itself for ten minutes
    await drop(page);
    await opened(page);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("builds: a tab goes on with what is kept of its own build, the next one has the new", {
  context: { serviceWorkers: "allow" },
}, async ({ page, context, url, served }) => {
  const folder = anotherBuild();
  try {
    await ready(page, url);
    await kept(page);
    await drop(page); // its parts are kept from here on
    await opened(page);
    const old = await context.newPage();
    await ready(old, url);
    served.deploy(folder);
    served.requests.length = 0;
    await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update()); // which the browser does within a day
    await kept(page, "lanewise-another");
    await drop(old);
    await opened(old);
    const got = () => served.requests.map(({ pathname }) => pathname.slice(pathname.lastIndexOf("/") + 1));
    holds(!got().some((name) => /^model-/.test(name)), `the old tab asked the new build for ${got()}`);
    await ready(page, url);
    same(
      await page.locator('script[src^="boot-"]').getAttribute("src"),
      readdirSync(folder).find((name) => /^boot-/.test(name)),
    );
    await drop(page);
    await opened(page);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
