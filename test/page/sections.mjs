// Sections 3, 4, 5 and 7: arithmetic against a definition of the test's own, methods' formulas, networks, the report.
import { addressed, holds, ready, same, test } from "./harness.mjs";

/** Whole numbers, the same every time. */
function generator(seed) {
  let state = seed;
  return (from, to) => {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    return from + ((state >>> 12) % (to - from + 1));
  };
}

/** Outputs [M, P, Q] by the definition, gathered (convolution, pooling) or scattered (transposed). */
function reference({ kind, h, w, r, s, u, p, d, c, m, g }, x, weight) {
  if (kind === "norm")
    return x.map((value, i) => {
      const [gamma, beta, mean, variance] = weight.slice(4 * Math.floor(i / (h * w)));
      return beta + (gamma / Math.sqrt(variance + 1e-5)) * (value - mean);
    });
  const D = kind === "average" ? 1 : d;
  const isPool = kind === "max" || kind === "average";
  const M = isPool ? c : m;
  const size = (n, k) =>
    kind === "transposed" ? (n - 1) * u - 2 * p + D * (k - 1) + 1 : Math.floor((n + 2 * p - D * (k - 1) - 1) / u) + 1;
  const [P, Q] = [size(h, r), size(w, s)];
  if (P < 1 || Q < 1 || (isPool && p >= Math.min(D * (r - 1) + 1, D * (s - 1) + 1))) return undefined;
  const y = new Array(M * P * Q).fill(kind === "max" ? Number.NEGATIVE_INFINITY : 0);
  const put = (channel, filter, row, column, R, S, product) => {
    const at = (filter * P + row) * Q + column;
    const value = x[(channel * h + R) * w + S];
    y[at] = kind === "max" ? Math.max(y[at], value) : y[at] + value * product;
  };
  for (let filter = 0; filter < M; filter++)
    for (let channel = 0; channel < c; channel++) {
      if (isPool ? filter !== channel : Math.floor((filter * g) / M) !== Math.floor((channel * g) / c)) continue;
      for (let R = 0; R < r; R++)
        for (let S = 0; S < s; S++) {
          const tap = R * s + S;
          const product = isPool
            ? 1 / (r * s)
            : kind === "transposed"
              ? weight[(channel * (M / g) + (filter % (M / g))) * r * s + tap]
              : weight[(filter * (c / g) + (channel % (c / g))) * r * s + tap];
          if (kind === "transposed") {
            for (let row = 0; row < h; row++)
              for (let column = 0; column < w; column++) {
                const [to, beside] = [row * u + R * D - p, column * u + S * D - p];
                if (to >= 0 && to < P && beside >= 0 && beside < Q)
                  put(channel, filter, to, beside, row, column, product);
              }
            continue;
          }
          for (let row = 0; row < P; row++)
            for (let column = 0; column < Q; column++) {
              const [from, beside] = [row * u + R * D - p, column * u + S * D - p];
              if (from >= 0 && from < h && beside >= 0 && beside < w)
                put(channel, filter, row, column, from, beside, product);
            }
        }
    }
  return y;
}

const LETTERS = "abcdefghijklmnopqrs";
const written = (values) => values.map((value) => LETTERS[value + 9]).join("");

function settings(count) {
  const next = generator(15);
  return Array.from({ length: count }, (_, i) => {
    const kind = ["conv", "transposed", "max", "average", "norm"][i % 5];
    const [c, m] = [next(1, 4), next(1, 4)];
    const g =
      kind === "max" || kind === "average"
        ? 1
        : ([4, 3, 2, 1].find((n) => n <= next(1, 4) && c % n === 0 && m % n === 0) ?? 1);
    const setting = {
      ...{ kind, h: next(1, 12), w: next(1, 12), r: next(1, 5), s: next(1, 5) },
      ...{ u: next(1, 4), p: next(0, 4), d: next(1, 4), c, m, g },
    };
    const isPool = kind === "max" || kind === "average";
    const sizeW = (isPool ? 1 : (c * m) / g) * setting.r * setting.s;
    const x = Array.from({ length: c * setting.h * setting.w }, () => next(-9, 9));
    const weight =
      kind === "norm"
        ? Array.from({ length: 4 * c }, (_, k) => next(k % 4 === 3 ? 1 : -9, 9))
        : Array.from({ length: sizeW }, () => next(-9, 9));
    const hash = `#conv?${new URLSearchParams({ ...setting, x: written(x), y: written(weight) })}`;
    return { hash, expected: reference(setting, x, weight) };
  });
}

