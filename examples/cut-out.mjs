// People without what is behind them: MediaPipe's selfie segmentation. `node examples/cut-out.mjs [photo …]`
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { applyMask, createPreprocessor, presets } from "lanewise/vision";
import { photos, readModel, readPhoto, report, writePng } from "./files.mjs";

const rt = await createRuntime();
const model = await loadOnnx(rt, readModel("mediapipe-selfie-landscape.onnx"));
const [output] = model.outputs;
const pre = createPreprocessor(rt, { ...presets.unit, model });

const found = {};
for (const name of photos(["astronaut.jpg", "linzaer--13.jpg"])) {
  const photo = readPhoto(name);
  const view = pre.run(photo);
  const { [output.name]: mask } = model.run(); // 144 x 256, from 0 to 1
  const cut = applyMask(rt, photo, mask, view);
  let opaque = 0;
  for (let i = 3; i < cut.data.length; i += 4) opaque += cut.data[i] > 127;
  found[name] = opaque / (cut.width * cut.height);
  console.log(name, `${(100 * found[name]).toFixed(1)} % opaque`);
  writePng(`cut-out-${name.replace(/\.\w+$/, "")}`, cut);
}
report(found);
rt.dispose();
