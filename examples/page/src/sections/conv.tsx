// 3: one layer on numbers that can be read.
import { signal } from "@preact/signals";
import { Choice, Stepper } from "../parts/controls.js";
import { short } from "../parts/format.js";
import { Check, isPlaying, Player } from "./conv-check.js";
import { Grid } from "./conv-grid.js";
import { Loops } from "./conv-loops.js";
import { NormFormula, NormNumbers, NormSpelt } from "./conv-norm.js";
import { PickedNumber } from "./conv-picked.js";
import {
  change,
  expected,
  groupsOf,
  hasFilters,
  isPicked,
  KINDS,
  library,
  M,
  now,
  P,
  picked,
  point,
  pointer,
  put,
  Q,
  reason,
  setting,
  sum,
  terms,
} from "./conv-state.js";
import { Work } from "./conv-work.js";
import { sees, termsOf } from "./definition.js";

const NAMES = {
  conv: "convolution",
  transposed: "transposed",
  max: "max pooling",
  average: "average pooling",
  norm: "batch norm",
};
function Controls() {
  const { kind, h, w, r, s, u, p, d, c, m, g } = now.value;
  const isNorm = kind === "norm";
  const pools = kind === "max" || kind === "average" || isNorm;
  const divisors = [1, 2, 3, 4].filter((groups) => groupsOf(groups, c, m) === groups);
  return (
    <div class="controls">
      <Choice
        label="layer"
        value={kind as (typeof KINDS)[number]}
        of={KINDS}
        names={NAMES}
        set={(kind) => change({ kind })}
      />
      <div class="steppers">
        <Stepper label="H" word="height H" value={h} from={1} to={12} set={(h) => change({ h, x: "" })} />
        <Stepper label="W" word="width W" value={w} from={1} to={12} set={(w) => change({ w, x: "" })} />
        {!isNorm && (
          <>
            <Stepper label="R" word="window R" value={r} from={1} to={5} set={(r) => change({ r, y: "" })} />
            <Stepper label="S" word="window S" value={s} from={1} to={5} set={(s) => change({ s, y: "" })} />
            <Stepper label="stride" word="stride U" value={u} from={1} to={4} set={(u) => change({ u })} />
            <Stepper label="padding" value={p} from={0} to={4} set={(p) => change({ p })} />
          </>
        )}
        {kind !== "average" && !isNorm && (
          <Stepper label="dilation" word="dilation D" value={d} from={1} to={4} set={(d) => change({ d })} />
        )}
        <Stepper
          label="C"
          word="channels C"
          value={c}
          from={1}
          to={4}
          set={(c) => change({ c, x: "", y: "", g: groupsOf(g, c, m) })}
        />
        {!pools && (
          <Stepper
            label="M"
            word="filters M"
            value={m}
            from={1}
            to={4}
            set={(m) => change({ m, y: "", g: groupsOf(g, c, m) })}
          />
        )}
        {!pools && divisors.length > 1 && (
          <Choice
            label="groups"
            value={String(setting.value.groups)}
            of={divisors.map(String)}
            names={Object.fromEntries(divisors.map((n) => [n, n === 1 ? "1 group" : `${n} groups`]))}
            set={(groups) => change({ g: Number(groups), y: "" })}
          />
        )}
        <button type="button" onClick={() => change({ v: (now.value.v % 999) + 1, x: "", y: "" })}>
          Other numbers
        </button>
      </div>
    </div>
  );
}

/** P by the lecture's formula, with the numbers put in. */
function Formula({ axis }: { readonly axis: 0 | 1 }) {
  const { kind, input, weight, stride, padding, dilation } = setting.value;
  const [out, size, taps] = axis === 0 ? ["P", "H", "R"] : ["Q", "W", "S"];
  const [n, k] = [input[axis + 1] as number, weight[axis + 2] as number];
  const result = axis === 0 ? P.value : Q.value;
  const isTransposed = kind === "transposed";
  const letters = isTransposed
    ? `(${size} − 1)·U − 2·pad + D·(${taps} − 1) + 1`
    : `⌊(${size} + 2·pad − D·(${taps} − 1) − 1) / U⌋ + 1`;
  const numbers = isTransposed
    ? `(${n} − 1)·${stride} − 2·${padding} + ${dilation}·(${k} − 1) + 1`
    : `⌊(${n} + 2·${padding} − ${dilation}·(${k} − 1) − 1) / ${stride}⌋ + 1`;
  return (
    <p class="formula">
      <var>{out}</var> = {letters} = {numbers} = <b>{short(result)}</b>
    </p>
  );
}