test("arithmetic: 500 random settings, cell by cell", {}, async ({ page, url }) => {
  await ready(page, url);
  const all = settings(500);
  const answers = await page.evaluate(
    async (hashes) => {
      const frame = () => new Promise((next) => setTimeout(next));
      const found = [];
      for (const hash of hashes) {
        const changed = new Promise((next) => addEventListener("hashchange", next, { once: true }));
        location.hash = hash;
        await changed;
        let answer;
        while (answer === undefined) {
          await frame();
          const refusal = document.querySelector("#conv .planes .refusal");
          const check = document.querySelector("#conv .check[data-same]");
          if (refusal) answer = { refusal: refusal.textContent };
          else if (document.querySelector("#conv .body > .row .refusal")) answer = { failure: hash };
          else if (check) answer = { ...check.dataset };
        }
        found.push(answer);
      }
      return found;
    },
    all.map(({ hash }) => hash),
  );
  let refused = 0;
  for (const [i, { hash, expected }] of all.entries()) {
    const { refusal, same: agreed, of, values } = answers[i];
    if (expected === undefined) {
      refused++;
      holds(
        /^No output: /.test(refusal ?? ""),
        `${hash}: expected no output and why, got ${JSON.stringify(answers[i])}`,
      );
      continue;
    }
    same([agreed, of], [String(expected.length), String(expected.length)], hash);
    const got = values.split(",").map(Number);
    const off = got.findIndex(
      (value, k) => value !== expected[k] && !(Math.abs(value - expected[k]) <= 1e-4 * (1 + Math.abs(expected[k]))),
    );
    holds(off < 0, `${hash}: cell ${off} is ${got[off]}, expected ${expected[off]}`);
  }
  holds(refused > 10 && refused < 250, `${refused} settings have no output`);
});

test("arithmetic: kernel larger than input says why; numbers put into the formula; inputs and outputs light up", {}, async ({
  page,
  url,
}) => {
  await ready(page, `${url}#conv?h=2&w=7&r=3&s=3`);
  same(
    await page.locator("#conv .planes .refusal").textContent(),
    "No output: the window spans 3 rows (R = 3, dilation 1), and the input has 2 with its padding. Make it larger, or the window smaller.",
  );
  await page.goto(
    `${url}#conv?u=2&p=1&x=${written(Array.from({ length: 25 }, (_, i) => i % 5))}&y=${written([1, 0, -1, 2, 0, -2, 1, 0, -1])}`,
  );
  const formula = page.locator("#conv .formula").first();
  await page.waitForFunction(() => document.querySelector("#conv .formula").textContent.includes("/ 2⌋"));
  same(
    await formula.textContent(),
    "P = ⌊(H + 2·pad − D·(R − 1) − 1) / U⌋ + 1 = ⌊(5 + 2·1 − 1·(3 − 1) − 1) / 2⌋ + 1 = 3",
  );
  const output = page.getByRole("application", { name: /^Output of filter 1/ });
  await output.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  // Around (2, 2), columns 1 to 3: 1·1 + 3·(-1) three times, the middle row twice as much.
  same(
    await page.locator("#conv .spelt").textContent(),
    "y[0, 1, 1] = 1×1 + 2×0 + 3×−1 + 1×2 + 2×0 + 3×−2 + 1×1 + 2×0 + 3×−1 = −8",
  );
  const input = page.getByRole("application", { name: /^Input channel 1/ });
  await input.focus();
  await page.keyboard.press("ArrowRight");
  holds(
    (await page.locator("#conv .spelt").textContent()).startsWith(
      "This input (channel 1, row 1, column 2) feeds 2 outputs of 9",
    ),
    await page.locator("#conv .spelt").textContent(),
  );
  await page.keyboard.press("9");
  await addressed(page, /x=js/); // the number that was typed
});

test("arithmetic: batch norm by its four numbers, which are typed over; it folds away", {}, async ({ page, url }) => {
  // x = 5; gamma 2, beta -1, mean 3, variance 4: (5 - 3) / 2 * 2 - 1
  await ready(page, `${url}#conv?kind=norm&h=1&w=1&x=o&y=limn`);
  const spelt = page.locator("#conv .spelt");
  same(await spelt.textContent(), "y[0, 0, 0] = 2 · (5 − 3) / √(4 + 0.00001) − 1 = 1.00");
  await page.waitForSelector("#conv .check[data-same='1']");
  holds(
    Math.abs(Number(await page.locator("#conv .check").getAttribute("data-values")) - 1) < 1e-5,
    "the kernel's value",
  );
  // No filters, no weights, no sums of products: channels.
  same(await page.getByRole("button", { name: "by product" }).count(), 0);
  await page.getByRole("application", { name: /^Output of channel 1/ }).waitFor();
  same(
    await page.locator("#conv .planes figure").last().locator("figcaption span").textContent(),
    "C × H × W = 1 × 1 × 1",
  );
  same(await page.locator("#conv .picked").textContent(), "Press a number of the input or of a channel to change it.");
  await page.getByRole("application", { name: /^Numbers of each channel: γ, β, μ, σ²/ }).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("4"); // beta
  await spelt.filter({ hasText: "√(4 + 0.00001) + 4 = 6.00" }).waitFor();
  for (let i = 0; i < 2; i++) await page.keyboard.press("ArrowRight");
  await page.keyboard.press("0"); // a variance of 0 is none that training saw
  await spelt.filter({ hasText: "√(1 + 0.00001) + 4 = 8.00" }).waitFor();
  await page.waitForSelector("#conv .check[data-same='1']");
  await page
    .locator("#conv .counts", { hasText: /scale = γ \/ √\(σ² \+ ε\) = 2\.00 and shift = β − μ · scale = −2\.00/ })
    .waitFor();
});

