// What a section shows stands in the page's address: #conv?k=3&s=2. The last one that was touched is there.
import { computed, type ReadonlySignal, signal } from "@preact/signals";

export interface Place {
  readonly section: string;
  readonly state: URLSearchParams;
}

function read(): Place {
  const [section = "", query = ""] = location.hash.slice(1).split("?");
  return { section, state: new URLSearchParams(query) };
}

export const place = signal<Place>(read());
addEventListener("hashchange", () => {
  place.value = read();
});

/** Fields of a section's state: a number with its bounds, or one of some words; the first, or `is`, where the address says none. */
export type Field =
  | { readonly is: number; readonly from: number; readonly to: number }
  | { readonly is: string; readonly of: readonly string[] }
  | { readonly is: string; readonly like: RegExp };
type Values<F extends Record<string, Field>> = {
  readonly [K in keyof F]: F[K] extends { readonly is: number } ? number : string;
};

function valueFrom(field: Field, text: string | null): number | string {
  if (text === null) return field.is;
  if ("of" in field) return field.of.includes(text) ? text : field.is;
  if ("like" in field) return field.like.test(text) ? text : field.is;
  const number = Number(text);
  if (!Number.isInteger(number)) return field.is;
  return Math.min(field.to, Math.max(field.from, number));
}

export interface State<F extends Record<string, Field>> {
  readonly now: ReadonlySignal<Values<F>>;
  set(patch: Partial<Values<F>>): void;
}

/** The state of a section, as long as the address is about it; set() writes there what is not as it was at first. */
export function stateOf<F extends Record<string, Field>>(section: string, fields: F): State<F> {
  const parse = (state: URLSearchParams) =>
    Object.fromEntries(
      Object.entries(fields).map(([key, field]) => [key, valueFrom(field, state.get(key))]),
    ) as Values<F>;
  const own = signal(parse(place.peek().section === section ? place.peek().state : new URLSearchParams()));
  place.subscribe(({ section: now, state }) => {
    if (now === section) own.value = parse(state);
  });
  return {
    now: computed(() => own.value),
    set(patch) {
      own.value = { ...own.peek(), ...patch };
      const state = new URLSearchParams();
      for (const [key, value] of Object.entries(own.peek()))
        if (value !== fields[key]?.is) state.set(key, String(value));
      write(section, state);
    },
  };
}

let timer: ReturnType<typeof setTimeout> | undefined;
/** Browsers refuse more than a hundred changes in half a minute. */
function write(section: string, state: URLSearchParams) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const query = state.toString();
    history.replaceState(null, "", `#${section}${query ? `?${query}` : ""}`);
  }, 300);
}
