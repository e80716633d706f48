// What goes wrong, as one sentence and an exit code.

/** Exit codes. */
export const EXIT = {
  /** compare: beyond the tolerance. */
  differs: 1,
  /** A command, option or argument that cannot be. */
  usage: 2,
  /** A file that is well formed, but asks for what is not here. */
  unsupported: 3,
  /** A file that is missing, broken or not to be written. */
  file: 4,
  /** A mistake of this program. */
  internal: 70,
  interrupted: 130,
} as const;

/** An option or argument that does not do. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A file that does not do. */
export class FileError extends Error {
  override name = "FileError";
}

/** A file in a form that is not read. */
export class FormatError extends Error {
  override name = "FormatError";
}

/** Codes of the package's errors and of ours, by name: classes may be another bundle's. */
const CODES: Readonly<Record<string, number>> = {
  UsageError: EXIT.usage,
  ShapeError: EXIT.usage,
  FileError: EXIT.file,
  ModelError: EXIT.file,
  DataError: EXIT.file,
  FormatError: EXIT.unsupported,
  UnsupportedError: EXIT.unsupported,
  OutOfMemoryError: EXIT.unsupported,
};

/** The sentences of the package begin so; other TypeErrors and RangeErrors are mistakes. */
const SENTENCE = /^(layer |node )?.*"[^"]*" expected /s;

/** The code of an error. */
export function exitOf(error: unknown): number {
  if (!(error instanceof Error)) return EXIT.internal;
  const isRefusal = /^(TypeError|RangeError)$/.test(error.name) && SENTENCE.test(error.message);
  return CODES[error.name] ?? (isRefusal ? EXIT.usage : EXIT.internal);
}

/** What node:fs says, in words. */
const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "nothing by that name",
  ENOTDIR: "a path through something that is no folder",
  EISDIR: "a folder",
  EACCES: "one without the right to it",
  EPERM: "one without the right to it",
  ENOSPC: "a full disk",
  EROFS: "a file system that is read-only",
  ENAMETOOLONG: "a name that is too long",
  ELOOP: "links that lead in a circle",
  EMFILE: "too many open files",
  EBADF: "one that is closed",
};

/** "name" expected a file, got nothing by that name. */
export function fileError(name: string, expected: string, cause: unknown): FileError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new FileError(`"${name}" expected ${expected}, got ${WORDS[code ?? ""] ?? message}`, { cause });
}
