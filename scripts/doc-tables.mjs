// npm run docs: what docs/ say of operators and kernels, from the tables of the code, written between the comments of docs/onnx.md
// and docs/kernels.md that name them. Needs a build. --check fails on drift.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { markdown } from "../bench/table.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path) => readFileSync(join(root, path), "utf8");
const filesOf = (folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => `${folder}/${file}`);

/**
 * Names of the operators that run on kernels, by the types they take, and of all that JavaScript computes; those of
 * com.microsoft on their own. The only place that knows how src/onnx keeps its tables.
 */
async function operatorTables() {
  const from = (path) => import(join(root, "build/js/onnx", path));
  const [{ FLOATS, MOVERS }, { QUANTISED, MICROSOFT }] = await Promise.all(
    ["lower/float.js", "lower/quantized.js"].map(from),
  );
  const [elementwise, movement, reduction, window, algebra, image] = await Promise.all(
    ["elementwise", "movement", "reduction", "window", "algebra", "image"].map((name) => from(`host/${name}.js`)),
  );
  const host = [
    elementwise.ELEMENTWISE,
    movement.MOVEMENT,
    reduction.REDUCTION,
    window.WINDOW,
    algebra.ALGEBRA,
    image.IMAGE,
  ];
  return {
    floats: Object.keys(FLOATS),
    any: Object.keys(MOVERS),
    quantised: Object.keys(QUANTISED),
    host: host.flatMap(Object.keys),
    microsoft: { quantised: Object.keys(MICROSOFT), host: Object.keys(algebra.MICROSOFT) },
  };
}

/** Operator, what it runs on, in which types, and since when the standard has it. */
async function operators() {
  const { floats, any, quantised, host, microsoft } = await operatorTables();
  const since = JSON.parse(read("scripts/onnx-since.json"));
  const names = [...new Set([...floats, ...any, ...quantised, ...host])].sort().filter((name) => {
    if (Object.hasOwn(since, name)) return true;
    if (host.includes(name)) throw new Error(`scripts/onnx-since.json expected the operator set of ${name}, got none`);
    return false; // a step that lowerings are made of
  });
  const rowOf = (name, types, version) => [
    name,
    types.length > 0 ? "kernels" : "JavaScript",
    types.length > 0 ? types.join(", ") : "the standard's",
    version,
  ];
  const standard = names.map((name) => {
    const first = any.includes(name) ? ["any"] : floats.includes(name) ? ["float32"] : [];
    return rowOf(name, quantised.includes(name) ? [...first, "quantised"] : first, since[name]);
  });
  const others = [...new Set([...microsoft.quantised, ...microsoft.host])].sort();
  const isLowered = (name) => microsoft.quantised.includes(name);
  const more = others.map((name) => rowOf(name, isLowered(name) ? ["quantised"] : [], "com.microsoft 1"));
  const onKernels = standard.filter(([, place]) => place === "kernels").length;
  return [
    `${names.length} of the standard, ${onKernels} of them on kernels, and ${others.length} of com.microsoft.`,
    "",
    markdown(["operator", "runs on", "types", "since"], [...standard, ...more], " --- "),
  ].join("\n");
}

/** Every kernel, with the comment of its row in src/kernels, and the file that has it. */
function kernels() {
  const rows = filesOf("src/kernels").flatMap((file) =>
    [...read(file).matchAll(/^\s*"(\w+)",? \/\/ (.+)$/gm)].map(([, name, what]) => ({ name, what })),
  );
  const sources = filesOf("assembly").map((file) => ({ file, text: read(file) }));
  const placed = rows.map(({ name, what }) => {
    const home = sources.find(({ text }) => new RegExp(`^export function ${name}\\(`, "m").test(text));
    if (home === undefined) throw new Error(`assembly expected a function ${name}, got none`);
    return [`\`${name}\``, what, `[${home.file.replace("assembly/", "")}](../${home.file})`];
  });
  return markdown(["kernel", "does", "in `assembly/`"], placed, " --- ");
}

const PAGES = { "docs/onnx.md": { operators }, "docs/kernels.md": { kernels } };
const isCheck = process.argv.includes("--check");
for (const [page, sections] of Object.entries(PAGES)) {
  const before = read(page);
  let after = before;
  for (const [name, content] of Object.entries(sections)) {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [after.indexOf(begin), after.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`${page} expected the lines "${begin}" and "${end}"`);
    after = `${after.slice(0, from)}${begin}\n${await content()}\n${after.slice(to)}`;
  }
  if (after === before) console.log(`${page} says what the code says`);
  else if (isCheck) {
    console.error(`${page} differs from the code: run npm run docs`);
    process.exitCode = 1;
  } else {
    writeFileSync(join(root, page), after);
    console.log(`written: ${page}`);
  }
}
