// The arena as a drawing: steps across, bytes up, one bar a value over its lifetime. Pure: a page may show the same text.
//
//   MB ▲  ┌───────────┐  peak
//      │  │  Conv_0   ├──────┐        a bar's colour and hatching say which operator made the value,
//      │  └─────┬─────┤Conv_1│        its title, a tooltip, all the rest
//      └────────┴─────┴──────┴▶ step
import type { InspectedPlan } from "./report.js";

/** Fill, ink, and a path of 8 by 8 that tells one from another without colours. By share of the memory: the first is the largest. */
const STYLES = [
  ["#bcd7f0", "#1f5c99", ""],
  ["#f7d3ad", "#a65a0a", "M0 8L8 0"],
  ["#c9e6c3", "#2f7327", "M0 0L8 8"],
  ["#f3c6cd", "#a3283f", "M0 4H8"],
  ["#d9cbed", "#5f3d96", "M4 0V8"],
  ["#f5e8a3", "#7a6600", "M0 4H8M4 0V8"],
  ["#c5e8e6", "#1d6f6b", "M0 8L8 0M0 0L8 8"],
  ["#e0e0e0", "#555555", "M2 2h1v1h-1zM6 6h1v1h-1z"],
] as const;

const OTHERS = "other operators";
const WORKSPACE = "workspace";
const INPUT = "input";

interface Bar {
  readonly name: string;
  readonly kind: string;
  readonly title: string;
  readonly from: number;
  readonly to: number;
  readonly offset: number;
  readonly bytes: number;
}

const escaped = (text: string) =>
  text.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`).replace(/[\p{Cc}\p{Cs}]/gu, "�");

const shown = (bytes: number) =>
  bytes === 0
    ? "0"
    : bytes < 1e5
      ? `${(bytes / 1e3).toFixed(1)} KB`
      : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`;

function barsOf({ arena, layers }: InspectedPlan): Bar[] {
  const steps = layers.length;
  const layerAt = (i: number) => layers[i]?.layer || layers[i]?.op || "";
  return arena.map((block) => {
    const { name, offset, bytes, first, last } = block;
    const made = layers[first];
    const isWorkspace = name === undefined && first === last;
    const kind = first < 0 ? INPUT : isWorkspace ? WORKSPACE : (made?.op ?? OTHERS);
    const label =
      first < 0 ? `input ${name ?? ""}` : isWorkspace ? `workspace of ${layerAt(first)}` : (name ?? layerAt(first));
    const end = last >= steps ? "the end (an output)" : `step ${Math.max(last, 0)}, ${layerAt(Math.max(last, 0))}`;
    const begin = first < 0 ? "the start" : `step ${first}, ${layerAt(first)}`;
    // Computed in place: the one ends where the other begins, in the middle of a step.
    const meets = (at: number, side: "first" | "last") =>
      !isWorkspace &&
      arena.some(
        (other) =>
          other !== block &&
          other.offset === offset &&
          other.name !== undefined &&
          other[side] === at &&
          other.first !== other.last,
      );
    const from = Math.max(first, 0) + (first >= 0 && meets(first, "last") ? 0.5 : 0);
    const to = Math.min(last + 1, steps) - (last < steps && meets(last, "first") ? 0.5 : 0);
    return {
      name: first < 0 ? (name ?? INPUT) : isWorkspace ? "" : (name ?? ""),
      kind,
      title: `${label}: ${shown(bytes)} at ${shown(offset)}, from ${begin} to ${end}`,
      from,
      to: Math.max(to, from + 0.5),
      offset,
      bytes,
    };
  });
}

/** Steps with the most bytes alive, and how many these are. */
function peakOf(bars: readonly Bar[], steps: number) {
  let peak = { step: 0, bytes: 0, top: 0 };
  for (let step = 0; step < steps; step++) {
    const alive = bars.filter(({ from, to }) => from < step + 1 && to > step);
    const bytes = alive.reduce((sum, bar) => sum + bar.bytes, 0);
    const top = alive.reduce((most, { offset, bytes }) => Math.max(most, offset + bytes), 0);
    if (bytes > peak.bytes) peak = { step, bytes, top };
  }
  return peak;
}

/** The kinds that get a style of their own, by bytes times steps. */
function legendOf(bars: readonly Bar[]): ReadonlyMap<string, number> {
  const areas = new Map<string, number>();
  for (const { kind, bytes, from, to } of bars) areas.set(kind, (areas.get(kind) ?? 0) + bytes * (to - from));
  const kinds = [...areas].sort((a, b) => b[1] - a[1]).map(([kind]) => kind);
  const own = kinds.length <= STYLES.length ? kinds : kinds.slice(0, STYLES.length - 1);
  return new Map([...own, ...(own.length < kinds.length ? [OTHERS] : [])].map((kind, i) => [kind, i]));
}

/** Round steps of an axis, at most `most` of them up to `end`. */
function ticksOf(end: number, most: number): number[] {
  const raw = end / most;
  const power = 10 ** Math.floor(Math.log10(Math.max(raw, 1e-9)));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw) as number;
  const ticks: number[] = [];
  for (let at = 0; at <= end * 1.0001; at += step) ticks.push(at);
  return ticks;
}

