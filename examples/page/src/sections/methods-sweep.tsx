// Why not always Winograd? Time against kernel size, where the lines cross.
import { Canvas, colour } from "../parts/canvas.js";
import { Choice } from "../parts/controls.js";
import { milliseconds } from "../parts/format.js";
import { change, measureSweep, running, SWEEPS, SWEPT, type Swept, sweepName, sweeps } from "./methods-state.js";

const LANES = { "implicit-gemm": "lane1", fft: "lane3", winograd43: "lane4", depthwise: "lane1" } as const;
const NAMES = {
  "implicit-gemm": "implicit GEMM",
  fft: "FFT",
  winograd43: "Winograd F(4,3)",
  depthwise: "depthwise, by its definition",
} as const;
type Line = keyof typeof LANES;
const LAYERS = { dense: "16 → 16 channels", depthwise: "64 channels, depthwise" };
const EDGE = { left: 44, right: 12, top: 12, bottom: 30 };

/** Both axes are logarithmic. */
function paint(
  found: Swept | undefined,
  methods: readonly Line[],
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
) {
  const times = methods.flatMap((method) => (found?.[method] ?? []).map(([, ms]) => ms));
  const low = 10 ** Math.floor(Math.log10(Math.min(0.1, ...times)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(10, ...times)));
  const x = (K: number) => EDGE.left + ((width - EDGE.left - EDGE.right) * Math.log(K / 3)) / Math.log(31 / 3);
  const y = (ms: number) =>
    height - EDGE.bottom - ((height - EDGE.top - EDGE.bottom) * Math.log(ms / low)) / Math.log(high / low);
  context.font = `12px ${colour("mono")}`;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (let ms = low; ms <= high * 1.001; ms *= 10) {
    context.fillStyle = colour("line");
    context.fillRect(EDGE.left, y(ms), width - EDGE.left - EDGE.right, 1);
    context.fillStyle = colour("muted");
    context.fillText(String(Number(ms.toPrecision(2))), EDGE.left - 8, y(ms));
  }
  context.textAlign = "center";
  for (const K of SWEPT) context.fillText(String(K), x(K), height - EDGE.bottom + 16);
  if (!found) context.fillText("not measured yet", (EDGE.left + width - EDGE.right) / 2, height / 2);
  for (const method of methods) {
    const points = found?.[method] ?? [];
    context.strokeStyle = colour(LANES[method]);
    context.fillStyle = colour(LANES[method]);
    context.lineWidth = 2;
    context.beginPath();
    for (const [K, ms] of points) context.lineTo(x(K), y(ms));
    context.stroke();
    for (const [K, ms] of points) {
      context.beginPath();
      context.arc(x(K), y(ms), method === "winograd43" ? 6 : 3.5, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

/** What there is to be seen, in words. */
function Seen({ found, by }: { readonly found: Swept; readonly by: Line }) {
  const sums = found[by] ?? [];
  const ffts = found.fft ?? [];
  const at = (list: typeof sums, K: number) => list.find(([size]) => size === K)?.[1];
  const crossing = ffts.find(([K, ms]) => ms < (at(sums, K) ?? 0))?.[0];
  const last = [at(ffts, 31), at(sums, 31)];
  const winograd = found.winograd43?.[0]?.[1];
  if (last[0] === undefined || last[1] === undefined) return null;
  return (
    <p>
      {winograd !== undefined &&
        `At 3 × 3 Winograd takes ${milliseconds(winograd)} ms, FFT ${milliseconds(at(ffts, 3) ?? 0)}, the matrix product ${milliseconds(at(sums, 3) ?? 0)}. `}
      {crossing === undefined
        ? "Here FFT is never the faster one."
        : `From ${crossing} × ${crossing} on FFT is faster than ${by === "depthwise" ? "the definition" : "the matrix product"}; at 31 × 31 it takes ${milliseconds(last[0])} ms, the other ${milliseconds(last[1])}.`}
    </p>
  );
}

export function Sweep() {
  const name = sweepName.value;
  const found = sweeps.value[name];
  const methods: readonly Line[] = SWEEPS[name].methods;
  return (
    <section class="how sweep" aria-label="Why not always Winograd?">
      <h3>Why not always Winograd?</h3>
      <p>
        It is for 3 taps: with larger kernels its points multiply, and its rounding with them. Those are for sums of
        products, until FFT, whose work hardly grows, passes them. Milliseconds against R = S, on 56 × 56:
      </p>
      <Choice
        label="layer of the plot"
        value={name}
        of={["dense", "depthwise"]}
        names={LAYERS}
        set={(sweep) => change({ sweep })}
      />
      <Canvas
        class="plot"
        ratio={1.9}
        draw={(context, width, height) => paint(found, methods, context, width, height)}
        role="img"
        aria-label={found ? "Time against kernel size" : "Nothing is measured yet"}
      />
      <div class="row between">
        <button type="button" onClick={() => void measureSweep(name)} disabled={running.value.method !== ""}>
          {found ? "Measure again" : "Measure"}
        </button>
        <p class="legend">
          {methods.map((method) => (
            <span key={method}>
              <span class="key dot" style={{ background: `var(--${LANES[method]})` }} /> {NAMES[method]}{" "}
            </span>
          ))}
        </p>
      </div>
      {found && <Seen found={found} by={methods[0] as Line} />}
    </section>
  );
}
