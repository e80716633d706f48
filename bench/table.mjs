// Plain-text and Markdown tables. The first column is left-aligned, all others right, but where Markdown is told otherwise.

export function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map((cell) => String(cell ?? "")));
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  const line = (row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join("  ")
      .trimEnd();
  return [line(cells[0]), widths.map((width) => "-".repeat(width)).join("  "), ...cells.slice(1).map(line)].join("\n");
}

export function markdown(head, rows, others = " ---: ") {
  const line = (row) => `| ${row.map((cell) => cell ?? "").join(" | ")} |`;
  return [line(head), `|${head.map((_, i) => (i === 0 ? " --- " : others)).join("|")}|`, ...rows.map(line)].join("\n");
}

/** Milliseconds to three digits. */
export function ms(value) {
  return value === undefined
    ? ""
    : value >= 100
      ? value.toFixed(0)
      : value >= 10
        ? value.toFixed(1)
        : value >= 1
          ? value.toFixed(2)
          : value.toFixed(3);
}

export function percent(value) {
  return `${(100 * value).toFixed(1)} %`;
}
