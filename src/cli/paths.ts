// Names of files, of Windows too. `path` is node:path as it is here; tests bring the other one.
import nodePath from "node:path";

export type PathModule = Pick<typeof nodePath, "basename" | "dirname" | "extname" | "join" | "sep">;

/** "name=file" at its first "=": names of files may have more of them, and a drive's colon is none. */
export function pairOf(text: string): readonly [name: string, file: string] | undefined {
  const at = text.indexOf("=");
  return at > 0 && at < text.length - 1 ? [text.slice(0, at), text.slice(at + 1)] : undefined;
}

/** Whether a name says that a folder is meant, which need not be there. */
export const isFolderName = (name: string): boolean => /[/\\]$/.test(name);

/** Where what was made of a file goes: into a folder under the file's own name. */
export function outputIn(folder: string, file: string, suffix: string, path: PathModule = nodePath): string {
  const base = file === "-" ? "stdin" : path.basename(file);
  return path.join(folder, base.slice(0, base.length - path.extname(base).length) + suffix);
}

/** A file beside another, by a relative name with slashes of either kind. */
export function besideOf(file: string, location: string, path: PathModule = nodePath): string {
  return path.join(path.dirname(file), ...location.split(/[/\\]/));
}

/** Names of a folder's pictures, and of the files of a test, in an order that people expect: 2 before 10. */
export const inOrder = (names: readonly string[]): string[] =>
  [...names].sort(new Intl.Collator("en", { numeric: true }).compare);
