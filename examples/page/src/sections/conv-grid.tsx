// A plane of numbers as cells: pointed at by mouse, finger or arrow keys, changed by digits.
import { useRef } from "preact/hooks";
import { bytesOf, Canvas, colour } from "../parts/canvas.js";
import { short } from "../parts/format.js";

export interface Cell {
  readonly value: number;
  /** Outside of the input. */
  readonly isPadding?: boolean;
  /** 0 plain, 1 takes part, 2 is the one. */
  readonly lit?: 0 | 1 | 2;
}

interface Props {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly cell: (row: number, column: number) => Cell;
  /** The largest of what is shown, for the shades. */
  readonly most: number;
  readonly lane: string;
  readonly at: readonly [row: number, column: number] | undefined;
  readonly point: (row: number, column: number) => void;
  /** A cell that was pressed. */
  readonly pick?: ((row: number, column: number) => void) | undefined;
  /** A digit or a sign that was typed. */
  readonly put?: ((row: number, column: number, change: (before: number) => number) => void) | undefined;
}

function mixed(from: string, to: string, share: number): string {
  const [a, b] = [bytesOf(colour(from)), bytesOf(colour(to))];
  return `rgb(${a.map((value, i) => Math.round(value + share * ((b[i] as number) - value))).join(" ")})`;
}

/** What typing does to a number: digits, a sign, up and down by one. */
function typed(key: string): ((before: number) => number) | undefined {
  if (/^\d$/.test(key)) return () => Number(key);
  if (key === "-") return (before) => -before;
  if (key === "+") return (before) => before + 1;
  if (key === "_") return (before) => before - 1;
  return undefined;
}

export function Grid({ name, rows, columns, cell, most, lane, at, point, pick, put }: Props) {
  const isDown = useRef(false);
  const draw = (context: CanvasRenderingContext2D, width: number) => {
    const size = width / columns;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const strong: [number, number][] = [];
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const { value, isPadding, lit = 0 } = cell(row, column);
        const [x, y] = [column * size, row * size];
        const gap = size > 12 ? 1 : 0.5;
        const share = Math.min(1, Math.abs(value) / most);
        context.fillStyle = isPadding
          ? colour("panel")
          : mixed("cell", value < 0 ? "lane4" : lane, 0.08 + 0.42 * share * (value === 0 ? 0 : 1));
        context.fillRect(x + gap, y + gap, size - 2 * gap, size - 2 * gap);
        if (isPadding) {
          context.strokeStyle = colour("line");
          context.setLineDash([2, 2]);
          context.strokeRect(x + 1.5, y + 1.5, size - 3, size - 3);
          context.setLineDash([]);
        }
        if (lit > 0) {
          context.lineWidth = lit === 2 ? 3 : 2;
          context.strokeStyle = colour(lit === 2 ? "ink" : "lit");
          context.strokeRect(x + 1, y + 1, size - 2, size - 2);
          context.lineWidth = 1;
          if (lit === 2) strong.push([x, y]);
        }
        const near = Math.round(value); // 1.99999 of a batch norm is 2 in a cell
        const text = short(Math.abs(value - near) < 1e-4 ? near : value, 1);
        const font = Math.min(15, size * 0.46, (size * 1.5) / Math.max(2, text.length));
        if (size < 15 || font < 7) continue;
        context.fillStyle = colour(isPadding ? "muted" : "ink");
        context.font = `${lit > 0 ? 650 : 450} ${font}px ${colour("mono")}`;
        context.fillText(text, x + size / 2, y + size / 2 + 0.5);
      }
    context.lineWidth = 3;
    context.strokeStyle = colour("ink");
    for (const [x, y] of strong) context.strokeRect(x + 1.5, y + 1.5, size - 3, size - 3);
    context.lineWidth = 1;
  };
  const follow = (event: PointerEvent, to = point) => {
    const { left, top, width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const cellAt = (value: number, end: number) =>
      Math.min(end - 1, Math.max(0, Math.floor((value / width) * columns)));
    to(cellAt(event.clientY - top, rows), cellAt(event.clientX - left, columns));
  };
  const [row, column] = at ?? [0, 0];
  return (
    <div class="grid" style={{ maxInlineSize: `${columns * 38}px` }}>
      <Canvas
        ratio={columns / rows}
        draw={draw}
        role="application"
        tabIndex={0}
        aria-label={`${name}, ${rows} rows of ${columns}; arrow keys move${put ? ", digits and minus change" : ""}`}
        onPointerDown={(event: PointerEvent) => {
          isDown.current = true;
          follow(event);
          if (pick) follow(event, pick);
        }}
        onPointerUp={() => {
          isDown.current = false;
        }}
        onPointerMove={(event: PointerEvent) => {
          if (event.pointerType === "mouse" || isDown.current) follow(event);
        }}
        onFocus={() => {
          if (!at) point(0, 0);
        }}
        onKeyDown={(event: KeyboardEvent) => {
          const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
          const change = typed(event.key);
          if (by) {
            const [down = 0, right = 0] = by;
            point(Math.min(rows - 1, Math.max(0, row + down)), Math.min(columns - 1, Math.max(0, column + right)));
          } else if (change && put && at) put(row, column, change);
          else return;
          event.preventDefault();
        }}
      />
    </div>
  );
}
