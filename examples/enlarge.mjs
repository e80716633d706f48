// Three times as large: a network for the luma, Pillow's bicubic for the colours. `node examples/enlarge.mjs [photo …]`
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, mergeLuma, presets, resizeImage } from "lanewise/vision";
import { photos, readModel, readPhoto, report, writePng } from "./files.mjs";

const rt = await createRuntime();
const model = await loadOnnx(rt, readModel("super-resolution-10.onnx"), { shapes: { batch_size: 1 } });
const [output] = model.outputs;
const pre = createPreprocessor(rt, { ...presets.unit, channels: "gray", model }); // luma / 255

const found = {};
for (const name of photos(["ort-examples--cat_224x224.png", "chelsea.jpg"])) {
  const small = resizeImage(rt, readPhoto(name), 224, { filter: "bicubic" });
  pre.run(small);
  const { [output.name]: luma } = model.run(); // [1, 1, 672, 672]
  const large = mergeLuma(rt, small, luma);
  found[name] = { width: large.width, height: large.height, luma: [...luma.data] };
  console.log(name, `${small.width} x ${small.height} -> ${large.width} x ${large.height}`);
  writePng(`enlarge-${name.replace(/\.\w+$/, "")}`, large);
  writePng(`enlarge-${name.replace(/\.\w+$/, "")}-bicubic`, resizeImage(rt, small, 672, { filter: "bicubic" }));
}
report(found);
rt.dispose();
