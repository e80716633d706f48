// Names of classes, as exporters leave them in ONNX files.
import { ModelError, show } from "../../base/errors.js";

/** What labelsOf() reads. */
export interface WithMetadata {
  /** Texts by name, as the file has them. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A key, or none, and a name in quotes of Python's or JSON's. */
const ENTRY = /\s*(?:(\d+)|"(\d+)")\s*:\s*|\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*(?:,|$)/gsy;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

const unescaped = (text: string): string =>
  text.replace(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/gis, (_, x, u, U, one) =>
    one === undefined ? String.fromCodePoint(Number.parseInt(x ?? u ?? U, 16)) : (ESCAPES[one] ?? one),
  );

/**
 * Names of a model's classes by index, from `names` of its metadata, as Ultralytics writes them: a dictionary {0: 'person', 1:
 * 'bicycle'} or a list, of Python or JSON. undefined where the file has none.
 *
 * @throws ModelError for names that are not of this form, or where an index from 0 on is missing or is there twice, TypeError.
 */
export function labelsOf(model: WithMetadata): string[] | undefined {
  const { metadata } = model ?? {};
  if (typeof metadata !== "object" || metadata === null)
    throw new TypeError(`"model" expected a model with metadata, got ${show(model)}`);
  const text = Object.hasOwn(metadata, "names") ? metadata["names"] : undefined;
  if (text === undefined) return undefined;
  const bad = (what: string) => new ModelError(`"names" expected {0: 'name', ...} or ['name', ...], got ${what}`);
  const [, open, inside = ""] = /^\s*([{[])(.*?),?\s*[}\]]\s*$/s.exec(text) ?? [];
  const names: string[] = [];
  let key: number | undefined;
  let end = 0;
  for (const [whole, plain, quoted, single, double] of inside.matchAll(ENTRY)) {
    end += whole.length;
    const isKey = plain ?? quoted;
    if (isKey !== undefined && open === "{" && key === undefined) key = Number(isKey);
    else if (isKey === undefined && (open === "[" || key !== undefined)) {
      const index = key ?? names.length;
      if (names[index] !== undefined || index > 65535) throw bad(`index ${index} twice or beyond 65535`);
      names[index] = unescaped(single ?? double ?? "");
      key = undefined;
    } else throw bad(show(text));
  }
  if (open === undefined || end !== inside.length || key !== undefined) throw bad(show(text));
  const missing = Array.from(names).indexOf(undefined as never);
  if (missing >= 0) throw bad(`no name for index ${missing}`);
  return names;
}