test("arithmetic: a finger changes a number without keys", {
  context: { hasTouch: true, viewport: { width: 360, height: 640 } },
}, async ({ page, url }) => {
  // One input of 5 and one weight of -2.
  await ready(page, `${url}#conv?h=1&w=1&r=1&s=1&x=o&y=h`);
  const spelt = page.locator("#conv .spelt");
  same(await spelt.textContent(), "y[0, 0, 0] = 5×−2 = −10");
  await page.getByRole("application", { name: /^Weights/ }).tap();
  for (let i = 0; i < 3; i++) await page.getByRole("button", { name: "w[0, 0, 0, 0], more" }).tap();
  await page.getByRole("application", { name: /^Input/ }).tap();
  await page.getByRole("button", { name: "x[0, 0, 0], less" }).tap();
  await page.getByRole("application", { name: /^Output/ }).tap();
  await spelt.filter({ hasText: "y[0, 0, 0] = 4×1 = 4" }).waitFor();
  await page.waitForSelector("#conv .check[data-same='1'][data-values='4']");
});

test("arithmetic: a separable block's multiplications beside the full convolution's", {}, async ({ page, url }) => {
  await ready(page, `${url}#conv?c=4&m=4`); // 5 x 5, 3 x 3: 9 places
  const bars = page.locator("#conv .saving");
  same(await bars.locator(".figure").allTextContents(), ["1,296", "468"]);
  const widths = await bars
    .locator(".bar > span")
    .evaluateAll((spans) => spans.map((span) => Math.round(100 * (span.offsetWidth / span.parentElement.offsetWidth))));
  same(widths, [100, 25, 11], "percent of the full bar");
});

test("arithmetic: steps by output and by product light the running line", {}, async ({ page, url }) => {
  await ready(page, url);
  const where = page.locator("#conv .loops .figure");
  await page.getByRole("button", { name: "one step on" }).click();
  same(await where.textContent(), "n = 0, m = 0, p = 0, q = 1");
  await page.getByText("by product").click();
  await page.getByRole("button", { name: "one step on" }).click();
  await page.getByRole("button", { name: "one step on" }).click();
  same(await where.textContent(), "n = 0, m = 0, p = 0, q = 1, c = 0, r = 0, s = 1");
  holds((await page.locator("#conv .loops .lit").textContent()).includes("sum +="), "the product's line is lit");
  await page.getByRole("button", { name: "Play" }).click();
  await page.waitForFunction(() => document.querySelector("#conv .loops .figure").textContent.endsWith("r = 1, s = 0"));
  await page.getByRole("button", { name: "Pause" }).click();
});

test("methods: multiplications by formula, a time for each, errors as documented", {}, async ({ page, url }) => {
  await ready(page, `${url}#methods`);
  await page.getByRole("button", { name: "Measure on this device" }).click();
  await page.waitForSelector("#methods .wow");
  const rows = await page.locator("table.methods tbody tr").evaluateAll((list) =>
    list.map((row) => ({
      name: row.querySelector("th").textContent,
      ms: Number(row.querySelector("[data-ms]")?.dataset.ms),
      multiplications: Number(row.querySelector("[data-multiplications]").dataset.multiplications),
      shown: row.querySelector("[data-multiplications]").textContent,
      error: row.querySelectorAll(".wide")[0].textContent,
    })),
  );
  const shown = Object.fromEntries(rows.map((row) => [row.name, row.shown]));
  same(
    ["Direct", "Winograd F(2,3)", "Winograd F(4,3)", "Winograd F(6,3)", "Seven loops, plain JavaScript"].map(
      (name) => shown[name],
    ),
    ["115.6 M", "51.4 M", "28.9 M", "26.2 M", "115.6 M"],
  );
  for (const { name, ms, error } of rows) {
    holds(ms > 0, `${name}: ${ms} ms`);
    holds(/^\d\.\d·10⁻[⁵⁶⁷⁸]$/.test(error), `${name}: an error of ${error}`);
  }
  const factor = Number(await page.locator("#methods .wow").getAttribute("data-factor"));
  const [loops, ...others] = rows.map(({ ms }) => ms).reverse();
  same(factor, loops / Math.min(...others), "how many times as long JavaScript's loops take");
  await page.getByRole("button", { name: "Winograd F(6,3)" }).click();
  holds(
    (await page.locator("#methods .how .formula").first().textContent()).includes("without ragged tiles 22.8 M"),
    "F(6,3)'s ragged tiles",
  );
});

