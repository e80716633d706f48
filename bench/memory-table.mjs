// The results of bench:memory as a page shows them.
import { markdown, ms } from "./table.mjs";

export function memoryTable(networks) {
  const head = [
    "bytes held, of the weights' own; milliseconds of a run",
    ...networks[0].choices.map(({ memory }) => memory),
  ];
  const rows = networks.map(({ name, choices }) => [
    name,
    ...choices.map((choice) => `${choice.share.toFixed(2)}; ${ms(choice.ms)}`),
  ]);
  return markdown(head, rows);
}
