// Answers as lines for people, and as plain data for --json.
import { percentText, tableLines } from "../text/table.js";
import type { Answer } from "./heads.js";

const number = (value: number) => (Number.isInteger(value) ? String(value) : value.toPrecision(4));

const nameOf = ({ label, index }: { readonly label?: string; readonly index: number }) => label ?? `class ${index}`;

/** Lines, aligned, of long names the middle cut out where they do not fit. Boxes are rounded to pixels. */
export function answerLines(answer: Answer, top: number, columns = Infinity): string[] {
  const aligned = (rows: readonly (readonly string[])[]) => alignedIn(rows, columns);
  if (answer.kind === "classes") return aligned(answer.classes.map((one) => [nameOf(one), one.score.toFixed(4)]));
  if (answer.kind === "boxes") {
    if (answer.boxes.length === 0) return ["nothing found"];
    const corners = answer.boxes.map(({ box }) => box.map((edge) => String(Math.round(edge))));
    const wide = Math.max(...corners.flat().map((text) => text.length));
    return aligned(
      answer.boxes.map((one, i) => [
        nameOf(one),
        one.score.toFixed(2),
        `[${(corners[i] as string[]).map((text) => text.padStart(wide)).join(", ")}]`,
      ]),
    );
  }
  if (answer.kind === "points") {
    const shown = answer.points
      .slice(0, Math.max(top, 20))
      .map((point, i) => [answer.names?.[i] ?? `point ${i}`, point.map((value) => value.toFixed(1)).join(", ")]);
    const more = answer.points.length - shown.length;
    return [...aligned(shown), ...(more > 0 ? [`… and ${more} more (--json has all)`] : [])];
  }
  if (answer.kind === "lines") {
    if (answer.lines.length === 0) return ["nothing found"];
    return aligned(
      answer.lines.map(({ points, score }, i) => [
        `line ${i}`,
        score.toFixed(2),
        points.map((point) => `(${point.map(Math.round).join(", ")})`).join(" "),
      ]),
    );
  }
  if (answer.kind === "map")
    return aligned(answer.shares.slice(0, Math.max(top, 10)).map((one) => [nameOf(one), percentText(one.share)]));
  return aligned(
    answer.outputs.map(({ shape, least, most, mean, first }) => [
      `[${shape.join(", ")}]`,
      `from ${number(least)} to ${number(most)}, mean ${number(mean)}`,
      `${first.map(number).join(" ")}${first.length < shape.reduce((a, b) => a * b, 1) ? " …" : ""}`,
    ]),
  );
}

function alignedIn(rows: readonly (readonly string[])[], columns: number): string[] {
  const [first = []] = rows;
  // Three spaces between cells, one of which the cell has; the name gives way.
  const cells = rows.map((row) => row.map((cell, c) => (c < row.length - 1 ? `${cell} ` : cell)));
  return tableLines(
    first.map((_, c) => ({ head: "", ...(c === 0 && { least: 8 }) })),
    cells,
    columns,
  ).slice(1);
}

/** What --json says: pixels of maps are left to --mask. */
export function answerData(answer: Answer): object {
  if (answer.kind === "classes") return { classes: answer.classes };
  if (answer.kind === "boxes") return { boxes: answer.boxes.map(({ coefficients: _, ...box }) => box) };
  if (answer.kind === "points") return { points: answer.points, ...(answer.names && { names: answer.names }) };
  if (answer.kind === "lines") return { lines: answer.lines };
  if (answer.kind === "map") return { width: answer.map.width, height: answer.map.height, classes: answer.shares };
  return { outputs: answer.outputs };
}
