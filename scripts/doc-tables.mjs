// npm run docs: what docs/ say of operators and kernels, from the tables of the code, written between the comments of docs/onnx.md
// and docs/kernels.md that name them. Needs a build. --check fails on drift.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { markdown } from "../bench/table.mjs";
import { PACKS } from "./packs.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path) => readFileSync(join(root, path), "utf8");
/**
 * Names of the operators that run on kernels, by the types they take, and of all that JavaScript computes; those of
 * com.microsoft on their own. The only place that knows how src/onnx keeps its tables.
 */
async function operatorTables() {
  const from = (path) => import(join(root, "build/js/onnx/families", path));
  const [base, { FAMILIES }] = await Promise.all(["base.js", "table.js"].map(from));
  const of = (role) =>
    [
      ...Object.keys(base[role] ?? {}),
      ...Object.values(FAMILIES).flatMap((family) => (family[role] ? family[role].split(" ") : [])),
    ].map((name) => name.split("com.microsoft."));
  const standard = (role) => of(role).flatMap(([name]) => (name === "" ? [] : [name]));
  const microsoft = (role) => of(role).flatMap(([, name]) => (name === undefined ? [] : [name]));
  const any = Object.keys(base.OTHERS);
  const parts = standard("PARTS");
  const isRare = ([, { pack }]) => pack === "rare";
  const rare = Object.entries(FAMILIES)
    .filter(isRare)
    .flatMap(([, { OTHERS }]) => OTHERS.split(" "));
  const others = Object.entries(FAMILIES).filter((family) => !isRare(family));
  return {
    parts,
    floats: [...standard("FLOATS"), ...standard("FORMS"), ...parts],
    any,
    rare,
    quantised: others
      .flatMap(([, { OTHERS = "" }]) => OTHERS.split(" "))
      .filter((name) => name !== "" && !name.includes(".") && !any.includes(name)),
    host: standard("HOST"),
    microsoft: { floats: microsoft("PARTS"), quantised: microsoft("OTHERS"), host: microsoft("HOST") },
  };
}

/** The types that the rare kernels compute an operator in, beside float32 where others do. */
const RARE_TYPES = {
  any: ["GatherElements", "GatherND"],
  float32: ["ArgMax", "ArgMin", "CumSum", "GridSample", "RoiAlign"],
  "float32, int32, int64": ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"],
  "int32, int64": ["Add", "Sub", "Mul", "Div", "Max", "Min", "Mod"],
  bool: ["Equal", "And", "Or", "Xor", "Not"],
  "of 1, 4 or 8 bytes": ["Where"],
};

/** Operator, what it runs on, in which types, and since when the standard has it. */
async function operators() {
  const { parts, floats, any, rare, quantised, host, microsoft } = await operatorTables();
  const since = JSON.parse(read("scripts/onnx-since.json"));
  const layers = [...floats, ...any, ...rare, ...quantised];
  const names = [...new Set([...layers, ...host])].sort().filter((name) => {
    if (Object.hasOwn(since, name)) return true;
    if (host.includes(name) && !layers.includes(name))
      throw new Error(`scripts/onnx-since.json expected the operator set of ${name}, got none`);
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
    const more = Object.keys(RARE_TYPES).filter((types) => RARE_TYPES[types].includes(name));
    return rowOf(name, [...first, ...more, ...(quantised.includes(name) ? ["quantised"] : [])], since[name]);
  });
  // onnxruntime has some of its own in the standard's domain.
  const own = parts.filter((name) => !Object.hasOwn(since, name));
  const others = [...new Set([...microsoft.floats, ...microsoft.quantised, ...microsoft.host])].sort();
  const typesOf = (name) =>
    microsoft.floats.includes(name) ? ["float32"] : microsoft.quantised.includes(name) ? ["quantised"] : [];
  const more = [
    ...others.map((name) => rowOf(name, typesOf(name), "com.microsoft 1")),
    ...own.map((name) => rowOf(name, ["float32"], "onnxruntime")),
  ];
  const onKernels = standard.filter(([, place]) => place === "kernels").length;
  return [
    `${names.length} of the standard, ${onKernels} of them on kernels, and ${others.length + own.length} of com.microsoft.`,
    "",
    markdown(["operator", "runs on", "types", "since"], [...standard, ...more], " --- "),
  ].join("\n");
}

/** Every kernel, with the comment of its line in its pack, and the file that has it. */
function kernels() {
  const rows = PACKS.flatMap(({ name, entry }) =>
    [...read(entry).matchAll(/^export \{ ([^}]+) \} from "\.\.\/kernels\/([\w-]+)"; \/\/ (.+)$/gm)].map(
      ([, exported, stem, what]) => [
        exported
          .split(", ")
          .map((kernel) => `\`${kernel}\``)
          .join(" "),
        what,
        name,
        `[${stem}.ts](../assembly/kernels/${stem}.ts)`,
      ],
    ),
  );
  return markdown(["kernels", "do", "pack", "in `assembly/kernels/`"], rows, " --- ");
}

/** One layer by each method: what is multiplied and kept, as plans say it of the variant that is the same everywhere. */
async function methods() {
  const { createRuntime } = await import(join(root, "dist/index.js"));
  const rt = await createRuntime({ variant: "simd" });
  const [channels, side] = [64, 56];
  const weight = rt.zeros([channels, channels, 3, 3]);
  const [million, kilo] = [1e6, 1024];
  const winograd = (m) => Math.ceil(side / m) ** 2 * (m + 2) ** 2 * channels ** 2;
  const products = { winograd23: winograd(2), winograd43: winograd(4), winograd63: winograd(6), fft: undefined };
  const sources = { direct: "direct", im2col: "im2col", "implicit-gemm": "implicit-gemm", fft: "fft" };
  const input = [1, channels, side, side];
  const rows = ["direct", "im2col", "implicit-gemm", "winograd23", "winograd43", "winograd63", "fft"].map(
    (algorithm) => {
      const plan = rt.plan.conv2d({ input, memoryFormat: "channelsLast", weight, padding: 1, algorithm });
      const { macs, constantBytes, workspaceBytes, error } = plan.describe();
      const count = algorithm in products ? products[algorithm] : macs;
      const file = `conv-${sources[algorithm] ?? "winograd"}.ts`;
      return [
        `\`${algorithm}\``,
        count === undefined ? "of spectra" : `${(count / million).toFixed(1)} M`,
        (constantBytes / kilo).toFixed(0),
        (workspaceBytes / kilo).toFixed(0),
        error.toExponential(1),
        `[${file}](../assembly/kernels/${file})`,
      ];
    },
  );
  return markdown(["method", "products", "KB of packed weights", "KB while it runs", "error", "source"], rows);
}

const PAGES = {
  "docs/convolution.md": { methods },
  "docs/onnx.md": { operators },
  "docs/kernels.md": { kernels },
};
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
