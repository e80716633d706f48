// In a browser: opens an example's page in a frame, gives it files as a user would, and answers what it shows. /drive.mjs?case=NAME.
import { decibels, noisyTone } from "./sounds.mjs";

const FILES = await (await fetch("files.json")).json(); // [{ name, type }]
const LIMIT_MS = 600_000;

async function until(what, look) {
  const start = performance.now();
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() - start > LIMIT_MS) throw new Error(`${what}: nothing within ${LIMIT_MS} ms`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function opened(url) {
  const frame = document.createElement("iframe");
  frame.src = url;
  const loaded = new Promise((done) => {
    frame.onload = done;
  });
  document.body.append(frame);
  await loaded;
  return frame;
}

/** What a user does who chooses a file. */
function choose(frame, file) {
  const { contentWindow: window, contentDocument: document } = frame;
  const input = document.querySelector("input[type=file]");
  const list = new window.DataTransfer();
  list.items.add(file);
  input.files = list.files;
  input.dispatchEvent(new window.Event("change", { bubbles: true }));
}

const status = (frame) => frame.contentDocument.querySelector("output")?.textContent ?? "";
const ready = (frame, word = /^ready/) =>
  until(`${word} (${status(frame)})`, () => {
    if (/error|Error/.test(status(frame))) throw new Error(status(frame));
    return word.test(status(frame));
  });

/** The first line that is shown for a file, another than before. */
async function best(frame, { name, type }) {
  const list = () => frame.contentDocument.querySelector("ol").textContent.trim();
  frame.contentDocument.querySelector("ol").textContent = "";
  choose(frame, new File([await (await fetch(`files/${name}`)).blob()], name, { type }));
  return until(`an answer to ${name} (${status(frame)})`, list);
}

/** name -> "label score %…" */
async function all(frame, files = FILES) {
  const shown = {};
  for (const file of files) shown[file.name] = await best(frame, file);
  return shown;
}

const CASES = {
  async page() {
    const frame = await opened("/app/index.html");
    await ready(frame);
    return { shown: await all(frame), status: status(frame) };
  },

  /** The extension's popup, as a page of it. */
  async popup() {
    const frame = await opened("popup.html");
    return { shown: await all(frame) };
  },

  /** Files are no image: a sentence, and it goes on. */
  async wrong() {
    const frame = await opened("/app/index.html");
    await ready(frame);
    choose(frame, new File(["no image"], "a.png", { type: "image/png" }));
    const said = await until(
      "a sentence",
      () => /rror|[Ii]nvalid|decode|could not/.test(status(frame)) && status(frame),
    );
    return { said, shown: await all(frame, FILES.slice(0, 1)) };
  },

  /** React: hidden and shown again; the workers that were made and ended. */
  async react() {
    const frame = await opened("/app/index.html");
    const { workers } = frame.contentWindow;
    await ready(frame);
    const first = await shownByReact(frame, FILES);
    const button = frame.contentDocument.querySelector("button");
    button.click();
    await until("nothing", () => frame.contentDocument.querySelector("ol") === null);
    const hidden = { ...workers };
    button.click();
    await until("a list", () => frame.contentDocument.querySelector("ol"));
    await ready(frame);
    const again = await shownByReact(frame, FILES.slice(0, 1));
    return { shown: first, again, hidden, workers };
  },

  /** The service worker: with a server, then without. */
  async offline() {
    const frame = await opened("/app/");
    await ready(frame);
    const online = await all(frame, FILES.slice(0, 2));
    frame.remove();
    await fetch("/~offline");
    const gone = await (await fetch("/app/main.js?by=nobody")).text();
    const later = await opened("/app/");
    await ready(later);
    const shown = await all(later);
    choose(later, new File(["no image"], "a.png", { type: "image/png" }));
    const said = await until("a sentence", () => /rror/.test(status(later)) && status(later));
    const [registration] = await navigator.serviceWorker.getRegistrations();
    await registration.unregister();
    return { online, shown, gone, said };
  },

  /** A sound with noise through the page's AudioWorklet, in decibels. */
  async sound() {
    const { tone, noisy } = noisyTone();
    const frame = await opened("/app/index.html");
    const slider = frame.contentDocument.querySelector("#noise");
    const heard = {};
    for (const noise of [-24, -100]) {
      slider.value = noise;
      frame.contentDocument.querySelector("audio").removeAttribute("src");
      choose(frame, new File([wavOf(noisy)], "noisy.wav", { type: "audio/wav" }));
      const src = await until(`a sound (${status(frame)})`, () => {
        if (/Error/.test(status(frame))) throw new Error(status(frame));
        return frame.contentDocument.querySelector("audio").getAttribute("src");
      });
      const bytes = await (await fetch(src)).arrayBuffer();
      const clean = new Float32Array(bytes, 44);
      heard[noise] = {
        samples: clean.length,
        tone: decibels(tone.subarray(256, -256), clean.subarray(256, -256)),
        same: decibels(noisy.subarray(256, -256), clean.subarray(256, -256)),
      };
    }
    return { before: decibels(tone, noisy), heard };
  },
};

/** React keeps its own list: an answer is a list whose first line is of this file, so wait for another one, or for the same to be said. */
async function shownByReact(frame, files) {
  const shown = {};
  for (const { name, type } of files) {
    const list = frame.contentDocument.querySelector("ol");
    const changed = new Promise((done) =>
      new frame.contentWindow.MutationObserver(done).observe(list, {
        childList: true,
        subtree: true,
        characterData: true,
      }),
    );
    choose(frame, new File([await (await fetch(`files/${name}`)).blob()], name, { type }));
    await Promise.race([
      changed,
      new Promise((_, fail) => setTimeout(fail, LIMIT_MS, new Error(`no answer to ${name}`))),
    ]);
    shown[name] = list.textContent.trim();
  }
  return shown;
}

/** A WAV file of 48,000 float32 a second. */
function wavOf(samples) {
  const head = new DataView(new ArrayBuffer(44));
  const words = { 0: 0x52494646, 8: 0x57415645, 12: 0x666d7420, 36: 0x64617461 }; // RIFF, WAVE, fmt, data
  for (const [at, word] of Object.entries(words)) head.setUint32(Number(at), word);
  for (const [at, value] of [
    [4, 36 + samples.byteLength],
    [16, 16],
    [24, 48_000],
    [28, 4 * 48_000],
    [40, samples.byteLength],
  ])
    head.setUint32(at, value, true);
  for (const [at, value] of [
    [20, 3],
    [22, 1],
    [32, 4],
    [34, 32],
  ])
    head.setUint16(at, value, true);
  return new Blob([head, samples]);
}

export default CASES[new URL(import.meta.url).searchParams.get("case")];
