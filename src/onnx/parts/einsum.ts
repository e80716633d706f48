// Sums of products over letters as matrix products.
import { countOf } from "../../base/shape.js";
import { type Contraction, contraction } from "../semantics/einsum.js";
import { type Assembly, type FormDescription, formed, isSingle, needed } from "./assembly.js";

/** A value with its axes' letters. */
interface Lettered {
  readonly name: string;
  readonly letters: readonly string[];
}

const without = (letters: readonly string[], others: readonly string[]) => letters.filter((l) => !others.includes(l));

/** The value with its axes in another order. */
function ordered(a: Assembly, { name, letters }: Lettered, wanted: readonly string[]): string {
  if (letters.every((letter, i) => letter === wanted[i])) return name;
  return a.add("Transpose", [name], { perm: wanted.map((letter) => letters.indexOf(letter)) });
}

/** Summed over letters that nobody needs. */
function summed(a: Assembly, value: Lettered, needed: readonly string[]): Lettered {
  const gone = without(value.letters, needed);
  if (gone.length === 0) return value;
  const axes = a.integers(...gone.map((letter) => value.letters.indexOf(letter)));
  return {
    name: a.add("ReduceSum", [value.name, axes], { keepdims: 0 }),
    letters: without(value.letters, gone),
  };
}

/** Two values multiplied and summed over the letters that only they have: batches of matrix products. */
function multiplied(
  a: Assembly,
  first: Lettered,
  second: Lettered,
  needed: readonly string[],
  sizes: Contraction["sizes"],
): Lettered {
  const shared = first.letters.filter((letter) => second.letters.includes(letter));
  const batch = shared.filter((letter) => needed.includes(letter));
  const inner = without(shared, batch);
  const [rows, columns] = [without(first.letters, shared), without(second.letters, shared)];
  const size = (letters: readonly string[]) => letters.map((letter) => sizes.get(letter) as number);
  const count = (letters: readonly string[]) => countOf(size(letters));
  const left = a.reshape(ordered(a, first, [...batch, ...rows, ...inner]), count(batch), count(rows), count(inner));
  const right = a.reshape(
    ordered(a, second, [...batch, ...inner, ...columns]),
    count(batch),
    count(inner),
    count(columns),
  );
  const letters = [...batch, ...rows, ...columns];
  return { name: a.reshape(a.add("MatMul", [left, right]), ...size(letters)), letters };
}

const einsum: FormDescription = (a, inputs) => {
  if (!inputs.every(isSingle)) return undefined;
  const shapes = inputs.map((_, i) => needed(inputs, i, "Inputs").shape);
  const { terms, output, sizes } = contraction(a.c, shapes);
  // Diagonals, and axes that are repeated, are left to JavaScript.
  const isPlain = terms.every(
    (letters, i) =>
      new Set(letters).size === letters.length &&
      letters.every((letter, axis) => shapes[i]?.[axis] === sizes.get(letter)),
  );
  if (!isPlain) return undefined;
  const values = terms.map((letters, i): Lettered => ({ name: String(i), letters }));
  let result: Lettered | undefined;
  values.forEach((value, i) => {
    const later = [...output, ...values.slice(i + 1).flatMap(({ letters }) => letters)];
    const own = summed(a, value, [...later, ...(result?.letters ?? [])]);
    result =
      result === undefined ? own : multiplied(a, summed(a, result, [...later, ...own.letters]), own, later, sizes);
  });
  const last = result as Lettered | undefined;
  return last && [ordered(a, last, output)];
};

export const EINSUM_FORMS = formed({ Einsum: einsum });
