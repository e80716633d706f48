// The results of bench:shapes as a page shows them.
import { markdown, ms } from "./table.mjs";

const HEAD = [
  "",
  "run, ms",
  "first shape",
  "new shape",
  "seen",
  "bytes held, MB",
  "web: run, ms",
  "first",
  "new",
  "seen",
  "linear memory, MB",
];

export function shapesTable(networks) {
  const times = (ratio) => `${ratio.toFixed(1)} x`;
  const megabytes = (value) => (value / 1e6).toFixed(1);
  const rows = networks.map(({ name, sides: [own, web] }) => [
    name,
    ms(own.runMs),
    times(own.first),
    times(own.fresh),
    times(own.seen),
    own.bytes.map(({ held }) => megabytes(held)).join("; "),
    ms(web.runMs),
    times(web.first),
    times(web.fresh),
    times(web.seen),
    web.bytes.map(({ memory }) => megabytes(memory)).join("; "),
  ]);
  return markdown(HEAD, rows);
}
