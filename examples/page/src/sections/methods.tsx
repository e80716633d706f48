// 4: one layer, every way to compute it, on the visitor's machine.
import type { Method } from "../engine/methods.js";
import { Stepper } from "../parts/controls.js";
import { bytes, count, milliseconds, scientific } from "../parts/format.js";
import { Drawing } from "./methods-drawings.js";
import { NAMES, SAYS, workOf } from "./methods-facts.js";
import { change, measureAll, measured, methodsOf, now, type Row, running, size, stop } from "./methods-state.js";
import { Sweep } from "./methods-sweep.js";

const PRESETS = [
  { says: "64 → 64, 3 × 3, 56 × 56", c: 64, m: 64, h: 56, k: 3 },
  { says: "128 → 128, 3 × 3, 28 × 28", c: 128, m: 128, h: 28, k: 3 },
  { says: "16 → 16, 9 × 9, 56 × 56", c: 16, m: 16, h: 56, k: 9 },
] as const;

function LayerControls() {
  const { c, m, h, k } = now.value;
  return (
    <div class="controls">
      <div class="row">
        {PRESETS.map(({ says, ...preset }) => (
          <button
            type="button"
            key={says}
            aria-pressed={preset.c === c && preset.m === m && preset.h === h && preset.k === k}
            onClick={() => change(preset)}
          >
            {says}
          </button>
        ))}
      </div>
      <div class="steppers pairs">
        <Stepper label="C" word="channels C" value={c} from={1} to={256} set={(c) => change({ c })} />
        <Stepper label="M" word="filters M" value={m} from={1} to={256} set={(m) => change({ m })} />
        <Stepper label="H = W" word="size H = W" value={h} from={4} to={128} set={(h) => change({ h })} />
        <Stepper
          label="R = S"
          word="kernel R = S"
          value={k}
          from={1}
          to={31}
          set={(n) => change({ k: n % 2 === 0 ? (n > k ? n + 1 : n - 1) : n })}
        />
      </div>
    </div>
  );
}

const laneOf: Readonly<Record<Method, string>> = {
  loops: "muted",
  direct: "lane2",
  im2col: "lane1",
  "implicit-gemm": "lane1",
  fft: "lane3",
  depthwise: "lane2",
  winograd23: "lane4",
  winograd43: "lane4",
  winograd63: "lane4",
  threads: "lane2",
};

function MethodRow({ method, row, slowest, most }: MethodRowProps) {
  const work = workOf(method, size.value);
  const isRunning = running.value.method === method;
  const isOver = row !== undefined && row.ms > 1.15 * slowest;
  const share = isRunning ? running.value.share : row && !row.refusal ? Math.min(1, row.ms / slowest) : 0;
  const name = row && row.threads > 1 ? `${NAMES[method]} (${row.threads})` : NAMES[method];
  return (
    <tr
      class={`${now.value.by === method ? "chosen" : ""} ${isRunning ? "running" : ""}`}
      style={{ "--lane": `var(--${laneOf[method]})` }}
    >
      <th scope="row">
        <button type="button" aria-pressed={now.value.by === method} onClick={() => change({ by: method })}>
          {name}
        </button>
      </th>
      <td class="bars-cell">
        <span class={`bar time ${isOver ? "over" : ""}`}>
          <span style={{ inlineSize: `${100 * share}%` }} />
        </span>
        <span class="bar work">
          <span style={{ inlineSize: `${(100 * work.multiplications) / most}%` }} />
        </span>
      </td>
      <td class="number" data-ms={row?.ms}>
        {row?.refusal
          ? "–"
          : row
            ? `${milliseconds(row.ms)} ms`
            : isRunning
              ? running.value.isPaused
                ? "paused"
                : "…"
              : ""}
      </td>
      <td class="number" data-multiplications={work.multiplications}>
        {count(work.multiplications)}
      </td>
      <td class="number wide">{row && !row.refusal ? scientific(row.error) : ""}</td>
      <td class="number wide">
        {row && !row.refusal ? (row.workspaceBytes > 0 ? bytes(row.workspaceBytes) : "0") : ""}
      </td>
    </tr>
  );
}

