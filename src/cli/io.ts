// The terminal, as commands see it: results, notes, colours, progress.
import { type Paint, paintOf } from "./text/paint.js";

export interface Io {
  /** A result, to standard output. */
  readonly out: (text: string) => void;
  /** Anything else, to standard error. */
  readonly note: (text: string) => void;
  /** Width of the terminal; Infinity where results go elsewhere. */
  readonly columns: number;
  readonly paint: Paint;
  /** Says how far something is that takes more than a second, where somebody looks on. */
  readonly progress: (what: string) => Progress;
  /** All of standard input. */
  readonly stdin: () => Promise<Uint8Array>;
}

export interface Progress {
  /** done: from 0 to 1. */
  readonly at: (done: number) => void;
  readonly end: () => void;
}

export type ColourOption = "auto" | "always" | "never";

// All control characters but tab and line feed.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const OBEYED = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: so are they here
const OBEYED_BUT_COLOURS = /\x1b(?!\[\d{1,2}m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]/g;
const PATIENCE_MS = 1000;
const REDRAW_MS = 100;

/**
 * Text as a terminal may have it: names come out of files, and what a terminal would obey in them becomes U+FFFD. Of escapes colours
 * stay, where there are any.
 */
export function harmless(text: string, isColoured = false): string {
  return text.replace(isColoured ? OBEYED_BUT_COLOURS : OBEYED, "\ufffd");
}

/** Of this process. colour: --color. */
export function processIo(colour: ColourOption): Io {
  const { stdout, stderr } = process;
  const isColoured =
    colour === "always" ||
    (colour === "auto" && stdout.isTTY === true && !variable("NO_COLOR") && variable("TERM") !== "dumb");
  return {
    out: (text) => void stdout.write(harmless(text, isColoured)),
    note: (text) => void stderr.write(harmless(text, isColoured)),
    columns: widthOf(stdout),
    paint: paintOf(isColoured),
    progress: (what) => (stderr.isTTY ? progressOn(stderr, what) : { at: () => {}, end: () => {} }),
    stdin: readStdin,
  };
}

/** Of the environment; Deno may not be let to say. */
function variable(name: string): string | undefined {
  try {
    return process.env[name];
  } catch {
    return undefined;
  }
}

/** COLUMNS is what people set for a width that no terminal says. */
function widthOf({ isTTY, columns }: NodeJS.WriteStream): number {
  const set = variable("COLUMNS") ?? "";
  return (isTTY ? columns : 0) || (/^\d{1,4}$/.test(set) && Number(set)) || Infinity;
}

function progressOn(stderr: NodeJS.WriteStream, what: string): Progress {
  const start = performance.now();
  let drawn = 0;
  return {
    at(done) {
      const now = performance.now();
      if (now - start < PATIENCE_MS || now - drawn < REDRAW_MS) return;
      drawn = now;
      const width = 20;
      const full = Math.round(width * Math.min(Math.max(done, 0), 1));
      stderr.write(`\r${what} ${"█".repeat(full)}${"░".repeat(width - full)} ${Math.round(100 * done)} %\x1b[K`);
    },
    end() {
      if (drawn > 0) stderr.write("\r\x1b[K");
    },
  };
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return new Uint8Array(Buffer.concat(chunks));
}
