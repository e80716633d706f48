// Where the page may come to be: engines without some SIMD, no worker, little memory, no network, isolated, other directions and sizes.
import { readFileSync } from "node:fs";
import { holds, kept, ready, same, test } from "./harness.mjs";
import { POLICY } from "./serve.mjs";

const AXE = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const SECTIONS = ["digit", "photo", "conv", "methods", "nets", "model", "report"];

const status = (page) => page.locator("#status").textContent();
const answered = (page) => page.waitForSelector("#digit .said[data-answer='7']");

/** The engine's script with a line before it. */
async function before(page, code) {
  await page.route("**/engine-*.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${code}\n${await response.text()}` });
  });
}

test("hosts: the address's section comes into view, and stays there when one above it grows", {
  context: { reducedMotion: "reduce", viewport: { width: 360, height: 640 } },
  site: { mbit: 4 },
}, async ({ page, url }) => {
  await ready(page, `${url}#model`);
  await page.waitForSelector("#nets table");
  await page.waitForFunction(() => Math.abs(document.querySelector("#model").getBoundingClientRect().top - 72) < 8); // below the header
});

test("hosts: no relaxed SIMD, then none at all", {}, async ({ page, context, url }) => {
  // f32x4.relaxed_madd is 0xfd 0x85 0x02.
  await before(
    page,
    "const all = WebAssembly.validate; WebAssembly.validate = (bytes) => !/253,133,2/.test(new Uint8Array(bytes).join()) && all(bytes);",
  );
  await ready(page, url);
  await answered(page);
  holds((await status(page)).startsWith("simd"), await status(page));
  same(await page.locator("dl.report dd", { hasText: "the engine has no relaxed SIMD" }).count(), 1);
  const other = await context.newPage();
  await before(other, "WebAssembly.validate = () => false;");
  await ready(other, url);
  const sentence = '"engine" expected WebAssembly SIMD, got an engine without it';
  await other.locator("#digit .refusal", { hasText: sentence }).waitFor();
  same(await status(other), sentence);
  await other.getByRole("button", { name: "Other numbers" }).click(); // the definition is still there
  await other.locator("#conv .refusal", { hasText: sentence }).waitFor();
});

/** Counts what the page's own thread makes of WebAssembly; workers have none of this. */
const counting = () => {
  globalThis.made = 0;
  for (const name of ["compile", "instantiate", "compileStreaming", "instantiateStreaming"]) {
    const own = WebAssembly[name];
    WebAssembly[name] = (...given) => {
      globalThis.made++;
      return own(...given);
    };
  }
  for (const name of ["Module", "Instance"])
    WebAssembly[name] = new Proxy(WebAssembly[name], {
      construct(type, given) {
        globalThis.made++;
        return Reflect.construct(type, given);
      },
    });
};
const madeBy = (page) => page.evaluate(() => globalThis.made);

test("hosts: all that computes is in the worker: the page's own thread has no kernel", { init: counting }, async ({
  page,
  url,
}) => {
  const { onnxFile } = await import("./onnx.mjs");
  await ready(page, `${url}#methods?c=8&m=8&h=16`);
  await answered(page);
  await page.getByRole("button", { name: "Measure on this device" }).click();
  await page.waitForSelector("#methods .wow");
  await page.waitForSelector("#conv .check[data-same]");
  const [inputs, outputs] = [[{ name: "x", shape: [1, 4] }], [{ name: "y", shape: [1, 4] }]];
  const buffer = onnxFile({ inputs, nodes: [["Relu", ["x"], "y"]], outputs });
  await page.locator("#file-model").setInputFiles({ name: "relu.onnx", mimeType: "", buffer });
  await page.getByRole("button", { name: "Time its layers here" }).click();
  await page.waitForSelector("#model [data-microseconds]");
  same(await madeBy(page), 0, "modules and instances of the page's own thread");
});

const noWorker = { policy: `${POLICY}; worker-src 'none'`, refuses: true };
test("hosts: a page that may have no worker computes by itself, and says so", {
  site: noWorker,
  init: counting,
}, async ({ page, url }) => {
  await ready(page, url);
  await answered(page);
  holds((await status(page)).includes("without a worker"), await status(page));
  same(await page.locator("dl.report dd", { hasText: "the page itself: a worker was refused" }).count(), 1);
  holds((await madeBy(page)) > 0, "its own thread has kernels");
});

test("hosts: 64 MB of memory are enough for all but a large network, which is refused", {}, async ({ page, url }) => {
  const { onnxFile } = await import("./onnx.mjs");
  await ready(page, `${url}?maxBytes=67108864#methods?c=128&m=128&h=28`);
  await answered(page);
  await page.getByRole("button", { name: "Measure on this device" }).click();
  await page.waitForSelector("#methods .wow");
  const shape = [1, 1, 4096, 8192];
  const buffer = onnxFile({
    inputs: [{ name: "x", shape }],
    nodes: [["Relu", ["x"], "y"]],
    outputs: [{ name: "y", shape }],
  });
  await page.locator("#file-model").setInputFiles({ name: "large.onnx", mimeType: "", buffer });
  await page
    .locator("#model .refusal", { hasText: "67108864" })
    .or(page.locator("#model .refusal", { hasText: "67,108,864" }))
    .waitFor();
});

