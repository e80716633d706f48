// What is where: PicoDet, of COCO's 80 classes. `node examples/detect.mjs [photo …]`
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, decodeDistances, drawDetections, presets } from "lanewise/vision";
import { photos, readModel, readPhoto, report, writePng } from "./files.mjs";
import { COCO } from "./labels.mjs";

const rt = await createRuntime();
const model = await loadOnnx(rt, readModel("picodet_s_320.onnx"));
const pre = createPreprocessor(rt, { ...presets.picodet, model });

// Four strides: scores of all, then distances of all, which are softmaxed over eight bins each.
const names = model.outputs.map(({ name }) => name);
const headsOf = (outputs) => [0, 1, 2, 3].map((i) => ({ scores: outputs[names[i]], boxes: outputs[names[4 + i]] }));

const found = {};
for (const name of photos(["onnxmodels--000000017968.jpg", "coffee.jpg", "chelsea.jpg", "astronaut.jpg"])) {
  const photo = readPhoto(name);
  const view = pre.run(photo);
  const heads = headsOf(model.run());
  const objects = decodeDistances(heads, { view, labels: COCO, score: 0.4, iou: 0.5 }); // boxes in the photo's pixels
  found[name] = objects;
  for (const { label, score, box } of objects)
    console.log(name, label, score.toFixed(2), box.map(Math.round).join(" "));
  writePng(`detect-${name.replace(/\.\w+$/, "")}`, drawDetections(photo, objects));
}
report(found);
rt.dispose();
