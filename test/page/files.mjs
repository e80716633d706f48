// Sections 2 and 6: photos, a visitor's network, and what is neither.
import { existsSync, readFileSync } from "node:fs";
import { addressed, holds, ready, same, test } from "./harness.mjs";
import { onnxFile } from "./onnx.mjs";

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url));
const hasClassifier = existsSync(new URL("../../site/shufflenet-v2-12-int8.onnx", import.meta.url));

/** A file dropped on a place, as a visitor does it. */
async function drop(page, place, name, mimeType, buffer) {
  await page.locator(`#file-${place}`).setInputFiles({ name, mimeType, buffer });
}
const refusal = (page, section) => page.locator(`#${section} .body > .refusal`);
async function refused(page, section, pattern) {
  await refusal(page, section).filter({ hasText: pattern }).waitFor();
}

const conv = {
  inputs: [{ name: "image", shape: ["batch", 3, "height", "width"] }],
  constants: [{ name: "w", shape: [8, 3, 3, 3] }],
  nodes: [
    ["Conv", ["image", "w"], "seen"],
    ["Relu", ["seen"], "kept"],
  ],
  outputs: [{ name: "kept", shape: ["batch", 8, "h", "w"] }],
};

if (!hasClassifier) console.log("SKIP the classifier's answers: no shufflenet-v2-12-int8.onnx in site/");
else
  test("photo: a cat by the site's network, other answers after each mistake", {}, async ({ page, url, served }) => {
    await ready(page, `${url}#photo`);
    holds(
      !served.requests.some(({ pathname }) => /shufflenet|chelsea/.test(pathname)),
      "nothing is fetched before a click",
    );
    await page.getByRole("button", { name: "Fetch ShuffleNet v2, 2.3 MB" }).click();
    await page.waitForSelector("#photo .found");
    const found = async () => {
      const first = page.locator("#photo .labels .best");
      return {
        label: await first.locator(".name").textContent(),
        score: Number.parseFloat(await first.locator(".percent").textContent()),
      };
    };
    const right = await found();
    same(right.label, "Egyptian cat");
    holds(right.score > 80, `a cat by ${right.score} %`);
    holds(
      (await page.locator("#photo .found .formula").textContent()).startsWith(
        "451x300 -> 384x256 bilinear antialiased -> crop 224x224",
      ),
      "it says what is done",
    );
    for (const [mistake, how] of Object.entries({
      "BGR for RGB": "other",
      "0 to 255": "wrong",
      "no mean": "other",
      "layout mixed up": "wrong",
      "canvas resize": "other",
    })) {
      await page.locator("#photo .wrong").getByText(mistake, { exact: true }).click();
      const answer = await found();
      if (how === "wrong") holds(answer.label !== right.label, `${mistake}: still a cat`);
      else holds(answer.score !== right.score || answer.label !== right.label, `${mistake}: the same answer`);
    }
    await addressed(page, "#photo?wrong=canvas");
    await drop(page, "photo", "coffee.jpg", "image/jpeg", read("examples/photos/coffee.jpg"));
    await page.locator("#photo .wrong").getByText("nothing", { exact: true }).click();
    await page.waitForSelector("#photo .found[data-label*='cup'], #photo .found[data-label='espresso']");
    await drop(page, "photo", "page.png", "image/png", read("examples/photos/page.png"));
    await page.waitForSelector("#photo .found:not([data-label*='cup']):not([data-label='espresso'])");
    same(await refusal(page, "photo").count(), 0);
  });

test("photo: what is no photo is refused by name; a camera that is refused says so", {
  init: () => {
    navigator.mediaDevices.getUserMedia = () =>
      Promise.reject(new DOMException("Permission denied", "NotAllowedError"));
  },
}, async ({ page, url }) => {
  await ready(page, `${url}#photo`);
  await drop(page, "photo", "notes.txt", "text/plain", Buffer.from("not a picture"));
  await refused(
    page,
    "photo",
    '"notes.txt" expected a photo that this browser reads, or an .onnx file, got text/plain',
  );
  await drop(page, "photo", "digits.onnx", "application/octet-stream", onnxFile(conv));
  await refused(page, "photo", "expected");
  if (!hasClassifier) return;
  await page.getByRole("button", { name: /^Fetch/ }).click();
  await page.waitForSelector("#photo .found");
  await page.getByRole("button", { name: "Use the camera" }).click();
  await refused(page, "photo", "The camera was refused: NotAllowedError, Permission denied");
  await page.getByRole("button", { name: "Use the camera" }).waitFor();
});

