// What the AudioWorklet example leaves on the heap of its thread in Chromium, asked over its debugging pipe: no driver.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { launch } from "../../scripts/browsers/launch.mjs";

const LIMIT_MS = 300_000;
/** At most: a compiler that others leave no time allocates in many of them. */
const ROUNDS = 40;
const BLOCKS = 1500; // 4 s
const WARM = 15_000; // an engine that has not compiled a function yet makes an object of every number
const RATE = 48_000;

/** Chromium's debugging protocol over a pipe: messages that end in a zero. */
function protocol([write, read]) {
  const waiting = new Map();
  const events = [];
  let text = "";
  read.setEncoding("utf8").on("data", (chunk) => {
    const messages = (text + chunk).split("\0");
    text = messages.pop();
    for (const { id, result, error, ...event } of messages.map((one) => JSON.parse(one))) {
      if (id === undefined) events.push(event);
      else if (error) waiting.get(id).reject(new Error(error.message));
      else waiting.get(id).resolve(result);
    }
  });
  let last = 0;
  const send = (method, params = {}, sessionId = undefined) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      write.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });
  return { send, events };
}

async function until(look) {
  const start = performance.now();
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() - start > LIMIT_MS) throw new Error(`nothing within ${LIMIT_MS} ms`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** An offline context that stops after WARM blocks, then every BLOCKS, and goes on when it is told to. */
const PAGE = `(async () => {
  const length = (${WARM} + ${ROUNDS + 1} * ${BLOCKS}) * 128;
  const context = new OfflineAudioContext(1, length, ${RATE});
  await context.audioWorklet.addModule("/processor.js");
  const file = await (await fetch("/denoise.onnx")).arrayBuffer();
  const node = new AudioWorkletNode(context, "denoise", { processorOptions: { file } });
  const said = await new Promise((resolve) => { node.port.onmessage = ({ data }) => resolve(data); });
  if (said !== "ready") throw new Error(said.error);
  const tone = new OscillatorNode(context);
  tone.connect(node).connect(context.destination);
  tone.start();
  let stopped;
  for (let i = 0; i <= ${ROUNDS}; i++)
    context.suspend(((${WARM} + i * ${BLOCKS}) * 128) / ${RATE}).then(() => stopped());
  globalThis.next = (act) => { const at = new Promise((resolve) => { stopped = resolve; }); act(); return at; };
  globalThis.first = () => next(() => context.startRendering());
  globalThis.resume = () => next(() => context.resume());
})()`;

/** A processor that hands sound through: what the engine itself leaves of its calls. */
const NOTHING = `registerProcessor("denoise", class extends AudioWorkletProcessor {
  static get parameterDescriptors() { return [{ name: "noise", automationRate: "k-rate" }]; }
  constructor() { super(); this.port.postMessage("ready"); }
  process(inputs, outputs) { if (inputs[0][0]) outputs[0][0].set(inputs[0][0]); return true; }
});`;

/**
 * Least bytes that so many blocks leave, of the example's processor and of one that does nothing, and what the first one may leave more:
 * { bytes, nothing, most, blocks }.
 */
export async function worklet(folder) {
  const processor = readFileSync(join(folder, "dist/processor.js"));
  const file = readFileSync(join(folder, "denoise.onnx"));
  const most = 4000 + 2 * BLOCKS; // an object a block is 16 bytes or more
  const nothing = await left(NOTHING, file, 0);
  return { bytes: await left(processor, file, nothing + most), nothing, most, blocks: BLOCKS };
}

/** Least bytes of rounds until one leaves no more than `enough`. */
async function left(processor, file, enough) {
  const files = {
    "/processor.js": ["text/javascript", processor],
    "/denoise.onnx": ["application/octet-stream", file],
  };
  const server = createServer(({ url }, response) => {
    const [type, body] = files[url] ?? ["text/html", "<p>"];
    response.writeHead(200, { "content-type": type }).end(body);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const url = `http://127.0.0.1:${server.address().port}/`;
  const browser = launch("chromium", url, {}, ["--remote-debugging-pipe"]);
  try {
    const { send, events } = protocol(browser.pipes);
    const page = await until(async () => (await send("Target.getTargets")).targetInfos.find((one) => one.url === url));
    const { sessionId } = await send("Target.attachToTarget", { targetId: page.targetId, flatten: true });
    await send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: true }, sessionId);
    const evaluate = async (expression) => {
      const { exceptionDetails } = await send("Runtime.evaluate", { expression, awaitPromise: true }, sessionId);
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    };
    const expression = "isSecureContext && document.readyState === 'complete'"; // no longer the blank page before it
    await until(async () => (await send("Runtime.evaluate", { expression }, sessionId)).result.value);
    await evaluate(PAGE);
    const thread = await until(() =>
      events.find(({ method, params }) => method === "Target.attachedToTarget" && params.targetInfo.type === "worklet"),
    );
    const ask = (method) => send(method, {}, thread.params.sessionId);
    await ask("HeapProfiler.enable");
    await evaluate("first()");
    let bytes = Number.POSITIVE_INFINITY;
    for (let i = 0; i < ROUNDS && bytes > enough; i++) {
      await ask("HeapProfiler.collectGarbage");
      const before = await ask("Runtime.getHeapUsage");
      await evaluate("resume()");
      const after = await ask("Runtime.getHeapUsage");
      const more = after.usedSize - before.usedSize + after.backingStorageSize - before.backingStorageSize;
      if (more >= 0) bytes = Math.min(bytes, more); // else something else was freed meanwhile
    }
    return bytes;
  } finally {
    browser.end();
    server.close();
  }
}
