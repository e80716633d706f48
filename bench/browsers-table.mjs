// What bench:browsers prints, and its section of docs/benchmarks.md.
import { markdown, ms } from "./table.mjs";

const NAMES = { chromium: "Chromium", firefox: "Firefox", webkit: "WebKitGTK" };
const times = (ratio) => `${ratio.toFixed(2)}x`;

/** One line a layer or network, for each browser onnxruntime-web's milliseconds and, of every one of our sides, ours and how many times faster. */
export function browsersTable({ browsers, rows }) {
  const shown = Object.keys(NAMES).filter((name) => rows.some(({ browser }) => browser === name));
  const columns = shown.map((browser) => {
    const own = rows.filter((row) => row.browser === browser);
    const sides = [...new Set(own.flatMap(({ times: found }) => Object.keys(found)))].filter(
      (name) => name !== "ort-web",
    );
    return { browser, sides };
  });
  const head = columns.flatMap(({ browser, sides }) => [
    `${NAMES[browser]}: onnxruntime-web, ms`,
    ...sides.map((side) => label(side)),
  ]);
  const cells = (name) =>
    columns.flatMap(({ browser, sides }) => {
      const found = rows.find((row) => row.browser === browser && row.name === name)?.times;
      if (found === undefined) return ["", ...sides.map(() => "")];
      const web = found["ort-web"].min;
      return [ms(web), ...sides.map((side) => `${ms(found[side].min)} (${times(web / found[side].min)})`)];
    });
  const names = [...new Set(rows.map(({ name }) => name))];
  const means = columns.flatMap(({ browser, sides }) => {
    const own = rows.filter((row) => row.browser === browser);
    return ["", ...sides.map((side) => times(mean(own.map(({ times: t }) => t["ort-web"].min / t[side].min))))];
  });
  const versions = shown.map((name) => `${NAMES[name]} ${browsers[name].version}`).join(", ");
  return `${markdown(["", ...head], [...names.map((name) => [name, ...cells(name)]), ["geometric mean", ...means]])}\n\n${versions}.`;
}

/** Of one thread, and, where it was measured, of several. */
export function browsersSection(results, threaded) {
  const { cpu, cores } = results.machine;
  const intro = [
    `Beside onnxruntime-web ${results.versions["onnxruntime-web"]} in one page, ${cpu}, ${results.date.slice(0, 10)}; minima of alternating runs, in brackets`,
    "how many times faster. WebKitGTK has no relaxed SIMD.",
  ].join("\n");
  const one = `${intro}\n\n${browsersTable(results)}`;
  if (!threaded) return one;
  return `${one}\n\n${threaded.threads} threads of either side, ${cores} virtual cores, cross-origin isolated:\n\n${browsersTable(threaded)}`;
}

/** "lanewise-simd": the binary; "lanewise-2": how many threads. */
function label(side) {
  const what = side.replace("lanewise-", "");
  return Number(what) ? `ours, ${what} thread${what === "1" ? "" : "s"}` : `ours, \`${what}\``;
}

const mean = (ratios) => Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
