// How each method works, drawn.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { Method } from "../engine/methods.js";
import { Stepper } from "../parts/controls.js";
import { short } from "../parts/format.js";
import { Spectrum } from "./methods-spectrum.js";

/** A cell of a drawing, in units of 1. */
function Box({ x, y, w = 1, h = 1, lane, text, faint }: BoxProps) {
  return (
    <g>
      <rect
        x={x + 0.04}
        y={y + 0.04}
        width={w - 0.08}
        height={h - 0.08}
        class={`box ${lane} ${faint ? "faint" : ""}`}
      />
      {text !== undefined && (
        <text x={x + w / 2} y={y + h / 2 + 0.16} class="in-box">
          {text}
        </text>
      )}
    </g>
  );
}

interface BoxProps {
  readonly x: number;
  readonly y: number;
  readonly w?: number;
  readonly h?: number;
  readonly lane: string;
  readonly text?: string | undefined;
  readonly faint?: boolean;
}

function Svg({
  width,
  height,
  label,
  children,
}: {
  width: number;
  height: number;
  label: string;
  children: ComponentChildren;
}) {
  return (
    <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label} style={{ maxInlineSize: `${width * 40}px` }}>
      {children}
    </svg>
  );
}

/** One step over a 4 x 4 image with a 3 x 3 window. */
const window_ = signal(0);

/** 4 x 4 image, its four patches of 3 x 3 as rows of a matrix. */
function Im2col({ isImplicit }: { readonly isImplicit: boolean }) {
  const chosen = window_.value;
  const [top, left] = [chosen >> 1, chosen & 1];
  const cells = Array.from({ length: 16 }, (_, i) => [i >> 2, i & 3] as const);
  return (
    <>
      <Svg width={17.4} height={6} label="Patches of an image as rows of a matrix, times the weights as a column">
        {cells.map(([row, column], i) => {
          const isSeen = row >= top && row < top + 3 && column >= left && column < left + 3;
          return (
            <Box key={i} x={column} y={row + 0.6} lane="lane1" faint={!isSeen} text={String.fromCharCode(97 + i)} />
          );
        })}
        <text x={2} y={5.4} class="note">
          the image
        </text>
        {[0, 1, 2, 3].flatMap((patch) =>
          Array.from({ length: 9 }, (_, k) => {
            const at = ((patch >> 1) + Math.floor(k / 3)) * 4 + (patch & 1) + (k % 3);
            return (
              <Box
                key={`${patch}.${k}`}
                x={5 + k}
                y={patch + 0.6}
                lane="lane1"
                faint={patch !== chosen}
                text={String.fromCharCode(97 + at)}
              />
            );
          }),
        )}
        <text x={9.5} y={5.4} class="note">
          {isImplicit
            ? "rows read where they lie: three runs of the image each"
            : "patches, written out: 36 numbers of 16"}
        </text>
        <text x={14.4} y={2.8} class="sign">
          ×
        </text>
        <Box x={14.8} y={0.6} h={4} lane="lane3" text="w" />
        <text x={16.05} y={2.8} class="sign">
          =
        </text>
        {[0, 1, 2, 3].map((patch) => (
          <Box key={patch} x={16.3} y={patch + 0.6} lane="lane2" faint={patch !== chosen} text="y" />
        ))}
      </Svg>
      <Stepper
        label="patch"
        value={chosen + 1}
        from={1}
        to={4}
        set={(value) => {
          window_.value = value - 1;
        }}
      />
    </>
  );
}

/** 4 pixels x 8 filters in registers. */
function Direct() {
  return (
    <Svg width={15} height={6.2} label="Four pixels times eight filters are held in registers">
      {[0, 1, 2, 3].map((i) => (
        <Box key={i} x={0} y={i + 1.6} lane="lane1" text={`x${i}`} />
      ))}
      {[0, 1].map((vector) => (
        <g key={vector}>
          {[0, 1, 2, 3].map((lane) => (
            <Box key={lane} x={2 + vector * 4.4 + lane} y={0} lane="lane3" text={`w${vector * 4 + lane}`} />
          ))}
          {[0, 1, 2, 3].flatMap((row) =>
            [0, 1, 2, 3].map((lane) => (
              <Box
                key={`${row}${lane}`}
                x={2 + vector * 4.4 + lane}
                y={row + 1.6}
                lane="lane2"
                faint={lane > 0}
                text={lane === 0 ? "+=" : undefined}
              />
            )),
          )}
        </g>
      ))}
      <text x={12.7} y={0.65} class="note">
        2 loads
      </text>
      <text x={12.9} y={3.4} class="note">
        8 registers,
      </text>
      <text x={12.9} y={4.1} class="note">
        32 products
      </text>
      <text x={0.5} y={6.1} class="note">
        pixels
      </text>
      <text x={6.2} y={6.1} class="note">
        sums of 4 pixels and 8 filters
      </text>
    </Svg>
  );
}

const d = signal([1, 2, 3, 4]);
const g = signal([1, 0, -1]);

