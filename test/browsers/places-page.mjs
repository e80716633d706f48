// The golden script in the places that a browser has, a case each: /places-page.mjs?place=NAME. Answers golden()'s results, or for places
// that do not do, how they fail.

/** The value of { value } or { failure }. */
function taken({ value, failure }) {
  if (failure) throw new Error(failure);
  return value;
}

/** Of a worker's or a port's first message. */
const said = (port, target = port) =>
  new Promise((resolve, reject) => {
    port.onmessage = ({ data }) => resolve(data);
    target.onerror = ({ message }) => reject(new Error(message || "it could not be loaded"));
  });

async function serviceWorker(address) {
  const answer = said(navigator.serviceWorker);
  const registration = await navigator.serviceWorker.register(address, { type: "module", scope: "/" });
  await navigator.serviceWorker.ready;
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  worker.postMessage("go");
  const data = await answer;
  await registration.unregister();
  return taken(data);
}

async function worklet(isWhole) {
  const context = new OfflineAudioContext(1, 1280, 44100);
  await context.audioWorklet.addModule("/place-worklet.mjs");
  const node = new AudioWorkletNode(context, "golden", { processorOptions: { isWhole } });
  node.onprocessorerror = ({ message }) => console.error(message);
  return { context, node };
}

const how = (act) =>
  Promise.resolve()
    .then(act)
    .then(
      () => "no error",
      ({ name, message }) => `${name}: ${message}`,
    );

const PLACES = {
  async page() {
    const { golden } = await import("/golden.mjs");
    return golden();
  },

  async moduleWorker() {
    const worker = new Worker("/place-worker.mjs", { type: "module" });
    const data = await said(worker);
    worker.terminate();
    return taken(data);
  },

  async sharedWorker() {
    const worker = new SharedWorker("/place-shared.mjs", { type: "module" });
    const data = await said(worker.port, worker);
    worker.port.close();
    return taken(data);
  },

  serviceWorker: () => serviceWorker("/place-service.mjs"),

  /** The default entry there: import() is forbidden. */
  serviceWorkerDefault: () => serviceWorker("/place-service-default.mjs"),

  /**
   * WebKitGTK forgets to wake the thread for a promise of WebAssembly.compile() now and then, where nothing is rendered and no message
   * comes: one comes.
   */
  async audioWorklet() {
    const { context, node } = await worklet(true);
    const messages = setInterval(() => node.port.postMessage(context.currentTime), 50);
    try {
      return taken(await said(node.port));
    } finally {
      clearInterval(messages);
    }
  },

  /** A runtime is made, and used, at once, on the audio thread. */
  async insideProcess() {
    const { context, node } = await worklet(false);
    const answer = said(node.port);
    node.connect(context.destination);
    await context.startRendering();
    return taken(await answer);
  },

  /** An origin of its own, opaque, that may run scripts and nothing else. */
  async sandboxed() {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.src = "/place-frame.html";
    const data = new Promise((resolve) => {
      addEventListener("message", (event) => event.source === frame.contentWindow && resolve(event.data));
    });
    document.body.append(frame);
    return taken(await data);
  },

  /** A policy that forbids WebAssembly: how each way in fails. */
  async forbidden() {
    const { createRuntime } = await import("/lanewise/index.js");
    const { createRuntimeSync } = await import("/lanewise/inline.js");
    const bytes = await (await fetch("/lanewise/wasm/simd.wasm")).arrayBuffer();
    return {
      byItself: await how(() => createRuntime()),
      atOnce: await how(() => createRuntimeSync()),
      bytes: await how(() => createRuntime({ wasm: bytes })),
      streamed: await how(() => createRuntime({ wasm: fetch("/lanewise/wasm/simd.wasm") })),
    };
  },
};

export default PLACES[new URL(import.meta.url).searchParams.get("place")];