test("methods: F(2,3) with its numbers filled in", {}, async ({ page, url }) => {
  await ready(page, `${url}#methods?by=winograd23`);
  const set = async (label, value) =>
    page.locator("#methods .winograd").getByLabel(label, { exact: true }).fill(String(value));
  for (const [label, value] of Object.entries({ "d₀": 3, "d₁": -1, "d₂": 4, "d₃": 1, "g₀": 2, "g₁": 7, "g₂": 1 }))
    await set(label, value);
  // y0 = 3·2 - 1·7 + 4·1 = 3, y1 = -1·2 + 4·7 + 1·1 = 27
  const text = (await page.locator("#methods .winograd .formula").textContent()).replaceAll("\u2212", "-");
  holds(/= 3y₁/.test(text) && / = 27$/.test(text), text);
});

test("methods: hidden while timing, it pauses and says so", {}, async ({ page, url }) => {
  await ready(page, `${url}#methods?c=8&m=8&h=16`);
  const hide = (isHidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await hide(true);
  await page.getByRole("button", { name: "Measure on this device" }).click();
  await page.getByText("Paused: this tab is hidden, and a hidden tab is slowed down.").waitFor();
  await page.waitForTimeout(400); // in which it measures nothing
  same(await page.locator("#methods [data-ms]").count(), 0);
  await hide(false);
  await page.waitForSelector("#methods .wow");
});

test("methods: kernel sizes that Winograd has not leave it out; the plot crosses", {}, async ({ page, url }) => {
  await ready(page, `${url}#methods?c=4&m=4&h=16&k=5`);
  const names = await page.locator("table.methods tbody th").allTextContents();
  same(names, ["Direct", "im2col + GEMM", "Implicit GEMM", "FFT", "Seven loops, plain JavaScript"]);
  await page.getByText("64 channels, depthwise").click();
  await page.locator("#methods .sweep").getByRole("button", { name: "Measure" }).click();
  const seen = page.locator("#methods .sweep p").last();
  // Where the lines cross is the machine's affair.
  await seen
    .filter({
      hasText: /^(From (\d+) × \2 on FFT is faster than the definition; at 31 × 31 it takes|Here FFT is never)/,
    })
    .waitFor();
});

test("nets: AlexNet's and the others' sums", {}, async ({ page, url }) => {
  await ready(page, `${url}#nets`);
  // Weights and biases; multiply-accumulates at 224 x 224 (AlexNet 227, LeNet 28), batch normalisation folded.
  const known = {
    "LeNet-5": { net: "lenet5", parameters: 61_706 },
    AlexNet: { net: "alexnet", macs: 724_406_816, parameters: 60_965_224 },
    "VGG-16": { net: "vgg16", macs: 15_470_264_320, parameters: 138_357_544 },
    "ResNet-18": { net: "resnet18", macs: 1_814_073_344 },
    MobileNet: { net: "mobilenet", macs: 568_740_352 },
  };
  for (const [name, { net, macs, parameters }] of Object.entries(known)) {
    await page.locator("#nets").getByText(name, { exact: true }).click();
    await page.waitForSelector(`#nets table[data-net=${net}]`);
    const get = (key) => page.locator(`#nets [data-${key}]`).getAttribute(`data-${key}`);
    if (macs) same(Number(await get("macs")), macs, name);
    if (parameters) same(Number(await get("parameters")), parameters, name);
  }
  await addressed(page, "#nets?net=mobilenet");
});

test("report: names the kernels and why; another variant on demand", {}, async ({ page, url }) => {
  await ready(page, `${url}#report`);
  const value = (name) => page.locator(`dl.report div:has(dt:text-is("${name}")) dd`).textContent();
  await page.waitForFunction(() => document.querySelector("dl.report").textContent.includes("self-test"));
  same([await value("kernels"), await value("because")], ["relaxed", "the engine fuses multiply-add"]);
  holds((await value("self-test")).startsWith("passed"), await value("self-test"));
  await page.getByRole("button", { name: "simd kernels" }).click();
  await page.waitForFunction(() => document.querySelector("dl.report").textContent.includes("asked for"));
  same(await value("kernels"), "simd");
  await page.waitForSelector("#digit .said[data-answer='7']");
});
