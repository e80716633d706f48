// Shapes of a model's inputs: what the file says, what it leaves open, and what the caller gives.
import { elements, integer } from "../base/check.js";
import { ModelError, ShapeError, show } from "../base/errors.js";
import { countOf } from "../base/shape.js";
import type { Checked, Declared } from "./file/check.js";

type Sizes = readonly (number | string | null)[];

export class InputShapes {
  readonly #given: Readonly<Record<string, number | readonly number[]>>;

  /** given: sizes of named dimensions, or whole shapes of inputs. Throws for names that the file does not have. */
  constructor(inputs: readonly Declared[], given: Readonly<Record<string, number | readonly number[]>>) {
    this.#given = given;
    const sizes = new Set(inputs.flatMap(({ dims }) => dims.filter((dim) => typeof dim === "string")));
    for (const [name, value] of Object.entries(given)) {
      const input = inputs.find((declared) => declared.name === name);
      if (input && (Array.isArray(value) || !sizes.has(name))) {
        elements(`shapes.${name}`, value, 1, 0);
        requireFit(name, openDims(input.dims), value as readonly number[]);
      } else if (sizes.has(name)) integer(`shapes.${name}`, value, 0);
      else {
        const known = [...inputs.map((declared) => declared.name), ...sizes].join(", ");
        throw new ModelError(`"shapes" expected names of inputs or dimensions (${known}), got ${show(name)}`);
      }
    }
  }

  /** A shape with what is given put in; sizes that are still open are names or null. */
  of({ name, dims }: Declared): Sizes {
    const given = this.#given[name];
    if (Array.isArray(given)) return given as readonly number[];
    return openDims(dims).map((dim) => {
      const size = typeof dim === "string" ? this.#given[dim] : undefined;
      return typeof size === "number" ? size : dim;
    });
  }

  /** Every size of every input, where all are known before a run. */
  known(inputs: readonly Declared[]): readonly (readonly number[])[] | undefined {
    const shapes = inputs.map((input) => this.of(input));
    const isKnown = shapes.every((shape) => shape.every((size) => typeof size === "number"));
    return isKnown ? (shapes as readonly (readonly number[])[]) : undefined;
  }

  /** Whether nothing else can come: a file that says nothing of an input's shape takes any, a default is any value. */
  isFixed({ inputs, defaults }: Pick<Checked, "inputs" | "defaults">): boolean {
    return defaults.length === 0 && (this.known(inputs)?.every((shape) => shape.length > 0) ?? false);
  }

  /** Throws ShapeError for a shape that an input does not take. */
  require(declared: Declared, shape: readonly unknown[]): void {
    requireFit(declared.name, this.of(declared), shape);
  }
}

/** Elements of an input that decides more than its own shape, and of what it decides: see deciding.ts. */
export const MOST_DECIDING = 64;

/** Whether an input may be such a one: so far as its shape is known, it is small. */
export function isSmall({ dims }: Declared): boolean {
  return dims.length <= 2 && countOf(dims.filter((size) => typeof size === "number")) <= MOST_DECIDING;
}

/** What a file says of sizes; one that is no size is left open. */
function openDims(dims: Declared["dims"]): Sizes {
  return dims.map((dim) => (typeof dim === "number" && dim <= 0 ? null : dim));
}

function requireFit(name: string, open: Sizes, shape: readonly unknown[]): void {
  const fits =
    open.length === 0 ||
    (open.length === shape.length && open.every((size, i) => typeof size !== "number" || size === shape[i]));
  if (!fits) throw new ShapeError(`${show(name)} expected shape ${show([...open])}, got ${show([...shape])}`);
  // What model.inputs says of open sizes, given back as it is.
  if (shape.some((size) => !Number.isSafeInteger(size)))
    throw new ShapeError(`${show(name)} expected a number for every size, got ${show([...shape])}`);
}