function inputPlane(c: number) {
  const { input, padding, kind, x } = setting.value;
  const [, H, W] = input;
  const pad = kind === "transposed" ? 0 : padding;
  const at = pointer.value;
  const current = at.at === "output" && at.term !== undefined ? terms.value[at.term] : undefined;
  const pointed = at.at === "input" && at.c === c ? ([at.h + pad, at.w + pad] as const) : undefined;
  return (
    <Grid
      key={`x${c}`}
      name={`Input channel ${c + 1}`}
      rows={H + 2 * pad}
      columns={W + 2 * pad}
      most={4}
      lane="lane1"
      at={pointed}
      cell={(row, column) => {
        const [h, w] = [row - pad, column - pad];
        const isPadding = h < 0 || w < 0 || h >= H || w >= W;
        const isOne =
          (pointed?.[0] === row && pointed[1] === column) || (current?.c === c && current.h === h && current.w === w);
        const takesPart = terms.value.some((term) => term.c === c && term.h === h && term.w === w);
        return {
          value: isPadding ? 0 : (x[(c * H + h) * W + w] as number),
          isPadding,
          lit: isOne ? 2 : takesPart ? 1 : 0,
        };
      }}
      point={(row, column) => {
        const clamp = (value: number, end: number) => Math.min(end - 1, Math.max(0, value - pad));
        point({ at: "input", c, h: clamp(row, H), w: clamp(column, W) });
      }}
      pick={(row, column) => {
        const [h, w] = [row - pad, column - pad];
        if (h < 0 || w < 0 || h >= H || w >= W) return; // the padding's zeros stay
        picked.value = { which: "x", index: (c * H + h) * W + w, name: `x[${c}, ${h}, ${w}]` };
      }}
      put={(row, column, change) => {
        const index = (c * H + row - pad) * W + column - pad;
        put("x", index, change(x[index] as number));
      }}
    />
  );
}

const chosen = signal<{ plane: number; row: number; column: number } | undefined>(undefined);

function weightPlane(plane: number, name: string, m: number, c: number) {
  const { weight, w } = setting.value;
  const [, each, R, S] = weight;
  const at = pointer.value;
  const isThis = at.at === "output" && at.m === m;
  const current = at.at === "output" && at.term !== undefined ? terms.value[at.term] : undefined;
  const own = chosen.value?.plane === plane ? chosen.value : undefined;
  return (
    <Grid
      key={`w${plane}`}
      name={name}
      rows={R}
      columns={S}
      most={2}
      lane="lane3"
      at={own && [Math.min(own.row, R - 1), Math.min(own.column, S - 1)]}
      cell={(row, column) => {
        const takesPart = isThis && terms.value.some((term) => term.c === c && term.r === row && term.s === column);
        const isOne =
          (isThis && current?.c === c && current.r === row && current.s === column) ||
          isPicked("w", (plane * R + row) * S + column);
        return { value: w[(plane * R + row) * S + column] as number, lit: isOne ? 2 : takesPart ? 1 : 0 };
      }}
      point={(row, column) => {
        chosen.value = { plane, row, column };
      }}
      pick={(row, column) => {
        const name = `w[${Math.floor(plane / each)}, ${plane % each}, ${row}, ${column}]`;
        picked.value = { which: "w", index: (plane * R + row) * S + column, name };
      }}
      put={(row, column, change) => {
        const index = (plane * R + row) * S + column;
        put("w", index, change(w[index] as number));
      }}
    />
  );
}

function outputPlane(m: number) {
  const at = pointer.value;
  const shown = library.value?.of === setting.value ? library.value.values : expected.value;
  const [rows, columns] = [P.value, Q.value];
  const most = expected.value.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
  const isPointed = at.at === "output" && at.m === m;
  return (
    <Grid
      key={`y${m}`}
      name={`Output of ${hasFilters.value ? "filter" : "channel"} ${m + 1}`}
      rows={rows}
      columns={columns}
      most={most}
      lane="lane2"
      at={isPointed ? [at.p, at.q] : undefined}
      cell={(row, column) => {
        const isFed = at.at === "input" && sees(termsOf(setting.value, m, row, column), at.c, at.h, at.w);
        const isOne = isPointed && at.p === row && at.q === column;
        return { value: shown[(m * rows + row) * columns + column] ?? 0, lit: isOne ? 2 : isFed ? 1 : 0 };
      }}
      point={(row, column) => point({ at: "output", m, p: row, q: column })}
    />
  );
}