interface MethodRowProps {
  readonly method: Method;
  readonly row: Row | undefined;
  readonly slowest: number;
  readonly most: number;
}

/** How much faster the best is than plain JavaScript. */
function Wow({ rows }: { readonly rows: ReadonlyMap<Method, Row> }) {
  const loops = rows.get("loops");
  const others = [...rows.values()].filter(({ method, refusal }) => method !== "loops" && !refusal);
  if (!loops || loops.refusal || others.length === 0) return null;
  const best = others.reduce((a, b) => (b.ms < a.ms ? b : a));
  const factor = loops.ms / best.ms;
  const fewer = workOf("loops", size.value).multiplications / workOf(best.method, size.value).multiplications;
  return (
    <p class="wow" data-factor={factor}>
      <b>{factor >= 10 ? Math.round(factor) : factor.toFixed(1)}×</b> faster: {NAMES[best.method]} takes{" "}
      {milliseconds(best.ms)} ms where JavaScript's loops take {milliseconds(loops.ms)}.{" "}
      {fewer >= 1.05 ? `It multiplies ${fewer.toFixed(1)} times less` : "It multiplies as often"}: the rest is four
      lanes, registers and caches.
    </p>
  );
}

export function Methods() {
  const layer = size.value;
  const isCurrent = measured.value?.size === layer;
  const rows: ReadonlyMap<Method, Row> = isCurrent ? (measured.value?.rows ?? new Map()) : new Map();
  const methods = methodsOf(layer);
  const times = [...rows.values()].filter(({ method, refusal }) => method !== "loops" && !refusal).map(({ ms }) => ms);
  const slowest = Math.max(1e-6, ...times);
  const most = Math.max(...methods.map((method) => workOf(method, layer).multiplications));
  const isRunning = running.value.method !== "";
  const by = methods.includes(now.value.by as Method) ? (now.value.by as Method) : "direct";
  return (
    <>
      <LayerControls />
      <div class="row between">
        <button
          type="button"
          class="primary"
          onClick={() => (isRunning ? stop() : void measureAll())}
          data-running={isRunning}
        >
          {isRunning ? "Stop" : rows.size > 0 ? "Measure again" : "Measure on this device"}
        </button>
        <p class="legend" aria-live="polite">
          {running.value.isPaused ? (
            <b>Paused: this tab is hidden, and a hidden tab is slowed down.</b>
          ) : (
            <>
              <span class="key time" /> time, median of 7 <span class="key work" /> multiplications
            </>
          )}
        </p>
      </div>
      <div class="scroll">
        <table class="methods">
          <caption class="sr">Methods of one layer: milliseconds and multiplications</caption>
          <thead>
            <tr>
              <th scope="col">Method</th>
              <td />
              <th scope="col" class="number">
                Time
              </th>
              <th scope="col" class="number">
                Products
              </th>
              <th scope="col" class="number wide">
                Error
              </th>
              <th scope="col" class="number wide">
                Workspace
              </th>
            </tr>
          </thead>
          <tbody>
            {methods.map((method) => (
              <MethodRow key={method} {...{ method, slowest, most }} row={rows.get(method)} />
            ))}
          </tbody>
        </table>
      </div>
      <div class="wow-place">
        <Wow rows={rows} />
      </div>
      <section class="how" aria-label={NAMES[by]}>
        <h3>{NAMES[by]}</h3>
        <p>{SAYS[by]}</p>
        <p class="formula">
          {workOf(by, layer).formula} = <b>{count(workOf(by, layer).multiplications)}</b>
        </p>
        {rows.get(by)?.refusal && <p class="refusal">{rows.get(by)?.refusal}</p>}
        <Drawing method={by} />
      </section>
      <Sweep />
    </>
  );
}
