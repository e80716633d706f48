// What bench:worker prints, and the table of it in docs/scaling.md.
import { markdown, ms } from "./table.mjs";

const NAMES = { digits: "LeNet-5, digits of 112 x 112", photos: "shufflenet-v2-12-int8, photos of 0.2 megapixels" };
const kilobytes = (bytes) => (bytes / 1024).toFixed(0);

/** One column a model. */
export function workerTable({ rows, emptyMB, versions, seconds, machine }) {
  const line = (what, cell) => [what, ...rows.map(cell)];
  const table = markdown(
    ["", ...rows.map(({ model }) => NAMES[model])],
    [
      line("KB sent to the platform, gzipped", (row) => `${kilobytes(row.bytes)}, ${kilobytes(row.gzipBytes)}`),
      line("ms until a new process listens", (row) => ms(row.startMs)),
      line(
        "ms of the first answer, which loads the model; of the second",
        (row) => `${ms(row.firstMs)}, ${ms(row.secondMs)}`,
      ),
      line("one after another: ms half of them take, 99 %", (row) => `${ms(row.alone.p50)}, ${ms(row.alone.p99)}`),
      line("ms of CPU a request", (row) => ms(row.alone.cpuMs)),
      line(`${rows[0].atOnce} at a time: answers a second`, (row) => row.crowd.perSecond.toFixed(0)),
      line("ms half of them wait, 99 %", (row) => `${ms(row.crowd.p50)}, ${ms(row.crowd.p99)}`),
      line("ms of CPU a request", (row) => ms(row.crowd.cpuMs)),
      line("MB of the process: idle, warm, most", (row) =>
        [row.idleMB, row.warmMB, row.peakMB].map((megabytes) => megabytes.toFixed(0)).join(", "),
      ),
    ],
  );
  const asked = rows.map(({ again, crowd }) => `${again} of ${crowd.requests}`).join(" and ");
  return [
    table,
    "",
    `workerd ${versions.workerd}, ${machine.cpu}, ${machine.cores} virtual cores, of which the client has one; ${seconds} s at ${rows[0].atOnce} at a time,`,
    `every answer right, ${asked} requests asked again. A process of workerd with an empty worker holds ${emptyMB.toFixed(0)} MB.`,
  ].join("\n");
}
