// 1: draw a digit.
import { computed, signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { Canvas, colour, Shades } from "../parts/canvas.js";
import { milliseconds } from "../parts/format.js";
import { Layers } from "./digit-layers.js";
import { choose, digit, draw, example, examples, failure, isEmpty, pixels, strokes } from "./digit-state.js";
import { type Point, SIDE, type Stroke } from "./strokes.js";

/** Points closer than this to the one before are left out. */
const STEP = 0.7;
const cursor = signal<Point | undefined>(undefined);

/** The example that is shown, 0 for none: what was drawn goes before it. */
const chosen = computed(() => (strokes.value.length === 0 ? example.value : 0));

function paint(context: CanvasRenderingContext2D, size: number) {
  const scale = size / SIDE;
  context.fillStyle = colour("grid");
  for (let i = 0; i <= SIDE; i += 4) {
    context.fillRect(i * scale - 0.5, 0, 1, size);
    context.fillRect(0, i * scale - 0.5, size, 1);
  }
  const shown = examples.value[chosen.value - 1];
  context.fillStyle = colour("ink");
  shown?.pixels.forEach((value, i) => {
    context.globalAlpha = value;
    const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
    const [left, top] = [Math.round(x * scale), Math.round(y * scale)];
    context.fillRect(left, top, Math.round((x + 1) * scale) - left, Math.round((y + 1) * scale) - top);
  });
  context.globalAlpha = 1;
  context.strokeStyle = colour("ink");
  context.lineWidth = 2.6 * scale;
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const stroke of strokes.value) {
    context.beginPath();
    for (const [x, y] of stroke) context.lineTo(x * scale, y * scale);
    if (stroke.length === 1) context.lineTo((stroke[0] as Point)[0] * scale + 0.01, (stroke[0] as Point)[1] * scale);
    context.stroke();
  }
  if (cursor.value) {
    context.strokeStyle = colour("lane1");
    context.lineWidth = 2;
    context.strokeRect((cursor.value[0] - 0.5) * scale, (cursor.value[1] - 0.5) * scale, scale, scale);
  }
}

/** By keyboard: arrows move a cell, the space bar draws a dot in it or takes it away, escape clears. */
function onKey(event: KeyboardEvent) {
  const [x, y] = cursor.value ?? [SIDE / 2 + 0.5, SIDE / 2 + 0.5];
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (by) {
    const clamp = (value: number) => Math.min(SIDE - 0.5, Math.max(0.5, value));
    cursor.value = [clamp(x + (by[0] as number)), clamp(y + (by[1] as number))];
  } else if (event.key === " ") {
    cursor.value = [x, y];
    const at = (stroke: Stroke) => stroke[0] as Point;
    const isHere = (stroke: Stroke) => stroke.length === 1 && Math.hypot(at(stroke)[0] - x, at(stroke)[1] - y) < 0.5;
    const others = strokes.value.filter((stroke) => !isHere(stroke));
    draw(others.length < strokes.value.length ? others : [...others, [[x, y]]]);
  } else if (event.key === "Escape") draw([]);
  else return;
  event.preventDefault();
}

