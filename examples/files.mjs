// What examples need of the machine: photos as bytes, models by name, pictures to look at. jpeg-js and pngjs are all JavaScript.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import jpeg from "jpeg-js";
import { PNG } from "pngjs";

const here = (path) => new URL(path, import.meta.url);
const SHARED = here("../../shared/data/");

/** Where a photo is: of examples/photos, or of the test data, or undefined. */
export const photoPath = (name) => [here(`photos/${name}`), new URL(`images/${name}`, SHARED)].find(existsSync);

/** A photo in RGBA: { data, width, height }. A path, or the name of one that photoPath() finds. */
export function readPhoto(name) {
  const file = readFileSync(photoPath(name) ?? name);
  const { data, width, height } = file[0] === 0x89 ? PNG.sync.read(file) : jpeg.decode(file, { useTArray: true });
  return { data, width, height };
}

/** The bytes of a model, from `npm run models` or the test data. Ends the example where it is in neither. */
export function readModel(name) {
  const path = [here(`models/${name}`), new URL(`models/${name}`, SHARED)].find(existsSync);
  if (path) return readFileSync(path);
  console.log(`SKIP: ${name} is neither in examples/models (npm run models) nor in ../shared/data/models`);
  process.exit(0);
}

/** Writes examples/out/NAME.png. */
export function writePng(name, { data, width, height }) {
  const png = new PNG({ width, height });
  png.data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  mkdirSync(here("out/"), { recursive: true });
  writeFileSync(here(`out/${name}.png`), PNG.sync.write(png));
  console.log(`examples/out/${name}.png`);
}

/** Photos to look at: those of the command line, or these, as far as they are there. */
export function photos(names) {
  const given = process.argv.slice(2).filter((argument) => argument !== "--json");
  if (given.length > 0) return given;
  for (const name of names)
    if (!photoPath(name)) console.log(`SKIP ${name}: not in examples/photos or ../shared/data/images`);
  return names.filter(photoPath);
}

/** With --json: what was found, as the last line. scripts/examples.mjs checks it. */
export function report(found) {
  if (process.argv.includes("--json")) console.log(JSON.stringify(found));
}