test("hosts: isolated, it has a row with threads", { site: { isolated: true } }, async ({ page, url }) => {
  await ready(page, `${url}#methods?c=32&m=32&h=32`);
  if ((await page.evaluate(() => navigator.hardwareConcurrency)) < 2) return console.log("SKIP threads: one core");
  await page.getByRole("button", { name: "Measure on this device" }).click();
  await page.waitForSelector("#methods .wow");
  const row = page.locator("table.methods tr", { hasText: "The fastest, all threads" });
  holds(/\((\d+)\)/.test(await row.locator("th").textContent()), "how many threads ran");
  holds(Number(await row.locator("[data-ms]").getAttribute("data-ms")) > 0, "a time with threads");
});

test("hosts: offline after the first visit, under a sub-path", { context: { serviceWorkers: "allow" } }, async ({
  page,
  context,
  url,
}) => {
  await ready(page, url);
  await answered(page);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
  await kept(page);
  await context.setOffline(true);
  await page.reload();
  await page.waitForSelector("html[data-ready]");
  await answered(page);
  await page.goto(`${url}#nets?net=lenet5`);
  await context.setOffline(false);
});

for (const colorScheme of ["light", "dark"])
  for (const width of [360, 1280])
    test(`looks: axe finds nothing, ${colorScheme}, ${width} wide`, {
      context: { colorScheme, viewport: { width, height: 640 }, bypassCSP: true },
    }, async ({ page, url }) => {
      await ready(page, `${url}#conv?c=2&m=2&p=1`);
      await answered(page);
      await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
      await page.addScriptTag({ content: AXE });
      const violations = () =>
        page.evaluate(async () => {
          const found = await globalThis.axe.run(document, { resultTypes: ["violations"] });
          return found.violations.map(
            ({ id, nodes }) =>
              `${id}: ${nodes.slice(0, 3).map(({ target, failureSummary }) => `${target} (${failureSummary})`)}`,
          );
        });
      same(await violations(), [], "axe");
      await page.getByRole("radio", { name: "batch norm" }).check();
      await page.getByRole("application", { name: /^Numbers of each channel/ }).click();
      await page.getByRole("spinbutton", { name: / of channel / }).waitFor();
      same(await violations(), [], "axe, batch norm");
    });

/** What stands out of the page at its sides, but for what scrolls in itself. */
const overflow = (page) =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth <= clientWidth ? 0 : scrollWidth - clientWidth;
  });

test("looks: nothing stands out at 360, at 200 % zoom, from right to left; as links say", {
  context: { viewport: { width: 360, height: 640 }, reducedMotion: "reduce" },
}, async ({ page, url }) => {
  await ready(page, `${url}#conv?h=12&w=12&p=4&c=4&m=4`);
  await answered(page);
  same(await overflow(page), 0, "360 wide");
  await page.evaluate(() => {
    document.documentElement.dir = "rtl";
  });
  same(await overflow(page), 0, "360 wide, right to left");
  await page.setViewportSize({ width: 640, height: 400 }); // 1280 x 800 at 200 %
  same(await overflow(page), 0, "200 %, right to left");
  await page.evaluate(() => {
    document.documentElement.dir = "ltr";
  });
  same(await overflow(page), 0, "200 %");
  await page.evaluate(() => {
    const link = '<a class="docs" href="docs/index.html">Documentation</a>'; // as npm run docs:site puts it in
    if (!document.querySelector(".top .docs")) document.querySelector(".top nav").insertAdjacentHTML("afterend", link);
  });
  for (const width of [660, 768, 920, 940]) {
    await page.setViewportSize({ width, height: 640 });
    same(await overflow(page), 0, `${width} wide`);
  }
  for (const id of SECTIONS) {
    await page.locator(`nav a[href="#${id}"]`).click();
    await page.waitForFunction((name) => {
      const { top } = document.getElementById(name).getBoundingClientRect();
      const isLast = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
      return (top >= 0 && top < 120) || isLast;
    }, id);
  }
});

test("looks: by keyboard alone", {}, async ({ page, url }) => {
  await ready(page, url);
  await page.keyboard.press("Tab");
  same(await page.evaluate(() => document.activeElement.textContent), "Skip to the first section");
  await page.getByRole("spinbutton", { name: "stride" }).focus();
  await page.keyboard.press("ArrowUp");
  await page.getByText("/ 2⌋").first().waitFor();
  await page.getByRole("radio", { name: "max pooling" }).focus();
  await page.keyboard.press("Space");
  await page.getByText(/^y\[0, 0, 0\] = max\(/).waitFor();
  await page.getByRole("button", { name: "conv2, map 3; arrow keys choose a pixel" }).focus();
  await page.keyboard.press("ArrowLeft");
  await page.getByText("conv2, map 3, row 6, column 5").waitFor();
});

test("looks: nothing moves while it loads, and while methods are timed", {
  init: () => {
    globalThis.shifts = 0;
    new PerformanceObserver((list) => {
      // A text that changes in a place that does not is none.
      const isMoved = ({ previousRect, currentRect }) => JSON.stringify(previousRect) !== JSON.stringify(currentRect);
      for (const { value, sources } of list.getEntries()) if (sources.some(isMoved)) globalThis.shifts += value;
    }).observe({ type: "layout-shift", buffered: true });
  },
}, async ({ page, url }) => {
  await ready(page, url);
  await answered(page);
  same(await page.evaluate(() => Math.round(1e4 * globalThis.shifts)), 0, "layout shifts while it loads");
  await page.locator("#methods .primary").scrollIntoViewIfNeeded();
  await page.evaluate(() => {
    globalThis.shifts = 0;
  });
  await page.goto(`${url}#methods?c=16&m=16&h=28`);
  await page.getByRole("button", { name: "Measure on this device" }).click();
  await page.waitForSelector("#methods .wow");
  same(await page.evaluate(() => Math.round(1e4 * globalThis.shifts)), 0, "layout shifts while methods are timed");
});
