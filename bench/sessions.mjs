// A network of an ONNX file, on lanewise and on onnxruntime: { run, isAsync, answers, release }. Runs in Node and in a page.
import { loadOnnx } from "lanewise/onnx";

export async function lanewiseSession(rt, bytes, inputs, options = {}) {
  // Sizes that the file leaves open are given, so that the network is planned when it is loaded.
  const shapes = Object.fromEntries(inputs.map(({ name, shape }) => [name, shape]));
  const model = await loadOnnx(rt, bytes, { ...options, shapes });
  const feeds = Object.fromEntries(inputs.map(({ name, shape, data }) => [name, { shape, data }]));
  let results;
  return {
    isAsync: false,
    run: () => {
      results = model.run(feeds);
    },
    answers: () => model.outputs.map(({ name }) => ({ shape: results[name].shape, data: results[name].toArray() })),
    release: () => model.dispose(),
    plannedBytes: model.plan.totalBytes,
    peakBytes: rt.report().peakBytes,
  };
}

export async function ortSession(ort, options, bytes, inputs) {
  const session = await ort.InferenceSession.create(bytes, options);
  const feeds = Object.fromEntries(
    inputs.map(({ data, shape }, i) => [session.inputNames[i], new ort.Tensor(typeOf(data), data, shape)]),
  );
  let results;
  return {
    isAsync: true,
    run: async () => {
      results = await session.run(feeds);
    },
    answers: () => session.outputNames.map((name) => ({ shape: results[name].dims, data: results[name].data })),
    release: () => session.release(),
  };
}

/** "float32" for a Float32Array, as ONNX names element types. */
export function typeOf(data) {
  return data.constructor.name.replace(/^Big|Array$/g, "").toLowerCase();
}
