// 2: what is in a photo, and what comes of the usual mistakes.
import { computed, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { stateOf } from "../address.js";
import { call } from "../call.js";
import type { Answer } from "../engine/ops.js";
import type { Mistake } from "../engine/photo.js";
import { Choice } from "../parts/controls.js";
import { Drop } from "../parts/drop.js";
import { bytes, milliseconds } from "../parts/format.js";

const NAMES: Readonly<Record<Mistake, string>> = {
  none: "nothing",
  bgr: "BGR for RGB",
  bytes: "0 to 255",
  mean: "no mean",
  layout: "layout mixed up",
  canvas: "canvas resize",
};
const SAYS: Readonly<Record<Mistake, string>> = {
  none: "As the network learned it: the same pixels that Pillow and torchvision make of the photo, bit for bit.",
  bgr: "Red and blue exchanged, as OpenCV's imread() has them.",
  bytes: "Bytes as they are, where the network expects them divided by 255, less the mean, over the deviation.",
  mean: "Divided by 255, but the mean not taken off.",
  layout: "Height, width, colours (as canvases have them) where the network reads colours, height, width.",
  canvas: "Made small by a canvas: browsers look at fewer pixels than Pillow does, and each at others.",
};
const MISTAKES = Object.keys(NAMES) as Mistake[];

const state = stateOf("photo", { wrong: { is: "none", of: MISTAKES } });
const opened = signal<(Answer<"openClassifier"> & { readonly name: string }) | undefined>(undefined);
const answers = signal<Answer<"classifyPhoto">["answers"] | undefined>(undefined);
const failure = signal("");
const busy = signal("");
const camera = signal<MediaStream | undefined>(undefined);
/** What is looked at, kept for the next question. */
const photo = signal<ImageBitmap | undefined>(undefined);
const wrong = computed(() => state.now.value.wrong as Mistake);

/** The classifier that the site has, where it has one: put into index.html by the build. */
function siteFile(): { readonly name: string; readonly size: number } | undefined {
  const { classifier, bytes: size } = (document.querySelector("#photo") as HTMLElement).dataset;
  return classifier ? { name: classifier, size: Number(size) } : undefined;
}

async function attempt(what: string, run: () => Promise<void>): Promise<void> {
  busy.value = what;
  failure.value = "";
  try {
    await run();
  } catch (error) {
    failure.value = (error as Error).message;
  }
  busy.value = "";
}

/** Every mistake at once: a network of this size takes some ten milliseconds. */
async function ask(): Promise<void> {
  if (!photo.value || !opened.value) return;
  const picture = await createImageBitmap(photo.value);
  answers.value = (await call("classifyPhoto", { picture, mistakes: MISTAKES })).answers;
}

async function setClassifier(name: string, file: ArrayBuffer): Promise<void> {
  opened.value = { ...(await call("openClassifier", { file })), name };
  answers.value = undefined;
  if (!photo.value) await fetchPhoto();
  await ask();
}

async function fetchPhoto(): Promise<void> {
  const response = await fetch(new URL("chelsea.jpg", document.baseURI));
  if (response.ok) photo.value = await createImageBitmap(await response.blob());
}

const fetchClassifier = (name: string) =>
  attempt("Fetching …", async () => {
    const response = await fetch(new URL(name, document.baseURI));
    if (!response.ok) throw new Error(`"${name}" expected a file, got status ${response.status}`);
    await setClassifier(name, await response.arrayBuffer());
  });

/** Most bytes of a file that is dropped here. */
const MAX_BYTES = 1 << 28;

export const take = (file: File) =>
  attempt(`Reading ${file.name} …`, async () => {
    if (file.size > MAX_BYTES)
      throw new Error(`"${file.name}" expected at most ${bytes(MAX_BYTES)}, got ${bytes(file.size)}`);
    if (/\.onnx$/i.test(file.name)) return setClassifier(file.name, await file.arrayBuffer());
    let bitmap: ImageBitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      throw new Error(
        `"${file.name}" expected a photo that this browser reads, or an .onnx file, got ${file.type || "neither"}`,
      );
    }
    photo.value = bitmap;
    await ask();
  });

async function watch(): Promise<void> {
  if (camera.value) {
    for (const track of camera.value.getTracks()) track.stop();
    camera.value = undefined;
    return;
  }
  await attempt("Asking for the camera …", async () => {
    try {
      camera.value = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: 640 } });
    } catch (error) {
      const { name, message } = error as Error;
      throw new Error(`The camera was refused: ${name}, ${message}`);
    }
  });
}

