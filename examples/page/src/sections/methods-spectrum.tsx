// A tile to its spectrum and back, computed here: 16 x 16 points of a picture, a kernel of 5 x 5, their spectra, the product, the result.
import { Shades } from "../parts/canvas.js";

const SIZE = 16;
/** Edges from left to right, blurred downwards. */
const ACROSS = [-1, -1, 0, 1, 1];
const DOWN = [1, 2, 3, 2, 1];
type Complex = readonly [re: Float64Array, im: Float64Array];

/** The discrete Fourier transform by its definition, rows, then columns. sign: -1 there, 1 back (not divided). */
function transform([re, im]: Complex, sign: 1 | -1): Complex {
  const along = ([fromRe, fromIm]: Complex, at: (line: number, k: number) => number): Complex => {
    const [toRe, toIm] = [new Float64Array(SIZE * SIZE), new Float64Array(SIZE * SIZE)];
    for (let line = 0; line < SIZE; line++)
      for (let k = 0; k < SIZE; k++) {
        let [sumRe, sumIm] = [0, 0];
        for (let n = 0; n < SIZE; n++) {
          const angle = (sign * 2 * Math.PI * k * n) / SIZE;
          const [a, b] = [fromRe[at(line, n)] as number, fromIm[at(line, n)] as number];
          sumRe += a * Math.cos(angle) - b * Math.sin(angle);
          sumIm += a * Math.sin(angle) + b * Math.cos(angle);
        }
        toRe[at(line, k)] = sumRe;
        toIm[at(line, k)] = sumIm;
      }
    return [toRe, toIm];
  };
  const rows = along([re, im], (line, k) => line * SIZE + k);
  return along(rows, (line, k) => k * SIZE + line);
}

const real = (values: (y: number, x: number) => number): Complex => [
  Float64Array.from({ length: SIZE * SIZE }, (_, i) => values(Math.floor(i / SIZE), i % SIZE)),
  new Float64Array(SIZE * SIZE),
];

/** The product with the conjugate: a cross-correlation, as layers have it. */
function product([a, b]: Complex, [c, d]: Complex): Complex {
  return [
    a.map((value, i) => value * (c[i] as number) + (b[i] as number) * (d[i] as number)),
    a.map((value, i) => (b[i] as number) * (c[i] as number) - value * (d[i] as number)),
  ];
}

/** Logarithm of the magnitude, low frequencies in the middle, 0 to 1. */
function shown([re, im]: Complex): Float64Array {
  const size = re.map((value, i) => Math.log1p(Math.hypot(value, im[i] as number)));
  const most = Math.max(...size);
  const half = SIZE / 2;
  return size.map((_, i) => {
    const [y, x] = [(Math.floor(i / SIZE) + half) % SIZE, ((i % SIZE) + half) % SIZE];
    return (size[y * SIZE + x] as number) / most;
  });
}

function scaled(values: Float64Array): Float64Array {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return values.map((value) => (value - least) / (most - least));
}

/** A ring in a tile, and a kernel that finds edges from left to right. */
function pictures() {
  const tile = real((y, x) => (Math.abs(Math.hypot(y - 7.5, x - 7.5) - 4.5) < 1.1 ? 1 : 0));
  const kernel = real((y, x) => (y < 5 && x < 5 ? (ACROSS[x] as number) * (DOWN[y] as number) : 0));
  const [spectrum, filter] = [transform(tile, -1), transform(kernel, -1)];
  const multiplied = product(spectrum, filter);
  const [result] = transform(multiplied, 1);
  return [
    { says: "a tile", values: scaled(tile[0]) },
    { says: "its spectrum", values: shown(spectrum) },
    { says: "× the kernel's", values: shown(filter) },
    { says: "= the product", values: shown(multiplied) },
    { says: "and back", values: scaled(result) },
  ];
}
let made: ReturnType<typeof pictures> | undefined;

export function Spectrum() {
  made ??= pictures();
  return (
    <div class="spectra">
      {made.map(({ says, values }) => (
        <figure key={says}>
          <Shades values={values} width={SIZE} aria-hidden="true" />
          <figcaption>{says}</figcaption>
        </figure>
      ))}
    </div>
  );
}
