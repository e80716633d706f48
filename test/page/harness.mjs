// Cases of the page's tests: each has a page of its own in a context of its own, and fails by throwing.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { BROWSERS, CHROMIUM_FLAGS } from "../../scripts/browsers/launch.mjs";
import { tried } from "../again.mjs";
import { serveSite } from "./serve.mjs";

const cases = [];
/** site: what serveSite() takes, refuses: a policy that the page runs into; context: what newContext() takes; init: runs in the page before its own scripts. */
export function test(name, options, run) {
  cases.push({ name, options, run });
}

export function same(got, expected, what = "it") {
  const [a, b] = [got, expected].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`"${what}" expected ${b}, got ${a}`);
}
export function holds(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

/** Of a case, and of one thing that it waits for: many times what any takes, on a machine that has other things to do. */
export const HANGS_MS = 600_000;
const STEP_MS = 180_000;

/** The page, ready: all sections are there. */
export async function ready(page, url) {
  await page.goto(url);
  await page.waitForSelector("html[data-ready]");
}

/** Until a service worker has the page, and all its files in the cache of that name. waitForFunction() would take its promise for a yes. */
export async function kept(page, name) {
  const isKept = async (given) => {
    const cache = given ?? (await caches.keys())[0];
    if (!cache || !(await caches.has(cache))) return false;
    const count = (await (await caches.open(cache)).keys()).length; // none, or all
    const { installing, waiting, active } = (await navigator.serviceWorker.getRegistration()) ?? {};
    return (
      count > 0 && !installing && !waiting && active?.state === "activated" && !!navigator.serviceWorker.controller
    );
  };
  while (!(await page.evaluate(isKept, name))) await page.waitForTimeout(50);
}

/** Until what was done last has come to the page, and is drawn. */
export const painted = (page) =>
  page.evaluate(() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(() => next()))));

/** Until the page's address has this hash, a text or a pattern: it is written when nothing changes any more. */
export const addressed = (page, hash) =>
  page.waitForURL((url) => (typeof hash === "string" ? url.hash === hash : hash.test(url.hash)));

async function runOne(browser, { options, run }) {
  const { site, context: given, init } = options;
  const served = await serveSite(site);
  const context = await browser.newContext({
    viewport: { width: 1000, height: 800 },
    serviceWorkers: "block",
    ...given,
  });
  context.setDefaultTimeout(STEP_MS);
  const failures = [];
  try {
    if (init) await context.addInitScript(init);
    const page = await context.newPage();
    page.on("console", (message) => {
      if (/Content Security Policy/.test(message.text()) && !site?.refuses) failures.push(message.text());
    });
    page.on("pageerror", ({ message }) => failures.push(message));
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no end within ${HANGS_MS / 1000} s`)), HANGS_MS);
    });
    await Promise.race([run({ page, context, served, url: served.url }), late]).finally(() => clearTimeout(timer));
    if (failures.length > 0) throw new Error(`uncaught in the page: ${failures.join("; ")}`);
  } finally {
    await context.close();
    served.close();
  }
}

/** Runs all cases whose name matches; answers { passed, failed }. */
export async function runAll(only) {
  const executablePath = BROWSERS.chromium.programs.find((path) => existsSync(path));
  if (!executablePath) {
    console.log(`SKIP the page in Chromium: no ${BROWSERS.chromium.programs[0]}`);
    return { passed: 0, failed: 0 };
  }
  const fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]; // a camera
  const args = [...CHROMIUM_FLAGS.filter((flag) => flag !== "--headless"), ...fake];
  let browser;
  const close = async () => {
    await browser?.close().catch(() => {}); // it may be gone
    browser = undefined;
  };
  let [passed, failed] = [0, 0];
  for (const one of cases.filter(({ name }) => only.test(name))) {
    const start = performance.now();
    const attempt = async () => {
      browser ??= await chromium.launch({ executablePath, args, timeout: STEP_MS });
      await runOne(browser, one);
      return { problems: [] };
    };
    const { status, note } = await tried(attempt, { renew: close, messageOf: ({ stack }) => stack });
    const seconds = `(${((performance.now() - start) / 1000).toFixed(1)} s)`;
    if (status === "ok") passed++;
    else failed++;
    console.log(
      status === "ok" ? `ok      ${one.name} ${seconds}${note ? `, ${note}` : ""}` : `FAILED  ${one.name}: ${note}`,
    );
  }
  await close();
  return { passed, failed };
}
