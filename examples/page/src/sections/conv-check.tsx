// Section 3 step by step, and the library's result beside what the page spells out.
import { computed, signal, useSignalEffect } from "@preact/signals";
import { Choice } from "../parts/controls.js";
import { expected, library, reason, setting, step } from "./conv-state.js";

/** A step's time, playing. */
const STEP_MS = 600;

export const isPlaying = signal(false);
const chosen = signal<"output" | "product">("output");
/** Batch norm has one product an output. */
const hasProducts = computed(() => setting.value.kind !== "norm");
const isFine = computed(() => chosen.value === "product" && hasProducts.value);

/** Where values are no whole numbers, float32 and the page's float64 differ in the last places. */
const CLOSE = 2e-5;

/** Cell by cell, the library's result against the sums that the page spells out. */
export function Check() {
  const found = library.value;
  if (reason.value || found?.of !== setting.value) return <p class="check">…</p>;
  if (found.failure) return <p class="refusal">{found.failure}</p>;
  const all = expected.value.length;
  const same = expected.value.filter((value, i) => {
    const got = found.values[i] ?? Number.NaN;
    return value === got || Math.abs(value - got) <= CLOSE * (1 + Math.abs(value));
  });
  return (
    <p
      class={`check ${same.length === all ? "good" : "bad"}`}
      data-same={same.length}
      data-of={all}
      data-values={found.values.join()}
    >
      {same.length} of {all} cells: lanewise's kernels agree with the definition
    </p>
  );
}

export function Player() {
  useSignalEffect(() => {
    if (!isPlaying.value) return;
    const timer = setInterval(() => step(1, isFine.peek()), STEP_MS);
    return () => clearInterval(timer);
  });
  return (
    <div class="row player">
      <button type="button" onClick={() => step(-1, isFine.value)} aria-label="one step back">
        ◀
      </button>
      <button
        type="button"
        aria-pressed={isPlaying.value}
        onClick={() => {
          isPlaying.value = !isPlaying.value;
        }}
      >
        {isPlaying.value ? "Pause" : "Play"}
      </button>
      <button type="button" onClick={() => step(1, isFine.value)} aria-label="one step on">
        ▶
      </button>
      {hasProducts.value && (
        <Choice
          label="a step is"
          value={chosen.value}
          of={["output", "product"]}
          names={{ output: "by output", product: "by product" }}
          set={(one) => {
            chosen.value = one;
          }}
        />
      )}
    </div>
  );
}
