// What each layer of LeNet-5 sees, and of what a pixel of it was made.
import { signal } from "@preact/signals";
import { Shades } from "../parts/canvas.js";
import { short } from "../parts/format.js";
import { type Digit, digit, weights } from "./digit-state.js";

type Name = "conv1" | "pool1" | "conv2";
const MAPS: readonly { name: Name; maps: number; side: number; says: string }[] = [
  { name: "conv1", maps: 6, side: 28, says: "6 maps of 28 × 28: 5 × 5 weights each, then relu" },
  { name: "pool1", maps: 6, side: 14, says: "the largest of every 2 × 2" },
  { name: "conv2", maps: 16, side: 10, says: "16 maps of 10 × 10: 5 × 5 weights over all 6 maps, then relu" },
];
const KERNEL = 5;
const PAD = 2;

interface Probe {
  readonly name: Name;
  readonly map: number;
  readonly y: number;
  readonly x: number;
}
const probe = signal<Probe>({ name: "conv1", map: 0, y: 10, x: 12 });

function largest(values: Float32Array): number {
  return values.reduce((a, b) => Math.max(a, b), 1e-6);
}

function FeatureMap({
  name,
  map,
  side,
  values,
  most,
}: {
  name: Name;
  map: number;
  side: number;
  values: Float32Array;
  most: number;
}) {
  const { name: at, map: chosen, x, y } = probe.value;
  const isChosen = at === name && chosen === map;
  const move = (dx: number, dy: number) => {
    const from = isChosen ? { x, y } : { x: side >> 1, y: side >> 1 };
    const clamp = (value: number) => Math.min(side - 1, Math.max(0, value));
    probe.value = { name, map, x: clamp(from.x + dx), y: clamp(from.y + dy) };
  };
  const point = (event: PointerEvent) => {
    const { left, top, width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const cell = (value: number) => Math.min(side - 1, Math.max(0, Math.floor((value / width) * side)));
    probe.value = { name, map, x: cell(event.clientX - left), y: cell(event.clientY - top) };
  };
  const mark = isChosen && {
    insetInlineStart: "auto",
    left: `${(100 * x) / side}%`,
    top: `${(100 * y) / side}%`,
    width: `${100 / side}%`,
    height: `${100 / side}%`,
  };
  return (
    <button
      type="button"
      class="map"
      aria-pressed={isChosen}
      aria-label={`${name}, map ${map + 1}; arrow keys choose a pixel`}
      onPointerMove={point}
      onPointerDown={point}
      onFocus={() => move(0, 0)}
      onKeyDown={(event) => {
        const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        if (!by) return;
        event.preventDefault();
        move(by[0] as number, by[1] as number);
      }}
    >
      <Shades values={values.map((value) => value / most)} width={side} />
      {mark && <span class="mark" style={mark} />}
    </button>
  );
}

/** Terms of one sum: values of the input around a pixel and the weights they meet. */
interface Patch {
  readonly inputs: readonly number[];
  readonly weights: readonly number[];
}

export function patchesOf(found: Digit, given: NonNullable<typeof weights.value>, { name, map, x, y }: Probe): Patch[] {
  const isFirst = name === "conv1";
  const [channels, side, pad] = isFirst ? [1, 28, PAD] : [6, 14, 0];
  const [values, kernels] = isFirst ? [found.pixels, given.conv1] : [found.pool1, given.conv2];
  return Array.from({ length: channels }, (_, c) => {
    const inputs: number[] = [];
    for (let r = 0; r < KERNEL; r++)
      for (let s = 0; s < KERNEL; s++) {
        const [h, w] = [y + r - pad, x + s - pad];
        const isInside = h >= 0 && h < side && w >= 0 && w < side;
        inputs.push(isInside ? (values[(c * side + h) * side + w] as number) : 0);
      }
    const first = (map * channels + c) * KERNEL * KERNEL;
    return { inputs, weights: Array.from(kernels.subarray(first, first + KERNEL * KERNEL)) };
  });
}

const dot = ({ inputs, weights: w }: Patch) => inputs.reduce((sum, value, i) => sum + value * (w[i] as number), 0);

function Signed({ values, most }: { values: readonly number[]; most: number }) {
  const negative = values.map((value) => Math.max(0, -value / most));
  const positive = values.map((value) => Math.max(0, value / most));
  return (
    <span class="signed">
      <Shades values={positive} width={KERNEL} to="lane1" from="panel" />
      <Shades values={negative} width={KERNEL} to="lane3" from="panel" class="shades over" />
    </span>
  );
}

function Sum({ found, given, at }: { found: Digit; given: NonNullable<typeof weights.value>; at: Probe }) {
  const side = at.name === "conv1" ? 28 : 10;
  const patches = patchesOf(found, given, at);
  const bias = (at.name === "conv1" ? given.bias1 : given.bias2)[at.map] as number;
  const parts = patches.map(dot);
  const sum = parts.reduce((a, b) => a + b, bias);
  const library = found[at.name][(at.map * side + at.y) * side + at.x] as number;
  const mostWeight = Math.max(...patches.flatMap((patch) => patch.weights.map(Math.abs)));
  const mostInput = Math.max(1e-6, ...patches.flatMap((patch) => patch.inputs));
  const terms = parts.map((part) => short(part)).join(" + ");
  return (
    <>
      <div class="patches">
        {patches.map((patch, i) => (
          <span key={i} class="patch">
            <Shades values={patch.inputs.map((value) => value / mostInput)} width={KERNEL} />
            <span aria-hidden="true">×</span>
            <Signed values={patch.weights} most={mostWeight} />
          </span>
        ))}
      </div>
      <p class="sum">
        {patches.length === 1 ? `25 products make ${terms}` : `150 products, by channel: ${terms}`}; with the bias{" "}
        {short(bias)} that is <b>{short(sum)}</b>, after relu <b>{short(Math.max(0, sum))}</b>. The kernel's:{" "}
        <b>{short(library)}</b>.
      </p>
    </>
  );
}

function Pooled({ found, at }: { found: Digit; at: Probe }) {
  const inputs = [0, 1, 2, 3].map(
    (i) => found.conv1[(at.map * 28 + 2 * at.y + (i >> 1)) * 28 + 2 * at.x + (i & 1)] as number,
  );
  const library = found.pool1[(at.map * 14 + at.y) * 14 + at.x] as number;
  return (
    <p class="sum">
      max({inputs.map((value) => short(value)).join(", ")}) = <b>{short(Math.max(...inputs))}</b>. The kernel's:{" "}
      <b>{short(library)}</b>.
    </p>
  );
}

function Explained() {
  const found = digit.value;
  const given = weights.value;
  const at = probe.value;
  if (!found || !given) return <div class="explained" />;
  return (
    <div class="explained" aria-live="polite">
      <p class="label">
        {at.name}, map {at.map + 1}, row {at.y + 1}, column {at.x + 1}
      </p>
      {at.name === "pool1" ? <Pooled found={found} at={at} /> : <Sum found={found} given={given} at={at} />}
    </div>
  );
}

export function Layers() {
  const found = digit.value;
  return (
    <div class="layers">
      {MAPS.map(({ name, maps, side, says }) => {
        const values = found?.[name] ?? new Float32Array(maps * side * side);
        const most = largest(values);
        return (
          <figure key={name} class={`layer ${name}`}>
            <figcaption>
              <b>{name}</b> {says}
            </figcaption>
            <div class="maps">
              {Array.from({ length: maps }, (_, map) => (
                <FeatureMap
                  key={map}
                  {...{ name, map, side, most }}
                  values={values.subarray(map * side * side, (map + 1) * side * side)}
                />
              ))}
            </div>
          </figure>
        );
      })}
      <Explained />
    </div>
  );
}
