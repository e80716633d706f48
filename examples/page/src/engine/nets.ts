// Classic networks, layer by layer, from their graphs alone: no weights.
import { alexnet, alexnetTextbook, type Graph, lenet5, summarize } from "lanewise";
import { runtimeOf } from "./runtime.js";
import { mobilenet, resnet18, vgg16 } from "./zoo.js";

const NETS: Readonly<Record<string, () => Graph>> = { lenet5, alexnet, vgg16, resnet18, mobilenet };

export interface NetRow {
  readonly layer: string;
  readonly op: string;
  readonly outputShape: readonly number[];
  readonly macs: number;
  readonly ungroupedMacs: number;
  readonly parameters: number;
}

/** Rows and sums of one network, as its graph stands; of AlexNet with textbooks' counts in millions. */
export async function nets({ name }: { readonly name: string }) {
  const graph = NETS[name];
  if (graph === undefined) throw new RangeError(`"net" expected one of ${Object.keys(NETS)}, got ${name}`);
  const { rows, totals } = summarize(await runtimeOf(), graph(), undefined, { optimize: false });
  const textbook = name === "alexnet" ? alexnetTextbook(rows).map((row) => row.textbookMillions) : [];
  const shown = rows
    .filter(({ layer }) => layer !== "")
    .map(({ layer, op, outputShape, macs, ungroupedMacs, parameters }): NetRow => {
      return { layer, op, outputShape, macs, ungroupedMacs, parameters };
    });
  const { macs, ungroupedMacs, parameters } = totals;
  return { rows: shown, totals: { macs, ungroupedMacs, parameters }, textbook };
}
