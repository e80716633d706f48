// Names of classes, presets of pictures, heads of outputs: what --labels, --preset and --decode take.
import { UsageError } from "../errors.js";
import type { Io } from "../io.js";
import { LABEL_SETS } from "../labels/names.js";
import { HEADS } from "../run/heads.js";
import { tableLines } from "../text/table.js";

export function labels(io: Io, set: string, { json }: { readonly json?: boolean }): number {
  const names = Object.hasOwn(LABEL_SETS, set) ? LABEL_SETS[set] : undefined;
  if (names === undefined)
    throw new UsageError(`"labels" expected one of ${Object.keys(LABEL_SETS).join(", ")}, got "${set}"`);
  io.out(json ? `${JSON.stringify(names)}\n` : `${names.join("\n")}\n`);
  return 0;
}

/** fit=crop resize=256 … */
const specText = (spec: object) =>
  Object.entries(spec)
    .map(
      ([key, value]) =>
        `${key}=${typeof value === "number" ? +value.toPrecision(5) : JSON.stringify(value).replaceAll('"', "")}`,
    )
    .join(" ");

export async function presetList(
  io: Io,
  name: string | undefined,
  { json }: { readonly json?: boolean },
): Promise<number> {
  const { presets } = await import("../../vision/index.js");
  const all = Object.entries(presets);
  const chosen = name === undefined ? all : all.filter(([key]) => key === name);
  if (chosen.length === 0)
    throw new UsageError(`"presets" expected one of ${all.map(([key]) => key).join(", ")}, got "${name}"`);
  const heads = name === undefined ? Object.entries(HEADS).map(([key, { says }]) => [key, says] as const) : [];
  if (json) {
    io.out(`${JSON.stringify({ presets: Object.fromEntries(chosen), heads: Object.fromEntries(heads) }, null, 2)}\n`);
    return 0;
  }
  const lines = tableLines(
    [{ head: "preset" }, { head: "", least: 12 }],
    chosen.map(([key, spec]) => [key, specText(spec)]),
    io.columns,
  ).slice(1);
  const more = tableLines([{ head: "head" }, { head: "", least: 12 }], heads, io.columns).slice(1);
  io.out(`${name === undefined ? "--preset\n" : ""}${lines.join("\n")}\n`);
  if (heads.length > 0) io.out(`\n--decode\n${more.join("\n")}\n`);
  return 0;
}
