// Controls that are alike in all sections.
import type { ComponentChildren } from "preact";

/** A number with a button on either side. */
export function Stepper({ label, word, value, from, to, set }: StepperProps) {
  return (
    <div class="stepper">
      <span aria-hidden="true">{word ?? label}</span>
      <button
        type="button"
        tabIndex={-1}
        aria-label={`${label}, less`}
        disabled={value <= from}
        onClick={() => set(value - 1)}
      >
        −
      </button>
      <input
        type="number"
        aria-label={label}
        inputMode="numeric"
        min={from}
        max={to}
        value={value}
        onInput={({ currentTarget }) => {
          const typed = currentTarget.valueAsNumber;
          if (Number.isInteger(typed) && typed >= from && typed <= to) set(typed);
        }}
        onBlur={({ currentTarget }) => {
          currentTarget.value = String(value);
        }}
      />
      <button
        type="button"
        tabIndex={-1}
        aria-label={`${label}, more`}
        disabled={value >= to}
        onClick={() => set(value + 1)}
      >
        +
      </button>
    </div>
  );
}

interface StepperProps {
  readonly label: string;
  /** What is seen in the label's place: a word with the letter that formulas have. */
  readonly word?: string;
  readonly value: number;
  readonly from: number;
  readonly to: number;
  readonly set: (value: number) => void;
}

/** One of a few words. */
export function Choice<T extends string>({ label, value, of, names, set }: ChoiceProps<T>) {
  return (
    <div class="choice" role="radiogroup" aria-label={label}>
      {of.map((one) => (
        <label key={one} class={one === value ? "on" : ""}>
          <input type="radio" name={label} value={one} checked={one === value} onChange={() => set(one)} />
          {names[one]}
        </label>
      ))}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly of: readonly T[];
  readonly names: Readonly<Record<T, ComponentChildren>>;
  readonly set: (value: T) => void;
}
