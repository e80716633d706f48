// The page: its text stands in index.html; what moves is put into it here, one section after the other, so that none blocks it long.
import { effect } from "@preact/signals";
import { type ComponentType, render } from "preact";
import { place } from "./address.js";
import { where } from "./call.js";
import { bytes } from "./parts/format.js";
import { Conv } from "./sections/conv.js";
import { startConv } from "./sections/conv-state.js";
import { Digit } from "./sections/digit.js";
import {
  digit,
  failure,
  firstAnswerMs,
  firstBytes,
  isPartOfBytes,
  loadExamples,
  startDigit,
} from "./sections/digit-state.js";
import { Methods } from "./sections/methods.js";
import { Model } from "./sections/model.js";
import { Nets, startNets } from "./sections/nets.js";
import { Photo } from "./sections/photo.js";
import { loadReport, Report, report, reportFailure } from "./sections/report.js";

function Status() {
  const found = report.value;
  const first = firstAnswerMs.value;
  if (reportFailure.value) return <span class="refusal">{reportFailure.value}</span>;
  return (
    <>
      <span>{found ? found.variant : "…"}</span>
      <span>{found ? `${found.threads.running} thread${found.threads.running > 1 ? "s" : ""}` : "…"}</span>
      {where.value === "page" && <span>without a worker</span>}
      <span>{firstBytes.value > 0 ? `${bytes(firstBytes.value)}${isPartOfBytes.value ? "+" : ""} fetched` : "…"}</span>
      <span data-first={first}>{first === undefined ? "…" : `first answer ${Math.round(first)} ms`}</span>
    </>
  );
}

const SECTIONS: Readonly<Record<string, { Body: ComponentType; start?: () => unknown }>> = {
  digit: { Body: Digit },
  photo: { Body: Photo },
  conv: { Body: Conv, start: startConv },
  methods: { Body: Methods },
  nets: { Body: Nets, start: startNets },
  model: { Body: Model },
  report: { Body: Report, start: () => void loadReport() },
};

const turn = () => new Promise((next) => setTimeout(next));

/** Copies a snippet. */
function copying() {
  document.addEventListener("click", async ({ target }) => {
    const button = target instanceof Element ? target.closest<HTMLButtonElement>("button.copy") : null;
    const code = button?.parentElement?.querySelector("code")?.textContent;
    if (!button || !code) return;
    try {
      await navigator.clipboard.writeText(code);
      button.textContent = "copied";
    } catch {
      getSelection()?.selectAllChildren(button.parentElement?.querySelector("code") as Element);
    }
  });
}

/** Resolves when the first digit is answered: until then nothing else takes the machine's time. Not longer than a while. */
const PATIENCE_MS = 1500;
function firstAnswer(): Promise<void> {
  return new Promise((next) => {
    setTimeout(next, PATIENCE_MS);
    effect(() => {
      if (digit.value || failure.value) next();
    });
  });
}

/** Answers what the section waits for, if it becomes larger then. */
function mount(id: string): unknown {
  const { Body, start } = SECTIONS[id] as (typeof SECTIONS)[string];
  const body = document.querySelector(`#${id} .body`) as Element;
  body.textContent = "";
  render(<Body />, body);
  return start?.();
}

/** The address's section comes into view, and again when those above it are as large as they stay, unless the reader has moved by then. */
async function arrive(growing: readonly unknown[]): Promise<void> {
  const { section } = place.peek();
  const goThere = () => document.getElementById(section)?.scrollIntoView();
  if (!section) return;
  goThere();
  const moved = new AbortController();
  for (const event of ["wheel", "touchstart", "pointerdown", "keydown"])
    addEventListener(event, () => moved.abort(), { passive: true, signal: moved.signal });
  await Promise.all(growing);
  await new Promise(requestAnimationFrame); // drawn
  if (!moved.signal.aborted && place.peek().section === section) goThere();
  moved.abort();
}

async function show(): Promise<void> {
  // Asked before anything is drawn, where the examples are there: the worker computes meanwhile.
  startDigit();
  await Promise.race([loadExamples(), turn()]);
  render(<Status />, document.querySelector("#status") as Element);
  const [first = "", ...others] = Object.keys(SECTIONS);
  mount(first);
  await firstAnswer();
  // That of the address before those that nobody asked for: on a slow phone all of them take seconds.
  const asked = place.peek().section;
  const growing: unknown[] = [];
  for (const id of others.toSorted((a, b) => Number(b === asked) - Number(a === asked))) {
    await turn();
    growing.push(mount(id));
  }
  document.documentElement.dataset["ready"] = "";
  void arrive(growing);
  copying();
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("sw.js").catch(() => {}); // offline it is not, then
}

void show();
// An address of a section is not an element's, once it has a state.
place.subscribe(({ section }) => {
  if ("ready" in document.documentElement.dataset) document.getElementById(section)?.scrollIntoView();
});
