// What bench:page measured, as docs/benchmarks.md has it.
import { markdown, ms } from "./table.mjs";

const bytesOf = (bytes) => bytes.toLocaleString("en-US");
const PEER = "onnxruntime-web";

/** LeNet-5's first answer by side and network, and the whole page. */
export function pageSection({ rounds, machine, date, page, networks }) {
  const names = networks[0].sides.map(({ name }) => name);
  const columns = networks.map(({ mbit }) => (mbit ? `${mbit} Mbit/s, ms` : "local, ms"));
  const rows = names.map((name) => {
    const all = networks.map(({ sides }) => ({
      own: sides.find((side) => side.name === name),
      peer: sides.find((side) => side.name === PEER),
    }));
    const [{ own, peer }] = all;
    const isFloor = name.startsWith("an empty");
    return [
      name,
      isFloor
        ? ""
        : `${bytesOf(own.bytes)}${own === peer ? "" : ` (${(peer.bytes / own.bytes).toFixed(1)} times less)`}`,
      ...all.map((one) => {
        const times = one.own === one.peer || isFloor ? "" : ` (${(one.peer.ms / one.own.ms).toFixed(1)} times less)`;
        return `${ms(one.own.ms)}${times}`;
      }),
    ];
  });
  return [
    `From a page's address to LeNet-5's first answer in Chromium with nothing in any cache, gzipped, median of ${rounds} visits in turns;`,
    `${machine.cpu}, ${machine.cores} virtual cores, ${date.slice(0, 10)}. An empty page and an empty worker are what no library gets below.`,
    "",
    markdown(["", "bytes", ...columns], rows),
    "",
    `The [page](../examples/page) with all its sections: ${bytesOf(page.bytes)} bytes until its first digit is answered, ${ms(page.first)} ms after it was`,
    `asked for and ${ms(page.afterLoad)} ms after it was loaded; the largest paint at ${ms(page.lcp)} ms.`,
  ].join("\n");
}