function Pad() {
  const line = useRef<Point[] | undefined>(undefined);
  const pointOf = (event: PointerEvent): Point => {
    const { left, top, width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const at = (value: number) => Math.min(SIDE, Math.max(0, (value / width) * SIDE));
    return [at(event.clientX - left), at(event.clientY - top)];
  };
  const before = useRef<readonly Stroke[]>([]);
  return (
    <Canvas
      class="pad"
      ratio={1}
      draw={paint}
      role="application"
      tabIndex={0}
      aria-label="Drawing pad of 28 by 28 cells. Arrow keys move a cell, the space bar draws or erases a dot, escape clears."
      onKeyDown={onKey}
      onBlur={() => {
        cursor.value = undefined;
      }}
      onPointerDown={(event: PointerEvent) => {
        if (event.button !== 0) return;
        (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
        before.current = strokes.value;
        line.current = [pointOf(event)];
        cursor.value = undefined;
        draw([...before.current, line.current]);
      }}
      onPointerMove={(event: PointerEvent) => {
        if (!line.current) return;
        const [x, y] = pointOf(event);
        const [lastX, lastY] = line.current.at(-1) as Point;
        if (Math.hypot(x - lastX, y - lastY) < STEP) return;
        line.current = [...line.current, [x, y]];
        draw([...before.current, line.current]);
      }}
      onPointerUp={() => {
        line.current = undefined;
      }}
      onPointerCancel={() => {
        line.current = undefined;
      }}
    />
  );
}

function Examples() {
  return (
    <fieldset class="examples" aria-label="Digits of MNIST's test set">
      {examples.value.map(({ label, pixels: shown }, i) => (
        <button
          type="button"
          key={i}
          aria-pressed={chosen.value === i + 1}
          aria-label={i < 10 ? `Example: ${label}` : `Example that it gets wrong: ${label}`}
          class={i < 10 ? "" : "hard"}
          onClick={() => choose(i + 1)}
        >
          <Shades values={shown} width={SIDE} />
        </button>
      ))}
    </fieldset>
  );
}

function Bars({ probabilities }: { readonly probabilities: ArrayLike<number> }) {
  const all = Array.from(probabilities);
  const best = all.indexOf(Math.max(...all));
  return (
    <ol class="bars" start={0}>
      {all.map((share, i) => (
        <li key={i} class={i === best ? "best" : ""}>
          <span>{i}</span>
          <span class="bar">
            <span style={{ inlineSize: `${(100 * share).toFixed(2)}%` }} />
          </span>
          <span class="percent">{share >= 0.0005 ? `${(100 * share).toFixed(1)} %` : "·"}</span>
        </li>
      ))}
    </ol>
  );
}

/** Of a network that has seen digits only, every picture is one. */
function Said() {
  const found = digit.value;
  if (failure.value) return <p class="refusal">{failure.value}</p>;
  if (isEmpty.value || !found)
    return (
      <p class="said quiet" aria-live="polite">
        {isEmpty.value ? "Draw a digit." : "…"}
      </p>
    );
  const all = Array.from(found.probabilities);
  const share = Math.max(...all);
  const answer = all.indexOf(share);
  const shown = examples.value[chosen.value - 1];
  const isWrong = shown !== undefined && shown.label !== answer;
  return (
    <>
      <p class="said" aria-live="polite" data-answer={found.pixels === pixels.value ? answer : undefined}>
        <b>{answer}</b>
        <span>
          {(100 * share).toFixed(share > 0.9995 ? 0 : 1)} % sure
          {isWrong ? <em> and wrong: someone meant {shown.label}</em> : share < 0.6 ? <em> it is guessing</em> : null}
        </span>
      </p>
      <p class="quiet">
        <span class="figure">{milliseconds(found.ms)} ms</span> in the network,{" "}
        <span class="figure">{milliseconds(found.answeredMs)} ms</span> to the worker and back
      </p>
    </>
  );
}

function Tools() {
  return (
    <div class="row">
      <button type="button" onClick={() => draw(strokes.value.slice(0, -1))} disabled={strokes.value.length === 0}>
        Undo
      </button>
      <button type="button" onClick={() => draw([])} disabled={isEmpty.value}>
        Clear
      </button>
      <span class="seen">
        <Shades values={pixels.value} width={SIDE} aria-hidden="true" />
        <span>as the network sees it</span>
      </span>
    </div>
  );
}

const NOTHING = new Float32Array(10);
const Shares = () => <Bars probabilities={(!isEmpty.value && digit.value?.probabilities) || NOTHING} />;

/** Reads no signal itself, so that a stroke draws no map anew. */
export function Digit() {
  return (
    <>
      <div class="digit">
        <div class="drawing">
          <Pad />
          <Tools />
        </div>
        <div class="answer">
          <Said />
          <Shares />
        </div>
      </div>
      <Examples />
      <p class="quiet examples-note">Of MNIST's test set. It gets the two in dashes wrong.</p>
      <Layers />
    </>
  );
}
