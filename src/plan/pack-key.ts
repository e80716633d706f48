// What a packed form of parameters is called: equal names for equal bytes, whichever layer and shape they are packed for.
import { digest } from "../base/digest.js";
import type { Builder } from "./builder.js";
import type { Ref } from "./operand.js";

/** Names of a builder's packed forms, of what its parameters are called. */
export function packKeys(
  { packs, copies, prepares, tables }: Builder,
  params: readonly (string | undefined)[],
): string[] {
  if (packs.length === 0) return [];
  const parts = packs.map(({ bytes }) => ({ numbers: [bytes], names: [] as string[] }));
  const numbersOf = ({ area, index, offset }: Ref, names: string[]): Iterable<number> => {
    if (area === "param") names.push(params[index] as string);
    if (area !== "constant") return [offset];
    const { data, packing } = tables.find(({ at }) => at === offset) as Builder["tables"][number];
    return packing ?? data;
  };
  for (const { to, from, bytes } of copies) {
    const { numbers, names } = parts[to.index] as (typeof parts)[number];
    numbers.push(to.offset, ...numbersOf(from, names), bytes);
  }
  for (const { kernel, values, items, pack } of prepares) {
    const { numbers, names } = parts[pack] as (typeof parts)[number];
    names.push(String(kernel));
    numbers.push(items);
    for (const field in values) {
      const value = values[field] as Ref | number;
      const own = typeof value === "number" ? [value] : numbersOf(value, names);
      for (const number of own) numbers.push(number);
    }
  }
  return parts.map(({ numbers, names }) => JSON.stringify([digest(new Float64Array(numbers)), ...names]));
}
