import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, presets, topK } from "lanewise/vision";

const rt = await createRuntime();
const model = await loadOnnx(rt, fetch("shufflenet-v2-12-int8.onnx"));
const pre = createPreprocessor(rt, { ...presets.imagenet, model }); // as torchvision does it
const photo = { data: new Uint8Array(451 * 300 * 4).fill(90), width: 451, height: 300 };
pre.run(photo); // in a page: await pre.runFrom(video, canvas or ImageBitmap)
const { [model.outputs[0].name]: scores } = model.run();
console.log(pre.explain());
console.log(topK(scores, 3, { activation: "softmax" }));
