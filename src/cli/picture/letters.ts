// Names on pictures: letters of 5 by 7 pixels, made larger by whole numbers, on a plate in the box's colour.
import font from "oled-font-5x7";

interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

type Rgb = readonly [red: number, green: number, blue: number, alpha?: number];

/** What is written beside a box, [left, top, right, bottom]. */
export interface Sign {
  readonly text: string;
  readonly box: readonly [number, number, number, number];
  readonly colour: Rgb;
}

const COLUMNS = font.width;
const ROWS = font.height;
/** From letter to letter, in their own pixels. */
const STEP = COLUMNS + 1;
/** A pixel of letters for so many of the picture's longer side, or part of them: letters of 14 rows on 640. */
const SIDE_PER_PIXEL = 400;

/** For what the font does not have. */
const HOLLOW = [0x7f, 0x41, 0x41, 0x41, 0x7f];

const GLYPHS = new Map(
  font.lookup.map((letter, i) => [letter, font.fontData.slice(COLUMNS * i, COLUMNS * (i + 1))] as const),
);

/** What no accent parts from the font's letters, and what is written for it. */
const FOREIGN = [..."’‘“”–—…ßæøłØŁ"];
const OWN = [..."''\"\"--.seolOL"];

/** A letter of the font, without accents that it does not know; undefined where there is none like it. */
function glyphOf(letter: string): readonly number[] | undefined {
  const plain = letter.normalize("NFD").replace(/\p{M}/gu, "");
  return GLYPHS.get(letter) ?? GLYPHS.get(OWN[FOREIGN.indexOf(letter)] ?? plain);
}

/** Letters as they are written: composed, no control characters. */
const lettersOf = (text: string): string[] => [...text.normalize("NFC").replace(/\p{C}/gu, "")];

/** Whether the font has most of a name's letters: of Chinese it has none. */
export function isWritable(name: string): boolean {
  const letters = lettersOf(name).filter((letter) => letter !== " ");
  return letters.length > 0 && 2 * letters.filter((letter) => glyphOf(letter) !== undefined).length > letters.length;
}

/** Black or white, whichever is further from a colour's brightness (ITU-R BT.601). */
const inkOn = ([red, green, blue]: Rgb): Rgb =>
  0.299 * red + 0.587 * green + 0.114 * blue > 140 ? [0, 0, 0] : [255, 255, 255];

/** A rectangle of a picture, its edges whole numbers. */
interface Plate {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function fill({ data, width, height }: Pixels, plate: Plate, [red, green, blue]: Rgb): void {
  const [right, bottom] = [Math.min(plate.x + plate.width, width), Math.min(plate.y + plate.height, height)];
  for (let y = Math.max(plate.y, 0); y < bottom; y++)
    for (let x = Math.max(plate.x, 0); x < right; x++) data.set([red, green, blue, 255], 4 * (y * width + x));
}

/** Writes signs into RGBA pixels, the first on top: above their boxes, or inside, where there is room and none before stands. */
export function drawSigns(picture: Pixels, signs: readonly Sign[]): void {
  const wanted = Math.ceil(Math.max(picture.width, picture.height) / SIDE_PER_PIXEL);
  const scale = Math.max(1, Math.min(wanted, Math.floor(picture.height / (ROWS + 2)))); // of a panorama they must fit, too
  const taken: Plate[] = [];
  const placed = signs.flatMap((sign) => {
    const letters = lettersOf(sign.text);
    // A pixel around them; between letters there is one already.
    const room = Math.floor((picture.width / scale - 1) / STEP);
    const shown = letters.length <= room ? letters : room > 2 ? [...letters.slice(0, room - 2), ".", "."] : [];
    const plate = plateOf(picture, sign.box, shown.length * STEP * scale + scale, (ROWS + 2) * scale, taken);
    if (shown.length === 0 || plate === undefined) return [];
    taken.push(plate);
    return [{ sign, shown, plate }];
  });
  for (const { sign, shown, plate } of placed.reverse()) {
    fill(picture, plate, sign.colour);
    for (const [i, letter] of shown.entries()) {
      const at = { x: plate.x + scale + i * STEP * scale, y: plate.y + scale };
      drawGlyph(picture, glyphOf(letter) ?? HOLLOW, at, scale, inkOn(sign.colour));
    }
  }
}

/** Where a sign of a size goes: whole in the picture, over no other if that can be; undefined of a picture that is too low, or of a box outside. */
function plateOf(
  picture: Pixels,
  [left, top, right, bottom]: Sign["box"],
  width: number,
  height: number,
  taken: readonly Plate[],
): Plate | undefined {
  if (height > picture.height || right < 0 || bottom < 0 || left > picture.width || top > picture.height)
    return undefined;
  const x = Math.round(Math.min(Math.max(left, 0), picture.width - width));
  const places = [top - height, Math.max(top, 0), Math.min(bottom, picture.height) - height, bottom].map(Math.round);
  const inside = places.filter((y) => y >= 0 && y + height <= picture.height).map((y) => ({ x, y, width, height }));
  const isFree = (one: Plate) =>
    taken.every(
      (two) =>
        one.x >= two.x + two.width ||
        two.x >= one.x + one.width ||
        one.y >= two.y + two.height ||
        two.y >= one.y + one.height,
    );
  return inside.find(isFree) ?? inside[0] ?? { x, y: 0, width, height };
}

/** A bit a row of each column, the lowest on top. */
function drawGlyph(
  picture: Pixels,
  glyph: readonly number[],
  { x, y }: { readonly x: number; readonly y: number },
  scale: number,
  ink: Rgb,
): void {
  for (const [column, bits] of glyph.entries())
    for (let row = 0; row < ROWS; row++)
      if ((bits >> row) & 1)
        fill(picture, { x: x + column * scale, y: y + row * scale, width: scale, height: scale }, ink);
}
