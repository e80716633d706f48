// The page's first answer in Firefox and WebKitGTK, each started on it without a driver.
import { statSync } from "node:fs";
import { join } from "node:path";
import { findBrowser } from "../../scripts/browsers/launch.mjs";
import { openBrowser } from "../../scripts/browsers/open.mjs";
import { tried } from "../again.mjs";
import { HANGS_MS } from "./harness.mjs";
import { SITE, siteFile } from "./serve.mjs";

/** Runs in the browser: the page in a frame, until it has answered. */
const LOOK = `export default async () => {
  const frame = document.createElement("iframe");
  frame.style.cssText = "width: 1000px; height: 800px";
  frame.src = "/under/here/index.html#conv?u=2&p=1";
  document.body.append(frame);
  const found = (selector) => frame.contentDocument?.querySelector(selector);
  while (!found("#digit .said[data-answer]") || !found("#conv .check[data-same]") || found("#status").textContent.includes("…")) await new Promise((next) => setTimeout(next, 50));
  return { answer: found("#digit .said").dataset.answer, status: found("#status").textContent, ...found("#conv .check").dataset };
};`;

/** KB until the first answer, here as they lie: this server compresses nothing. WebKit tells none of the worker's. */
function fetchedKB(name, variant) {
  const scripts = ["boot", "preact", "page", "engine"].map((chunk) => siteFile(chunk));
  const others = [siteFile("style", "css"), siteFile("digits", "bin"), "index.html"];
  const ofWorker = name === "webkit" ? [] : [siteFile(variant), siteFile("lenet5", "safetensors")];
  return [...scripts, ...others, ...ofWorker].reduce((sum, file) => sum + statSync(join(SITE, file)).size, 0) / 1024;
}
/** Of icons and headers. */
const BESIDE_KB = 3;

/** Answers { passed, failed }. */
export async function otherBrowsers(only) {
  const sum = { passed: 0, failed: 0 };
  for (const [name, variant] of Object.entries({ firefox: "relaxed", webkit: "simd" })) {
    if (!only.test(`in ${name}`)) continue;
    const { missing } = findBrowser(name);
    if (missing) {
      console.log(`SKIP the page in ${name}: no ${missing.join(", ")}`);
      continue;
    }
    const { status, note, facts } = await tried(() => look(name, variant));
    if (status === "ok") sum.passed++;
    else sum.failed++;
    console.log(
      status === "ok" ? `ok      in ${name}: ${facts.said}${note ? `, ${note}` : ""}` : `FAILED  in ${name}: ${note}`,
    );
  }
  return sum;
}

/** In a browser of its own. */
async function look(name, variant) {
  const browser = await openBrowser(name, { timeoutMs: HANGS_MS });
  try {
    const { value } = await browser.ask({
      script: "/look.mjs",
      folders: { "/under/here/": SITE },
      blobs: { "/look.mjs": { type: "text/javascript", body: LOOK } },
    });
    const isRight = value.answer === "7" && value.same === "9" && value.of === "9" && value.status.startsWith(variant);
    const [, said, isPart] = /(\d+) KB(\+?) fetched/.exec(value.status) ?? [];
    const expected = fetchedKB(name, variant);
    const isCounted = Math.abs(said - expected) < BESIDE_KB && (isPart === "+") === (name === "webkit");
    const problems = [
      ...(isRight ? [] : [`got ${JSON.stringify(value)}`]),
      ...(isCounted ? [] : [`expected ${expected.toFixed(0)} KB fetched, got ${value.status}`]),
    ];
    return { problems, said: value.status };
  } finally {
    browser.close();
  }
}