/** Frames of the camera: moved to the worker one after the other, never two at once. */
function Camera() {
  const ref = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const video = ref.current;
    const stream = camera.value;
    if (!video || !stream) return;
    video.srcObject = stream;
    let isOver = false;
    const follow = async () => {
      await video.play().catch(() => {});
      while (!isOver) {
        await new Promise(requestAnimationFrame);
        if (video.readyState < 2 || document.hidden || isOver) continue;
        const picture = "VideoFrame" in globalThis ? new VideoFrame(video) : await createImageBitmap(video);
        try {
          answers.value = (await call("classifyPhoto", { picture, mistakes: [wrong.peek()] })).answers;
        } catch (error) {
          failure.value = (error as Error).message;
          return;
        }
      }
    };
    void follow();
    return () => {
      isOver = true;
    };
  }, [camera.value]);
  return <video ref={ref} muted playsInline class="photo" />;
}

function Picture() {
  const ref = useRef<HTMLCanvasElement>(null);
  const bitmap = photo.value;
  useEffect(() => {
    if (!bitmap || !ref.current) return;
    const scale = Math.min(1, 640 / bitmap.width);
    ref.current.width = Math.round(bitmap.width * scale);
    ref.current.height = Math.round(bitmap.height * scale);
    ref.current.getContext("2d")?.drawImage(bitmap, 0, 0, ref.current.width, ref.current.height);
  }, [bitmap]);
  return bitmap ? <canvas ref={ref} class="photo" role="img" aria-label="The photo" /> : null;
}

function Found() {
  const chosen = answers.value?.find(({ mistake }) => mistake === wrong.value);
  const right = answers.value?.find(({ mistake }) => mistake === "none");
  if (!chosen) return null;
  return (
    <div class="found" data-label={chosen.found[0]?.label}>
      <ol class="bars labels">
        {chosen.found.map(({ label, score }, i) => (
          <li key={label} class={i === 0 ? "best" : ""}>
            <span class="name">{label}</span>
            <span class="bar">
              <span style={{ inlineSize: `${(100 * score).toFixed(1)}%` }} />
            </span>
            <span class="percent">{(100 * score).toFixed(1)} %</span>
          </li>
        ))}
      </ol>
      <p class="quiet">
        prepared in <span class="figure">{milliseconds(chosen.prepareMs)} ms</span>, run in{" "}
        <span class="figure">{milliseconds(chosen.runMs)} ms</span>
      </p>
      <p class="formula">{chosen.explained}</p>
      {wrong.value !== "none" && right && (
        <p>
          Without the mistake: <b>{right.found[0]?.label}</b>, {(100 * (right.found[0]?.score ?? 0)).toFixed(1)} %.
        </p>
      )}
    </div>
  );
}

export function Photo() {
  const site = siteFile();
  return (
    <>
      <div class="row">
        {site && !opened.value && (
          <button
            type="button"
            class="primary"
            onClick={() => void fetchClassifier(site.name)}
            disabled={busy.value !== ""}
          >
            Fetch ShuffleNet v2, {bytes(site.size)}
          </button>
        )}
        {opened.value && (
          <button type="button" onClick={() => void watch()} aria-pressed={camera.value !== undefined}>
            {camera.value ? "Stop the camera" : "Use the camera"}
          </button>
        )}
        <p class="busy quiet" aria-live="polite">
          {busy.value || (opened.value ? `${opened.value.name}, ready in ${milliseconds(opened.value.loadMs)} ms` : "")}
        </p>
      </div>
      <Drop name="photo" accept="image/*,.onnx" take={(file) => void take(file)}>
        <b>Choose a photo, or drop one here</b>
        {opened.value ? "" : ", or a classifier of ImageNet as an .onnx file"}. It stays on this device.
      </Drop>
      {failure.value && <p class="refusal">{failure.value}</p>}
      <fieldset class="wrong">
        <legend>What goes wrong?</legend>
        <Choice
          label="what goes wrong"
          value={wrong.value}
          of={MISTAKES}
          names={NAMES}
          set={(chosen) => state.set({ wrong: chosen })}
        />
        <p>{SAYS[wrong.value]}</p>
      </fieldset>
      <div class="looked">
        {camera.value ? <Camera /> : <Picture />}
        <Found />
      </div>
    </>
  );
}
