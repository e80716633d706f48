// A bar chart as SVG: groups of bars with a label each, and a line at 1.

const COLORS = ["#9db8d9", "#2b5d9b", "#c9c3b8", "#d9a441"];
const [BAR, GAP, LEFT, WIDTH, TOP] = [7, 8, 150, 760, 56];
const LEGEND = 155;

const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** series: names of the bars; rows: [{ label, values }], values in the series' order, undefined for none. */
export function barChart({ title, note, series, rows }) {
  const most = Math.ceil(Math.max(...rows.flatMap(({ values }) => values.filter((value) => value !== undefined))));
  const scale = (WIDTH - LEFT - 50) / most;
  const height = TOP + rows.length * (series.length * BAR + GAP) + 28;
  const out = [];
  const text = (x, y, content, { anchor = "start", size = 11, weight = "normal" } = {}) =>
    out.push(
      `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" font-weight="${weight}">${escaped(content)}</text>`,
    );
  const rect = (x, y, w, h, color) =>
    out.push(`<rect x="${x}" y="${y}" width="${w.toFixed(1)}" height="${h}" fill="${color}"/>`);

  text(10, 18, title, { size: 14, weight: "bold" });
  series.forEach((name, i) => {
    rect(LEFT + i * LEGEND, 30, 10, 10, COLORS[i]);
    text(LEFT + i * LEGEND + 15, 39, name);
  });
  for (let tick = 0; tick <= most; tick++) {
    const x = LEFT + tick * scale;
    out.push(
      `<line x1="${x}" x2="${x}" y1="${TOP - 6}" y2="${height - 26}" stroke="${tick === 1 ? "#b03a2e" : "#e4e4e4"}"/>`,
    );
    text(x, height - 14, String(tick), { anchor: "middle", size: 10 });
  }
  rows.forEach(({ label, values }, row) => {
    const y = TOP + row * (series.length * BAR + GAP);
    text(LEFT - 8, y + (series.length * BAR) / 2 + 4, label, { anchor: "end" });
    values.forEach((value, i) => {
      if (value === undefined) return;
      rect(LEFT, y + i * BAR, value * scale, BAR - 1, COLORS[i]);
      text(LEFT + value * scale + 4, y + i * BAR + 6, value.toFixed(1), { size: 7 });
    });
  });
  text(10, height - 2, note, { size: 9 });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" fill="#222">
<rect width="100%" height="100%" fill="white"/>
${out.join("\n")}
</svg>
`;
}
