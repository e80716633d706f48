// 468 points on every face, in two stages: YuNet finds faces and eyes, MediaPipe's face mesh looks at each, turned upright.
// `node examples/face-mesh.mjs [photo …]`
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, decodeDistances, decodePoints, drawDetections, presets, sigmoid } from "lanewise/vision";
import { photos, readModel, readPhoto, report, writePng } from "./files.mjs";

const rt = await createRuntime();
const detector = await loadOnnx(rt, readModel("yunet_n_320.onnx"));
const mesh = await loadOnnx(rt, readModel("mediapipe-facemesh.onnx"));
const toDetector = createPreprocessor(rt, { ...presets.yunet, model: detector });
const toMesh = createPreprocessor(rt, { ...presets.signed, model: mesh });

function facesOf(photo) {
  const view = toDetector.run(photo);
  const outputs = detector.run();
  const all = detector.outputs.map(({ name }) => outputs[name]);
  const head = (i) => ({ scores: all[i], objectness: all[3 + i], boxes: all[6 + i], points: all[9 + i] });
  return decodeDistances([0, 1, 2].map(head), { boxes: "exp", offset: 0, view, score: 0.6, iou: 0.3 });
}

/** A square around a face, half as large again, turned so that the eyes are level. */
function regionOf({ box: [x0, y0, x1, y1], points: [right, left] }) {
  const side = 1.5 * Math.max(x1 - x0, y1 - y0);
  const angle = Math.atan2(left[1] - right[1], left[0] - right[0]);
  return { x: (x0 + x1 - side) / 2, y: (y0 + y1 - side) / 2, width: side, height: side, angle };
}

const found = {};
for (const name of photos(["astronaut.jpg", "onnxmodels--baby.jpg", "linzaer--13.jpg"])) {
  const photo = readPhoto(name);
  found[name] = facesOf(photo).map((face) => {
    const view = toMesh.run(photo, { region: regionOf(face) });
    const outputs = mesh.run();
    const [points, presence] = mesh.outputs.map(({ name: output }) => outputs[output]);
    return { face, points: decodePoints(points, { view, values: 3 }), score: sigmoid(presence)[0] };
  });
  console.log(
    name,
    found[name].map(({ points, score }) => `${points.length} points, a face by ${score.toFixed(2)}`).join("; "),
  );
  writePng(`face-mesh-${name.replace(/\.\w+$/, "")}`, drawDetections(photo, found[name], { thickness: 1 }));
}
report(found);
rt.dispose();
