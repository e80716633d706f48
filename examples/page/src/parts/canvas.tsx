// A canvas as large as its place, drawn anew when its size, the colours or what it shows change.
import { effect, signal } from "@preact/signals";
import type { CanvasHTMLAttributes } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** Counts changes of the colour scheme. */
const scheme = signal(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  scheme.value++;
});

/** What style.css says, asked once a scheme: a grid asks for every cell. */
const known = new Map<string, string>();
scheme.subscribe(() => known.clear());

/** A colour of style.css by its name without dashes. */
export function colour(name: string): string {
  let value = known.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    known.set(name, value);
  }
  return value;
}

/** "#rrggbb" as three bytes. */
export function bytesOf(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

export type Draw = (context: CanvasRenderingContext2D, width: number, height: number) => void;

interface Props extends Omit<CanvasHTMLAttributes<HTMLCanvasElement>, "ref"> {
  readonly draw: Draw;
  /** Width over height. */
  readonly ratio: number;
}

export function Canvas({ draw, ratio, ...rest }: Props) {
  const ref = useRef<HTMLCanvasElement>(null);
  const latest = useRef(draw);
  latest.current = draw;
  const paint = () => {
    const canvas = ref.current;
    const context = canvas?.getContext("2d");
    if (!canvas || !context) return;
    const width = canvas.clientWidth;
    const height = width / ratio;
    const scale = Math.min(3, globalThis.devicePixelRatio || 1);
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    latest.current(context, width, height);
  };
  useEffect(paint);
  useEffect(() => {
    const canvas = ref.current;
    if (!canvas) return;
    const observer = new ResizeObserver(paint);
    observer.observe(canvas);
    const stop = effect(() => {
      if (scheme.value >= 0) paint(); // and whatever signals it reads: examples come later than the pad
    });
    return () => {
      observer.disconnect();
      stop();
    };
  }, []);
  return <canvas ref={ref} {...rest} style={{ aspectRatio: String(ratio) }} />;
}

/** Pixels from 0 to 1 as shades between two colours of the style: one canvas pixel each. */
export function Shades({ values, width, from = "map0", to = "map1", ...rest }: ShadesProps) {
  const ref = useRef<HTMLCanvasElement>(null);
  const height = values.length / width;
  useEffect(() => {
    return scheme.subscribe(() => {
      const context = ref.current?.getContext("2d");
      if (!context) return;
      const image = context.createImageData(width, height);
      const [dark, light] = [bytesOf(colour(from)), bytesOf(colour(to))];
      values.forEach((value, i) => {
        const share = Math.min(1, Math.max(0, value));
        for (let k = 0; k < 3; k++)
          image.data[4 * i + k] = (dark[k] as number) + share * ((light[k] as number) - (dark[k] as number));
        image.data[4 * i + 3] = 255;
      });
      context.putImageData(image, 0, 0);
    });
  }, [values, width, from, to]);
  return <canvas ref={ref} width={width} height={height} class="shades" {...rest} />;
}

interface ShadesProps extends Omit<CanvasHTMLAttributes<HTMLCanvasElement>, "ref"> {
  readonly values: ArrayLike<number> & { forEach(each: (value: number, i: number) => void): void };
  readonly width: number;
  readonly from?: string;
  readonly to?: string;
}
