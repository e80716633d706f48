// Classifies a posted image: curl --data-binary @photo.jpg https://classify.example.workers.dev
import { createRuntime } from "lanewise";
import { loadOnnx } from "lanewise/onnx";
import { createPreprocessor, topK } from "lanewise/vision";
import { labels, preprocess } from "../model.json";
import file from "../model.onnx";
import { Refusal, readPhoto } from "./photo.js";

const MOST_BYTES = 4e6;

/** Once an isolate, by its first request: a start of its own has no time to compute. */
let classifier;

async function load() {
  const rt = await createRuntime({ maxBytes: 48e6 });
  const model = await loadOnnx(rt, file);
  const pre = createPreprocessor(rt, { ...preprocess, model });
  const [output] = model.outputs;
  return (photo) => {
    pre.run(photo); // from here to the answer nothing waits: requests of one isolate share the model, and never meet in it
    const scores = model.run()[output.name];
    return topK(scores, Math.min(3, labels.length), { labels, activation: "softmax" });
  };
}

export default {
  async fetch(request) {
    if (request.method !== "POST") return new Response("POST an image\n", { status: 405, headers: { allow: "POST" } });
    if (Number(request.headers.get("content-length") ?? 0) > MOST_BYTES)
      return Response.json({ error: `expected at most ${MOST_BYTES} bytes` }, { status: 413 });
    try {
      const photo = await readPhoto(await request.arrayBuffer());
      classifier ??= load();
      const classify = await classifier;
      return Response.json({ classes: classify(photo) });
    } catch (error) {
      if (error instanceof Refusal) return Response.json({ error: error.message }, { status: error.status });
      throw error;
    }
  },
};
