// Text: PP-OCRv4 finds lines, which are cut out upright and read one by one. `node examples/read-text.mjs [photo …]`
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, ctcDecode, drawDetections, presets, textRegions } from "lanewise/vision";
import { photos, readModel, readPhoto, report, writePng } from "./files.mjs";

const rt = await createRuntime();
const detector = await loadOnnx(rt, readModel("ch_PP-OCRv4_det_infer.onnx"));
const reader = await loadOnnx(rt, readModel("ch_PP-OCRv4_rec_infer.onnx"));
const alphabet = [...readModel("ppocr_keys_v1.txt").toString().trimEnd().split("\n"), " "];

/** Preprocessors by size: a model is planned once for each, so sizes come in steps of 32, widths of lines in steps of 160. */
const made = new Map();
function preprocessorOf(preset, height, width) {
  const key = `${height} x ${width}`;
  const pre = made.get(key) ?? createPreprocessor(rt, { ...preset, size: [height, width] });
  made.set(key, pre);
  return pre;
}
const steps = (side, step) => Math.max(1, Math.round(side / step)) * step;

function findLines(photo) {
  const shrink = Math.min(1, 960 / Math.max(photo.width, photo.height));
  const pre = preprocessorOf(presets.ppocrDet, steps(photo.height * shrink, 32), steps(photo.width * shrink, 32));
  const view = pre.run(photo);
  const { [detector.outputs[0].name]: map } = detector.run({ x: pre.tensor });
  return textRegions(map, { view, unclip: 2 }); // at 1.5, PaddleOCR's library's, this model's maps cut capitals
}

function readLine(photo, region) {
  const width = Math.min(Math.ceil((48 * region.width) / region.height / 160) * 160, 1600);
  const pre = preprocessorOf(presets.ppocrRec, 48, width);
  pre.run(photo, { region });
  const { [reader.outputs[0].name]: scores } = reader.run({ x: pre.tensor });
  return { ...ctcDecode(scores, alphabet), width, held: reader.plan.heldBytes }; // widths share weights and room
}

const found = {};
for (const name of photos(["page.png"])) {
  const photo = readPhoto(name);
  const lines = findLines(photo);
  found[name] = lines.map(({ region }) => ({ region, ...readLine(photo, region) }));
  for (const { text, score, width, held } of found[name])
    console.log(score.toFixed(3), text, `(${width} wide, all widths hold ${(held / 1e6).toFixed(1)} MB)`);
  const outlines = lines.map(({ points }) => ({ polygon: points }));
  writePng(`read-text-${name.replace(/\.\w+$/, "")}`, drawDetections(photo, outlines));
}
report(found);
rt.dispose();
