// Faces by three networks: BlazeFace, YuNet, UltraFace. `node examples/faces.mjs [photo …]`
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import {
  createPreprocessor,
  decodeBoxes,
  decodeDistances,
  decodeSsd,
  drawDetections,
  presets,
  ssdAnchors,
} from "lanewise/vision";
import { photos, readModel, readPhoto, report, writePng } from "./files.mjs";

const rt = await createRuntime();
const load = async (name, preset) => {
  const model = await loadOnnx(rt, readModel(name));
  const pre = createPreprocessor(rt, { ...preset, model });
  return (photo) => {
    const view = pre.run(photo);
    const outputs = model.run();
    return { view, outputs: model.outputs.map(({ name: output }) => outputs[output]) };
  };
};

const blazeface = await load("face_detection_front_128x128_barracuda.onnx", presets.blazeface);
const yunet = await load("yunet_n_320.onnx", presets.yunet);
const ultraface = await load("ultraface-RFB-320.onnx", presets.ultraface);
const side = 128;
const anchors = ssdAnchors({ size: side, strides: [8, 16], sizes: [[side, side], Array(6).fill(side)] });

const detectors = {
  blazeface(photo) {
    const { view, outputs } = blazeface(photo);
    const own = { anchors, variances: [1 / side, 1 / side], sizes: "linear", points: 6, activation: "sigmoid" };
    return decodeSsd(outputs.slice(0, 2), outputs.slice(2), { ...own, view, score: 0.5, iou: 0.3, method: "weighted" });
  },
  yunet(photo) {
    const { view, outputs } = yunet(photo);
    const head = (i) => ({
      scores: outputs[i],
      objectness: outputs[3 + i],
      boxes: outputs[6 + i],
      points: outputs[9 + i],
    });
    return decodeDistances([0, 1, 2].map(head), { boxes: "exp", offset: 0, view, score: 0.6, iou: 0.3 });
  },
  ultraface(photo) {
    const { view, outputs } = ultraface(photo);
    const [scores, boxes] = outputs; // boxes are shares of the input
    return decodeBoxes(boxes, scores, { size: [240, 320], background: 0, view, score: 0.7, iou: 0.3 });
  },
};

const found = {};
for (const name of photos(["astronaut.jpg", "linzaer--13.jpg", "linzaer--2.jpg"])) {
  const photo = readPhoto(name);
  for (const [detector, detect] of Object.entries(detectors)) {
    const faces = detect(photo);
    found[name] = { ...found[name], [detector]: faces };
    console.log(
      name,
      detector,
      faces.map(({ box, score }) => `${score.toFixed(2)} at ${box.map(Math.round).join(" ")}`).join(", "),
    );
    writePng(`faces-${name.replace(/\.\w+$/, "")}-${detector}`, drawDetections(photo, faces));
  }
}
report(found);
rt.dispose();
