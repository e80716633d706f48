// Batch normalisation in section 3: four numbers a channel, and what they make of one value.
import { signal } from "@preact/signals";
import { short } from "../parts/format.js";
import { Grid } from "./conv-grid.js";
import { isPicked, picked, pointer, put, setting, sum, terms } from "./conv-state.js";
import { EPSILON, NORM, normOf } from "./definition.js";

const LETTERS = "y = γ · (x − μ) / √(σ² + ε) + β";
const epsilon = EPSILON.toFixed(5);

export function NormFormula() {
  return (
    <>
      <p class="formula">
        {LETTERS}, <var>ε</var> = {epsilon}
      </p>
      <p class="quiet">
        μ and σ²: mean and variance that training saw in a channel; γ and β: what it learned to put in their place
      </p>
    </>
  );
}

const chosen = signal<readonly [row: number, column: number] | undefined>(undefined);

/** A row a channel. */
export function NormNumbers() {
  const { input, w } = setting.value;
  const [C] = input;
  const at = pointer.value;
  const own = chosen.value;
  return (
    <figure class="norm">
      <figcaption>
        numbers <span>of {C === 1 ? "the channel" : `each of ${C} channels`}</span>
      </figcaption>
      <div class="columns" aria-hidden="true">
        {NORM.map((letter) => (
          <span key={letter}>{letter}</span>
        ))}
      </div>
      <Grid
        name={`Numbers of each channel: ${NORM.join(", ")}`}
        rows={C}
        columns={NORM.length}
        most={9}
        lane="lane3"
        at={own && [Math.min(own[0], C - 1), own[1]]}
        cell={(row, column) => ({
          value: w[row * NORM.length + column] as number,
          lit: isPicked("w", row * NORM.length + column) ? 2 : at.at === "output" && at.m === row ? 1 : 0,
        })}
        point={(row, column) => {
          chosen.value = [row, column];
        }}
        pick={(row, column) => {
          const [name, from] = [`${NORM[column]} of channel ${row + 1}`, column === 3 ? 1 : -9];
          picked.value = { which: "w", index: row * NORM.length + column, name, from };
        }}
        put={(row, column, change) => {
          const index = row * NORM.length + column;
          put("w", index, change(w[index] as number));
        }}
      />
    </figure>
  );
}

/** A number behind a sign of its own. */
const added = (value: number) => (value < 0 ? `− ${short(-value)}` : `+ ${short(value)}`);
const inBrackets = (value: number) => (value < 0 ? `(${short(value)})` : short(value));

export function NormSpelt() {
  const at = pointer.value;
  const [term] = terms.value;
  if (at.at !== "output" || term === undefined) return null;
  const { gamma, beta, mean, variance } = normOf(setting.value, term.c);
  return (
    <p class="spelt" aria-live="polite">
      <span class="figure">
        y[{at.m}, {at.p}, {at.q}]
      </span>{" "}
      = {inBrackets(gamma)} · ({short(term.x)} − {inBrackets(mean)}) / √({variance} + {epsilon}) {added(beta)} ={" "}
      <b>{short(sum.value)}</b>
    </p>
  );
}

/** Of a trained network it is one multiplication and one addition, and often none. */
export function NormWork() {
  const { input } = setting.value;
  const at = pointer.value;
  const c = at.at === "output" ? at.m : at.c;
  const { gamma, beta, mean, variance } = normOf(setting.value, c);
  const scale = gamma / Math.sqrt(variance + EPSILON);
  return (
    <ul class="counts">
      <li>
        Once it is trained: y = x · scale + shift, in channel {c + 1} with scale = γ / √(σ² + ε) = <b>{short(scale)}</b>{" "}
        and shift = β − μ · scale = <b>{short(beta - mean * scale)}</b>: <b>{input.reduce((a, b) => a * b)}</b>{" "}
        multiplications
      </li>
      <li>Behind a convolution none: scale goes into its weights and shift into its bias, before it runs</li>
    </ul>
  );
}