function Numbers({
  label,
  values,
  set,
}: {
  label: string;
  values: readonly number[];
  set: (values: number[]) => void;
}) {
  return (
    <div class={`steppers ${values.length === 4 ? "pairs" : ""}`}>
      {values.map((value, i) => (
        <Stepper
          key={i}
          label={`${label}${"₀₁₂₃".charAt(i)}`}
          value={value}
          from={-9}
          to={9}
          set={(changed) => set(values.map((other, k) => (k === i ? changed : other)))}
        />
      ))}
    </div>
  );
}

/** F(2,3) with numbers: y = A^T [(G g) * (B^T d)]. */
function Winograd23() {
  const [d0, d1, d2, d3] = d.value as [number, number, number, number];
  const [g0, g1, g2] = g.value as [number, number, number];
  const inputs = [d0 - d2, d1 + d2, d2 - d1, d1 - d3];
  const filters = [g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2];
  const products = inputs.map((value, i) => value * (filters[i] as number));
  const [m1, m2, m3, m4] = products as [number, number, number, number];
  const outputs = [m1 + m2 + m3, m2 - m3 - m4];
  const plain = [d0 * g0 + d1 * g1 + d2 * g2, d1 * g0 + d2 * g1 + d3 * g2];
  const letters = ["d₀ − d₂", "d₁ + d₂", "d₂ − d₁", "d₁ − d₃"];
  const filterLetters = ["g₀", "(g₀ + g₁ + g₂) / 2", "(g₀ − g₁ + g₂) / 2", "g₂"];
  return (
    <div class="winograd">
      <Numbers
        label="d"
        values={d.value}
        set={(values) => {
          d.value = values;
        }}
      />
      <Numbers
        label="g"
        values={g.value}
        set={(values) => {
          g.value = values;
        }}
      />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <section class="scroll" tabIndex={0} aria-label="Products of F(2,3)">
        <table class="steps">
          <thead>
            <tr>
              <td />
              <th scope="col">Bᵀd, of the image</th>
              <td />
              <th scope="col">G g, once for all tiles</th>
              <td />
              <th scope="col">product</th>
            </tr>
          </thead>
          <tbody>
            {products.map((product, i) => (
              <tr key={i}>
                <th scope="row">m{"₁₂₃₄".charAt(i)}</th>
                <td>
                  {letters[i]} = <b>{short(inputs[i] as number)}</b>
                </td>
                <td>×</td>
                <td>
                  {filterLetters[i]} = <b>{short(filters[i] as number)}</b>
                </td>
                <td>=</td>
                <td>
                  <b>{short(product)}</b>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p class="formula">
        y₀ = m₁ + m₂ + m₃ ={" "}
        {products
          .slice(0, 3)
          .map((m) => short(m))
          .join(" + ")}{" "}
        = <b>{short(outputs[0] as number)}</b>
        <br />
        y₁ = m₂ − m₃ − m₄ = {short(m2)} − {short(m3)} − {short(m4)} = <b>{short(outputs[1] as number)}</b>
      </p>
      <p>
        4 multiplications. The definition takes 6 for the same: d₀g₀ + d₁g₁ + d₂g₂ = {short(plain[0] as number)} and
        d₁g₀ + d₂g₁ + d₃g₂ = {short(plain[1] as number)}.
      </p>
    </div>
  );
}

/** Tiles of m x m outputs over a square: each reads (m + 2) x (m + 2). */
function Tiles({ m }: { readonly m: number }) {
  const side = m + 2;
  return (
    <Svg
      width={side * 2 + 6.4}
      height={side + 0.9}
      label={`A tile of ${side} by ${side} inputs makes ${m} by ${m} outputs`}
    >
      {Array.from({ length: side * side }, (_, i) => (
        <Box key={i} x={i % side} y={Math.floor(i / side)} lane="lane1" faint={i % 2 === 0} />
      ))}
      <text x={side / 2} y={side + 0.75} class="note">{`d: ${side} × ${side}`}</text>
      <text x={side + 3} y={side / 2 - 0.25} class="note">
        Bᵀ d B, then
      </text>
      <text x={side + 3} y={side / 2 + 0.5} class="note">{`${side * side} products,`}</text>
      <text x={side + 3} y={side / 2 + 1.25} class="note">
        then Aᵀ … A
      </text>
      {Array.from({ length: m * m }, (_, i) => (
        <Box key={i} x={side + 6 + (i % m)} y={1 + Math.floor(i / m)} lane="lane2" faint={i % 2 === 0} />
      ))}
      <text x={side + 6 + m / 2} y={side + 0.75} class="note">{`y: ${m} × ${m}, not ${9 * m * m}`}</text>
    </Svg>
  );
}

export function Drawing({ method }: { readonly method: Method }) {
  switch (method) {
    case "im2col":
    case "implicit-gemm":
      return <Im2col isImplicit={method === "implicit-gemm"} />;
    case "direct":
      return <Direct />;
    case "fft":
      return <Spectrum />;
    case "winograd23":
      return <Winograd23 />;
    case "winograd43":
      return <Tiles m={4} />;
    case "winograd63":
      return <Tiles m={6} />;
    default:
      return null;
  }
}
