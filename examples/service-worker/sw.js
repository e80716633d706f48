// Keeps the page and the model, and answers POST /classify by itself: offline, and without a server that computes. import() is forbidden
// here, so: lanewise/inline.
import { createRuntime } from "lanewise/inline";
import { loadOnnx } from "lanewise/inline/onnx";
import { createPreprocessor, topK } from "lanewise/vision";

const CACHE = "classify-1"; // a new name for new files
const FILES = ["./", "main.js", "model.json", "model.onnx"];
const at = (name) => new URL(name, registration.scope).href;

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES.map(at))));
  skipWaiting();
});

addEventListener("activate", (event) => {
  const others = caches.keys().then((names) => names.filter((name) => name !== CACHE));
  event.waitUntil(
    others.then((names) => Promise.all(names.map((name) => caches.delete(name)))).then(() => clients.claim()),
  );
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "POST" && request.url === at("classify")) event.respondWith(answer(request));
  else if (request.method === "GET" && request.url.startsWith(registration.scope))
    event.respondWith(caches.match(request).then((found) => found ?? fetch(request)));
});

/** A service worker is stopped when it is idle, and starts again with the next request: so this is made when it is asked for. */
let classifier;

async function load() {
  const { preprocess, labels } = await (await caches.match(at("model.json"))).json();
  const rt = await createRuntime();
  const model = await loadOnnx(rt, caches.match(at("model.onnx")));
  const pre = createPreprocessor(rt, { ...preprocess, model });
  const [output] = model.outputs;
  return async (file) => {
    const bitmap = await createImageBitmap(file);
    await pre.runFrom(bitmap);
    bitmap.close();
    const scores = model.run()[output.name];
    return topK(scores, Math.min(3, labels.length), { labels, activation: "softmax" });
  };
}

/** Requests take turns: a preprocessor has one picture at a time. */
let last = Promise.resolve();

function answer(request) {
  const response = last.then(async () => {
    try {
      classifier ??= load();
      const classify = await classifier;
      return Response.json({ classes: await classify(await request.blob()) });
    } catch (error) {
      return Response.json({ error: `${error.name}: ${error.message}` }, { status: 400 });
    }
  });
  last = response;
  return response;
}
