// The seven loops as code, the running line lit, with where they are.

import { pointer, reason, setting, terms } from "./conv-state.js";

const LINES = [
  "for (n = 0; n < N; n++)",
  "  for (m = 0; m < M; m++)",
  "    for (p = 0; p < P; p++)",
  "      for (q = 0; q < Q; q++) {",
  "        sum = 0",
  "        for (c = 0; c < C; c++)",
  "          for (r = 0; r < R; r++)",
  "            for (s = 0; s < S; s++)",
  "              sum += x[n, c, p·U + r·D − pad, q·U + s·D − pad] · w[m, c, r, s]",
  "        y[n, m, p, q] = sum",
  "      }",
];
const PRODUCT = 8;
const STORE = 9;

export function Loops() {
  const at = pointer.value;
  if (setting.value.kind !== "conv" || reason.value || at.at !== "output") return null;
  const term = at.term === undefined ? undefined : terms.value[at.term];
  const lit = term ? PRODUCT : STORE;
  const where = `n = 0, m = ${at.m}, p = ${at.p}, q = ${at.q}${term ? `, c = ${term.c}, r = ${term.r}, s = ${term.s}` : ""}`;
  return (
    <figure class="loops">
      <figcaption>the seven loops</figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <pre tabIndex={0}>
        {LINES.map((line, i) => (
          <span key={line} class={i === lit ? "lit" : ""}>{`${line}\n`}</span>
        ))}
      </pre>
      <p class="figure">{where}</p>
    </figure>
  );
}