function Planes() {
  const { input, weight, kind, groups } = setting.value;
  const at = pointer.value;
  const m = at.at === "output" ? at.m : 0;
  const each = input[0] / groups;
  const eachM = M.value / groups;
  // Of the weights only those of the filter that is pointed at: [M, C/groups], or [C, M/groups] of a transposed one.
  const planes =
    kind === "transposed"
      ? Array.from({ length: each }, (_, i) => {
          const c = Math.floor(m / eachM) * each + i;
          return { plane: c * weight[1] + (m % eachM), c };
        })
      : Array.from({ length: each }, (_, i) => ({ plane: m * each + i, c: Math.floor(m / eachM) * each + i }));
  return (
    <div class={`planes ${input[0] > 1 || M.value > 1 ? "many" : ""}`}>
      <figure>
        <figcaption>
          input <span>C × H × W = {input.join(" × ")}</span>
        </figcaption>
        <div class="stack">{Array.from({ length: input[0] }, (_, c) => inputPlane(c))}</div>
      </figure>
      {kind === "norm" && <NormNumbers />}
      {hasFilters.value && (
        <figure>
          <figcaption>
            weights <span>{M.value > 1 ? `filter ${m + 1} of ${M.value}` : `R × S = ${weight[2]} × ${weight[3]}`}</span>
          </figcaption>
          <div class="stack">
            {planes.map(({ plane, c }) => weightPlane(plane, `Weights of filter ${m + 1} for channel ${c + 1}`, m, c))}
          </div>
        </figure>
      )}
      <figure>
        <figcaption>
          output{" "}
          <span>
            {kind === "norm" ? "C × H × W" : "M × P × Q"} = {M.value} × {Math.max(0, P.value)} × {Math.max(0, Q.value)}
          </span>
        </figcaption>
        {reason.value ? (
          <p class="refusal">{reason.value}</p>
        ) : (
          <div class="stack">{Array.from({ length: M.value }, (_, plane) => outputPlane(plane))}</div>
        )}
      </figure>
    </div>
  );
}

/** The expression of an output, or the outputs that an input feeds. */
function Spelt() {
  const at = pointer.value;
  const { kind } = setting.value;
  if (reason.value) return null;
  if (at.at === "input") {
    let fed = 0;
    for (let m = 0; m < M.value; m++)
      for (let p = 0; p < P.value; p++)
        for (let q = 0; q < Q.value; q++) if (sees(termsOf(setting.value, m, p, q), at.c, at.h, at.w)) fed++;
    return (
      <p class="spelt" aria-live="polite">
        This input (channel {at.c + 1}, row {at.h + 1}, column {at.w + 1}) feeds <b>{fed}</b>{" "}
        {fed === 1 ? "output" : "outputs"} of {M.value * P.value * Q.value}. Type a digit or a minus to change it.
      </p>
    );
  }
  if (kind === "norm") return <NormSpelt />;
  const all = terms.value;
  const within = all.filter(({ inside }) => inside);
  const name = `y[${at.m}, ${at.p}, ${at.q}]`;
  const list =
    kind === "max"
      ? `max(${within.map(({ x }) => short(x)).join(", ")})`
      : kind === "average"
        ? `(${all.map(({ x }) => short(x)).join(" + ")}) / ${all.length}`
        : undefined;
  return (
    <p class="spelt" aria-live={isPlaying.value ? "off" : "polite"}>
      <span class="figure">{name}</span> ={" "}
      {list ??
        (all.length === 0
          ? "nothing reaches it"
          : all.map((term, i) => (
              <span key={i} class={`${term.inside ? "" : "outside"} ${at.term === i ? "running" : ""}`}>
                {i > 0 ? " + " : ""}
                {short(term.x)}×{short(term.weight)}
              </span>
            )))}{" "}
      = <b>{short(sum.value)}</b>
    </p>
  );
}

export function Conv() {
  return (
    <>
      <Controls />
      {setting.value.kind === "norm" ? (
        <NormFormula />
      ) : (
        <>
          <Formula axis={0} />
          <Formula axis={1} />
        </>
      )}
      <Planes />
      <PickedNumber />
      <Spelt />
      <div class="row between">
        <Player />
        <Check />
      </div>
      <div class="twin">
        <Loops />
        <Work />
      </div>
    </>
  );
}