const LEAST_WIDTH = 900;
const LEFT = 76;
const TOP = 64;
const HEIGHT = 420;
const LETTER = 5.7;

/** An SVG document of a plan's arena. title: what stands above it. */
export function arenaSvg(plan: InspectedPlan, title: string): string {
  const steps = Math.max(plan.layers.length, 1);
  const perStep = Math.max(LEAST_WIDTH / steps, 6);
  const width = Math.round(steps * perStep);
  const bars = barsOf(plan);
  const most = Math.max(1, ...bars.map(({ offset, bytes }) => offset + bytes));
  const x = (step: number) => LEFT + step * perStep;
  const y = (bytes: number) => TOP + HEIGHT - (bytes / most) * HEIGHT;
  const legend = legendOf(bars);
  const styleOf = (kind: string) => legend.get(kind) ?? (legend.get(OTHERS) as number);
  const peak = peakOf(bars, plan.layers.length);
  const bar = ({ name, kind, title, from, to, offset, bytes }: Bar): string => {
    const [left, top] = [x(from), y(offset + bytes)];
    const [w, h] = [Math.max((to - from) * perStep, 1), Math.max((bytes / most) * HEIGHT, 0.5)];
    const fits = h >= 11 ? Math.floor((w - 6) / LETTER) : 0;
    const text = name.length <= fits ? name : fits >= 4 ? `…${name.slice(1 - fits)}` : ""; // paths differ at their ends
    const label = text
      ? `<text x="${(left + 3).toFixed(1)}" y="${(top + Math.min(h / 2 + 3.5, 14)).toFixed(1)}">${escaped(text)}</text>`
      : "";
    const style = styleOf(kind);
    return `<g><title>${escaped(title)}</title><rect x="${left.toFixed(1)}" y="${top.toFixed(1)}" width="${w.toFixed(1)}" height="${h.toFixed(1)}" fill="url(#p${style})" stroke="${STYLES[style]?.[1]}"/>${label}</g>`;
  };
  const total = { width: LEFT + width + 30, height: TOP + HEIGHT + 96 };
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${total.width}" height="${total.height}" viewBox="0 0 ${total.width} ${total.height}" role="img" aria-label="${escaped(title)}">
<style>text{font:10px ui-monospace,Menlo,Consolas,monospace;fill:#222}.h{font-size:14px;font-weight:bold}.a{fill:#555}rect{stroke-width:.6}.grid{stroke:#ddd}.peak{stroke:#c00;stroke-dasharray:4 3}.p{fill:#c00;font-weight:bold}</style>
<defs>${STYLES.map(([fill, ink, path], i) => `<pattern id="p${i}" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" fill="${fill}"/>${path ? `<path d="${path}" stroke="${ink}" stroke-opacity=".45" fill="none"/>` : ""}</pattern>`).join("")}</defs>
<rect width="100%" height="100%" fill="#fff"/>
<text class="h" x="${LEFT}" y="24">${escaped(title)}</text>
<text class="a" x="${LEFT}" y="42">${steps} steps across, bytes up; ${shown(plan.arenaBytes)} of arena for ${shown(bars.reduce((sum, { bytes }) => sum + bytes, 0))} of values and workspace; most alive: ${shown(peak.bytes)} in step ${peak.step}, ${escaped(plan.layers[peak.step]?.layer || plan.layers[peak.step]?.op || "")}</text>
${ticksOf(most, 6)
  .map(
    (at) =>
      `<path class="grid" d="M${LEFT} ${y(at).toFixed(1)}h${width}"/><text class="a" x="${LEFT - 6}" y="${(y(at) + 3).toFixed(1)}" text-anchor="end">${shown(at)}</text>`,
  )
  .join("\n")}
${ticksOf(steps, Math.max(2, Math.floor(width / 70)))
  .filter((at) => Number.isInteger(at))
  .map((at) => `<text class="a" x="${x(at).toFixed(1)}" y="${TOP + HEIGHT + 14}">${at}</text>`)
  .join("")}
${bars.map(bar).join("\n")}
<path class="peak" d="M${x(peak.step + 0.5).toFixed(1)} ${TOP - 8}V${TOP + HEIGHT + 4}"/><text class="p" x="${Math.min(x(peak.step + 0.5) + 4, LEFT + width - 30).toFixed(1)}" y="${TOP - 3}">peak</text>
${legendText(legend, total)}
</svg>
`;
}

/** The kinds below the drawing, in lines that fit it. */
function legendText(legend: ReadonlyMap<string, number>, { width, height }: { width: number; height: number }): string {
  let [left, top] = [LEFT, height - 58];
  return [...legend]
    .map(([kind, style]) => {
      const room = 30 + kind.length * 6.2;
      if (left > LEFT && left + room > width) [left, top] = [LEFT, top + 18];
      const text = `<rect x="${left.toFixed(1)}" y="${top}" width="16" height="11" fill="url(#p${style})" stroke="${STYLES[style]?.[1]}"/><text x="${(left + 21).toFixed(1)}" y="${top + 9}">${escaped(kind)}</text>`;
      left += room;
      return text;
    })
    .join("");
}
