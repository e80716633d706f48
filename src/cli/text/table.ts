// Tables that fit a width, numbers as people read them, bars.

export interface Column {
  readonly head: string;
  /** Numbers stand right. */
  readonly align?: "left" | "right";
  /** It may be cut down to so many characters, in the middle. */
  readonly least?: number;
  /** Where there is no room, the column with the largest goes first; never without one. */
  readonly drop?: number;
}

const GAP = "  ";

/** Lines of a table, the head first, none longer than `width` as long as columns can give way. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  let shown = columns.map((_, i) => i);
  for (;;) {
    const widths = fitted(columns, rows, shown, width);
    if (widths) return drawn(columns, rows, shown, widths);
    const going = shown
      .filter((i) => columns[i]?.drop !== undefined)
      .sort((a, b) => (columns[b]?.drop as number) - (columns[a]?.drop as number))[0];
    if (going === undefined) return drawn(columns, rows, shown, natural(columns, rows, shown, true));
    shown = shown.filter((i) => i !== going);
  }
}

function natural(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  shown: readonly number[],
  isLeast: boolean,
): number[] {
  return shown.map((i) => {
    const most = rows.reduce((most, row) => Math.max(most, (row[i] ?? "").length), columns[i]?.head.length ?? 0);
    return isLeast ? Math.min(most, columns[i]?.least ?? most) : most;
  });
}

/** Widths that fit, or undefined. What may be cut gives up in turns, the longest first. */
function fitted(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  shown: readonly number[],
  width: number,
): number[] | undefined {
  const widths = natural(columns, rows, shown, false);
  const least = natural(columns, rows, shown, true);
  let over = widths.reduce((sum, w) => sum + w, GAP.length * (shown.length - 1)) - width;
  while (over > 0) {
    let at = -1;
    widths.forEach((w, i) => {
      if (w > (least[i] as number) && (at < 0 || w > (widths[at] as number))) at = i;
    });
    if (at < 0) return undefined;
    widths[at] = (widths[at] as number) - 1;
    over--;
  }
  return widths;
}

function drawn(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  shown: readonly number[],
  widths: readonly number[],
): string[] {
  const line = (cells: readonly string[]) =>
    shown
      .map((i, at) => {
        const text = shortened(cells[i] ?? "", widths[at] as number);
        return columns[i]?.align === "right" ? text.padStart(widths[at] as number) : text.padEnd(widths[at] as number);
      })
      .join(GAP)
      .trimEnd();
  return [line(columns.map(({ head }) => head)), ...rows.map(line)];
}

/** At most so many characters: the middle goes. */
export function shortened(text: string, width: number): string {
  if (text.length <= width) return text;
  const kept = Math.max(width - 1, 0);
  const front = Math.ceil(kept / 2);
  return `${text.slice(0, front)}…${text.slice(text.length - (kept - front))}`.slice(0, width);
}

const EIGHTHS = " ▏▎▍▌▋▊▉";

/** A bar of a share, so many characters at 1. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(share, 0), 1) * width * 8);
  const text = "█".repeat(eighths >> 3) + (eighths & 7 ? EIGHTHS[eighths & 7] : "");
  return text || (share > 0 ? "▏" : "");
}

/** 4.0 MB, 12 KB, 640 B. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e5) return `${(bytes / 1e3).toFixed(1)} KB`;
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} KB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** 0.98 M, 61.1 M, 672. */
export function countText(count: number): string {
  if (count < 1e4) return String(count);
  if (count < 1e5) return `${(count / 1e3).toFixed(1)} K`;
  return count < 1e9 ? `${(count / 1e6).toFixed(count < 1e7 ? 2 : 1)} M` : `${(count / 1e9).toFixed(2)} G`;
}

/** Two digits behind the point at most, three that mean something; of less than a tenth the first two. */
export function msText(ms: number): string {
  if (ms > 0 && ms < 0.1) return ms.toPrecision(2);
  return ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0);
}

/** Multiply-accumulates in millions: 115.61, and of a few thousands 0.0035. */
export const megaText = (macs: number): string =>
  macs > 0 && macs < 1e4 ? (macs / 1e6).toPrecision(2) : (macs / 1e6).toFixed(2);

export const percentText = (share: number): string =>
  `${share > 0 && share < 0.0005 ? "<0.1" : (100 * share).toFixed(1)} %`;

/** 1 layer, 2 layers. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/** Parts in lines that fit. */
export function filled(parts: readonly string[], columns: number, gap = "   "): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + gap.length + part.length <= columns)
      lines[lines.length - 1] = last + gap + part;
    else lines.push(part);
  }
  return lines;
}

/** A sentence in lines that fit, broken between words; those after the first are indented. */
export const wrapped = (text: string, columns: number): string[] =>
  filled(text.split(" "), columns - 2, " ").map((line, i) => (i === 0 ? line : `  ${line}`));
