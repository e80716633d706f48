// Of docs/runtimes.md: the places of a results file of test:everywhere.
import { markdown } from "./table.mjs";

const HEADS = { bundlers: "Bundlers", runners: "Test runners, TypeScript at once", runtimes: "Runtimes" };

/** A row for every place that ran or was skipped; refusals have none: each is a sentence of its own. */
export function placesSection({ rows, date }) {
  const shown = Object.entries(HEADS).flatMap(([matrix, head]) => {
    const own = rows.filter((row) => row.matrix === matrix && !/^refused/.test(row.place));
    return own.length > 0 ? [[`**${head}**`, "", "", "", "", ""], ...own.map(cells)] : [];
  });
  const browsers = rows.filter(({ matrix, status }) => matrix === "browsers" && status === "ok").length;
  const head = ["", "version", "binary", "threads", "KB gzip fetched", "ms to start"];
  return `${markdown(head, shown)}\n\nOf ${date.slice(0, 10)}, and ${browsers} cases more of pages in browsers.`;
}

function cells({ matrix, place, status, version, variant, threads, gzip, ms, note }) {
  if (status === "SKIP") return [place, "not tried", "", "", "", ""];
  // Of runtimes, whose clocks move: workerd's stands still, or counts whole milliseconds.
  const time = matrix === "runtimes" && ms > 0.1 ? ms.toFixed(1) : "";
  const kb = gzip && (gzip / 1024).toFixed(1);
  return [place, version, variant ?? (/^refused/.test(note) ? "refused" : ""), threads, kb, time];
}