test("photo: a camera's frames are answered", { context: { permissions: ["camera"] } }, async ({ page, url }) => {
  if (!hasClassifier) return;
  await ready(page, `${url}#photo`);
  await page.getByRole("button", { name: /^Fetch/ }).click();
  await page.waitForSelector("#photo .found[data-label='Egyptian cat']");
  await page.getByRole("button", { name: "Use the camera" }).click();
  await page.waitForSelector("#photo .found:not([data-label='Egyptian cat'])"); // Chromium's own moving picture
  await page.getByRole("button", { name: "Stop the camera" }).click();
  same(await refusal(page, "photo").count(), 0);
});

test("model: planned for sizes that are open, timed, looked into; the file goes nowhere", {}, async ({
  page,
  url,
  served,
}) => {
  await ready(page, `${url}#model`);
  const before = served.requests.length;
  await drop(page, "model", "mine.onnx", "application/octet-stream", onnxFile(conv));
  await page.waitForSelector("#model .opened[data-nodes='2']");
  same(await page.locator("#model .sizes").inputValue(), "1 × 3 × 224 × 224");
  await page.locator("#model .sizes").fill("1x3x32x40");
  await page.keyboard.press("Enter");
  // 8 x 30 x 38 outputs of 27 products each
  await page.getByText("246.2 K multiplications").waitFor();
  holds((await page.locator("#model .arena rect").count()) >= 2, "an arena is drawn");
  await page.getByRole("button", { name: "Time its layers here" }).click();
  await page.waitForSelector("#model [data-microseconds]");
  await page.getByRole("button", { name: "Look at its first layer" }).click();
  await page.getByText("8 of 8 maps of 30 × 38").waitFor();
  await page.locator("#model select").selectOption("node1");
  await page.getByText("8 of 8 maps of 30 × 38").waitFor();
  same(await page.locator("#model .refusal").count(), 0);
  const asked = served.requests.slice(before).map(({ pathname }) => pathname);
  holds(
    asked.every((path) => path.endsWith(".js")),
    `only code was asked for: ${asked}`,
  );
});

test("model: missing operators by name, sizes that ask for 4 GB, what is no ONNX; usable afterwards", {}, async ({
  page,
  url,
}) => {
  await ready(page, `${url}#model`);
  const one = (op, shape) =>
    onnxFile({ inputs: [{ name: "x", shape }], nodes: [[op, ["x"], "y"]], outputs: [{ name: "y", shape }] });
  const give = (name, buffer) => drop(page, "model", name, "application/octet-stream", buffer);
  await give("odd.onnx", one("Teleport", [1, 4]));
  same(await page.locator("#model .refusal li").textContent(), "Teleport, 1 time: node0");
  await give("huge.onnx", one("Relu", [1, 1, 32768, 32768]));
  await page.locator("#model .refusal", { hasText: /"maxBytes" expected|expected at most/ }).waitFor();
  await give("cut.onnx", onnxFile(conv).subarray(0, 300));
  await refused(page, "model", "expected");
  await give("notes.txt", Buffer.from("a text, not a network, however it is called"));
  await refused(page, "model", "expected");
  // A file of a hundred million zeros, made in the page, since it would take long to get there.
  await page.evaluate(() => {
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(1e8)], "zeros.onnx"));
    document
      .querySelector("#model .drop")
      .dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
  });
  await refused(page, "model", "expected");
  await give("mine.onnx", onnxFile(conv));
  await page.waitForSelector("#model .opened[data-nodes='2']");
  same(await page.locator("#model .refusal").count(), 0);
});

const real = new URL("../../../shared/data/models/", import.meta.url);
const digits = new URL("mnist-8.onnx", real);
if (!existsSync(digits)) console.log("SKIP a real network in section 6: no ../shared/data/models");
else
  test("model: a real one, mnist-8", {}, async ({ page, url }) => {
    await ready(page, `${url}#model`);
    await drop(page, "model", "mnist-8.onnx", "application/octet-stream", readFileSync(digits));
    await page.waitForSelector("#model .layers-table");
    await page.getByRole("button", { name: "Time its layers here" }).click();
    await page.waitForSelector("#model [data-microseconds]");
    await page.getByRole("button", { name: "Look at its first layer" }).click();
    await page.getByText("8 of 8 maps of 28 × 28").waitFor();
  });
