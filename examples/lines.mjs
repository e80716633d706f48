// Straight lines: M-LSD, whose output is a map of line middles and of the ways to both ends. `node examples/lines.mjs [photo …]`
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, drawDetections } from "lanewise/vision";
import { photos, readModel, readPhoto, report, writePng } from "./files.mjs";

const STRIDE = 2;
const rt = await createRuntime();
const model = await loadOnnx(rt, readModel("mlsd_320x320_tiny.onnx"));
// Bytes of red, green and blue, and a fourth channel of ones.
const pre = createPreprocessor(rt, { scale: 1, std: [1, 1, 1, 255], channels: "rgba", model });

/** Ends in the model's pixels of middles that no neighbour of 5 x 5 beats, best first. */
function linesOf(scores, offsets, least, shortest) {
  const [, height, width] = scores.shape; // [1, 160, 160, 1]
  const [heat, ways] = [scores.data, offsets.data];
  const found = [];
  for (let i = 0; i < height * width; i++) {
    if (heat[i] < least) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    let isPeak = true;
    for (let v = Math.max(y - 2, 0); v <= Math.min(y + 2, height - 1); v++)
      for (let u = Math.max(x - 2, 0); u <= Math.min(x + 2, width - 1); u++)
        if (heat[v * width + u] > heat[i]) isPeak = false;
    const [x0, y0, x1, y1] = ways.subarray(4 * i, 4 * i + 4);
    if (!isPeak || Math.hypot(x1 - x0, y1 - y0) < shortest) continue;
    const ends = [
      [x + x0 + 0.5, y + y0 + 0.5],
      [x + x1 + 0.5, y + y1 + 0.5],
    ];
    found.push({ score: heat[i], ends: ends.map((end) => end.map((value) => value * STRIDE)) });
  }
  return found.sort((a, b) => b.score - a.score).slice(0, 200);
}

const found = {};
for (const name of photos(["linzaer--13.jpg", "coffee.jpg"])) {
  const photo = readPhoto(name);
  const view = pre.run(photo);
  const { scores, offsets } = model.run();
  const lines = linesOf(scores, offsets, 0.2, 20);
  found[name] = lines.map(({ score, ends }) => ({ score, line: ends.flatMap((end) => view.toImage(end)) }));
  console.log(name, `${found[name].length} lines`);
  writePng(`lines-${name.replace(/\.\w+$/, "")}`, drawDetections(photo, found[name]));
}
report(found);
rt.dispose();
