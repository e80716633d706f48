// The equation of Einsum: pure letters and numbers.
import { ModelError, show } from "../../base/errors.js";
import type { Attributes } from "./attributes.js";

/** The letters of every operand's axes and of the output's, and the size of each; axes that "..." stands for are digits. */
export interface Contraction {
  readonly terms: readonly (readonly string[])[];
  readonly output: readonly string[];
  readonly sizes: ReadonlyMap<string, number>;
}

/** Sums of products over subscripts, the letters of the equation; "..." stands for the axes that broadcast. */
export function contraction(c: Attributes, shapes: readonly (readonly number[])[]): Contraction {
  const equation = c.string("equation", "").replaceAll(" ", "");
  const [left = "", right] = equation.split("->");
  const texts = left.split(",");
  if (texts.length !== shapes.length)
    throw new ModelError(`"equation" expected ${shapes.length} terms, got ${show(equation)}`);
  const rankOf = (i: number) => (shapes[i] as readonly number[]).length;
  const dots = Math.max(0, ...texts.map((term, i) => (term.includes("...") ? rankOf(i) - (term.length - 3) : 0)));
  const letters = (term: string, rank?: number): string[] => {
    const [before = "", after] = term.split("...");
    if (after === undefined) return [...before];
    const own = rank === undefined ? dots : rank - before.length - after.length;
    return [...before, ...Array.from({ length: own }, (_, i) => String(dots - own + i)), ...after];
  };
  const terms = texts.map((term, i) => letters(term, rankOf(i)));
  const counts = new Map<string, number>();
  for (const letter of terms.flat()) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  const implied = [...counts.keys()].filter((letter) => /\d/.test(letter) || counts.get(letter) === 1).sort();
  const output = right === undefined ? implied : letters(right);
  const sizes = new Map<string, number>();
  terms.forEach((own, i) => {
    const shape = shapes[i] as readonly number[];
    if (own.length !== shape.length)
      throw new ModelError(`"equation" expected ${own.length} axes, got ${show([...shape])}`);
    own.forEach((letter, axis) => {
      const size = shape[axis] as number;
      const known = sizes.get(letter) ?? 1;
      if (known !== 1 && size !== 1 && known !== size)
        throw new ModelError(`"equation" expected one size of ${letter}, got ${known} and ${size}`);
      sizes.set(letter, Math.max(known, size));
    });
  });
  for (const letter of output)
    if (!sizes.has(letter)) throw new ModelError(`"equation" expected letters of its inputs, got ${letter}`);
  return { terms, output, sizes };
}
