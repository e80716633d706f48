// Files that examples are given, and what they have to answer.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import jpeg from "jpeg-js";
import { PNG } from "pngjs";
import { digit, root } from "./project.mjs";

/** A digit of the test set in RGBA, every pixel four by four. */
function enlarged(pixels) {
  const [side, times] = [28, 4];
  const width = side * times;
  const data = Buffer.alloc(width * width * 4, 255);
  for (let i = 0; i < width * width; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    data.fill(pixels[Math.floor(y / times) * side + Math.floor(x / times)], 4 * i, 4 * i + 3);
  }
  return { data, width, height: width };
}

/** Digits as files: { name, bytes, label }, PNG and JPEG in turns. */
export function digitFiles(count = 6) {
  return Array.from({ length: count }, (_, i) => {
    const { pixels, label } = digit(i);
    const image = enlarged(pixels);
    const bytes =
      i % 2 ? jpeg.encode(image, 95).data : PNG.sync.write(Object.assign(new PNG(image), { data: image.data }));
    return { name: `digit-${i}.${i % 2 ? "jpg" : "png"}`, type: i % 2 ? "image/jpeg" : "image/png", bytes, label };
  });
}

/** Photos of the repository and what is in them. */
export function photoFiles() {
  const labels = { "chelsea.jpg": "Egyptian cat", "coffee.jpg": "espresso" };
  return Object.entries(labels).map(([name, label]) => {
    const bytes = readFileSync(join(root, "examples/photos", name));
    return { name, type: "image/jpeg", bytes, label };
  });
}

/** A PNG whose header says 60,000 x 60,000, and what a header alone is. */
export function hugePng() {
  const bytes = Buffer.from(PNG.sync.write(new PNG({ width: 8, height: 8 })));
  bytes.writeUInt32BE(60_000, 16);
  bytes.writeUInt32BE(60_000, 20);
  return bytes;
}

/** What is wrong with an answer of classes: a list of sentences. */
export function judged({ name, label }, { classes } = {}, least = 0.5) {
  const [best] = classes ?? [];
  return best?.label === label && best.score > least ? [] : [`${name}: expected ${label}, got ${JSON.stringify(best)}`];
}
