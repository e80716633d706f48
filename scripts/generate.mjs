// Writes the generated sources (none is committed):
//   assembly/gen/tiles.ts         scripts/tiles.mjs
//   assembly/gen/int8-tiles.ts    scripts/int8-tiles.mjs
//   assembly/gen/int8-depthwise.ts   scripts/int8-depthwise.mjs
//   assembly/gen/abi-<pack>.ts    the ABI number of a pack
//   src/kernels/gen/desc.ts       the byte layout of every descriptor class of assembly/abi
//   src/kernels/gen/constants.ts  its numbers and codes
//   src/kernels/gen/<pack>/       of both what the first pack does not know, a file each: only who needs the pack fetches it
//   src/kernels/gen/packs.ts      packs, their kernels and ABI numbers; of a layer's own pack: <pack>/pack.ts
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import { int8Depthwise } from "./int8-depthwise.mjs";
import { int8Tiles } from "./int8-tiles.mjs";
import { PACKS } from "./packs.mjs";
import { tiles } from "./tiles.mjs";

const root = new URL("../", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");
function write(path, text) {
  const url = new URL(path, root);
  mkdirSync(new URL(".", url), { recursive: true });
  writeFileSync(url, text);
}

const ABI_FOLDER = "assembly/abi";

/** Removes comments. */
const bare = (text) => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");

/** The statements between two braces, or the entries of an enum. */
const parts = (body, separator) =>
  body
    .split(separator)
    .map((part) => part.trim())
    .filter(Boolean);

/** Kinds of fields, as src/plan/operand.ts knows them. Numbers: there are some 200 fields. */
const KINDS = { i32: 0, f32: 1, usize: 2 };

/** Every descriptor field is four bytes (usize, i32 or f32), so its offset is four times its index. */
function readStruct(where, [, name, parent, body], facts) {
  const own = parts(body, ";").map((statement) => {
    const match = /^(\w+): (usize|i32|f32)$/.exec(statement);
    if (!match) throw new Error(`${where}: ${name}: cannot read the field "${statement}"`);
    return [match[1], KINDS[match[2]]];
  });
  if (parent && !facts.has(parent)) throw new Error(`${where}: ${name}: its parent ${parent} does not stand before it`);
  const fields = [...(parent ? facts.get(parent).fields : []), ...own];
  if (new Set(fields.map(([field]) => field)).size !== fields.length)
    throw new Error(`${where}: ${name}: a field stands twice`);
  return { kind: "struct", name, parent, own, fields };
}

/** Counts from 0; a value of its own is not for an enum that both sides count. */
function readCodes(where, [, name, body]) {
  const codes = parts(body, ",");
  const odd = codes.find((code) => !/^\w+$/.test(code));
  if (odd !== undefined) throw new Error(`${where}: ${name}: cannot read the code "${odd}"`);
  return { kind: "codes", name, codes };
}

/** A number, or sums and products of numbers and of constants above. */
function readConstant(where, [, name, expression], facts) {
  const numbers = expression.replace(/[A-Z]\w*/g, (other) => {
    const fact = facts.get(other);
    if (fact?.kind !== "constant") throw new Error(`${where}: ${name}: ${other} is no constant that stands before it`);
    return fact.value;
  });
  if (!/^[\d\s+*-]+$/.test(numbers)) throw new Error(`${where}: ${name}: cannot read the value "${expression}"`);
  return { kind: "constant", name, value: Function(`return ${numbers}`)() };
}

const FORMS = [
  [/^@unmanaged export class (\w+)(?: extends (\w+))? \{([^}]*)\}/, readStruct],
  [/^export const enum (\w+) \{([^}]*)\}/, readCodes],
  [/^export const (\w+): i32 = ([^;]*);/, readConstant],
];

/** Everything that assembly/abi says, by name, in order; other text than structs, codes and constants is an error. */
function readFacts() {
  const facts = new Map();
  for (const file of readdirSync(new URL(ABI_FOLDER, root)).sort()) {
    const where = `${ABI_FOLDER}/${file}`;
    let rest = bare(read(where)).trim();
    while (rest !== "") {
      const [match, readAs] =
        FORMS.map(([form, reader]) => [form.exec(rest), reader]).find(([found]) => found !== null) ?? [];
      if (!match) throw new Error(`${where}: cannot read "${rest.split("\n")[0]}"`);
      const fact = readAs(where, match, facts);
      if (facts.has(fact.name)) throw new Error(`${where}: ${fact.name} stands twice`);
      facts.set(fact.name, fact);
      rest = rest.slice(match[0].length).trim();
    }
  }
  return facts;
}

const IMPORT = /(import|export) \{([^}]*)\} from "([^"]*)"/g;

/** The imports of an assembly file: how, names, and the file they come from. */
const importsOf = (file) =>
  [...bare(read(file)).matchAll(IMPORT)].map(([, how, names, from]) => ({
    how,
    names: parts(names, ","),
    from: posix.join(posix.dirname(file), `${from}.ts`),
  }));

/**
 * A pack: its kernels, which are what its entry exports from files of kernels, and its ABI number, a hash of their names, of
 * every fact that their sources import, and of the data that they write where all packs of a runtime have theirs.
 */
function readPack({ name, entry, layer }, facts) {
  const kernels = importsOf(entry)
    .filter(({ how, from }) => how === "export" && from.startsWith("assembly/kernels/"))
    .flatMap(({ names }) => names);
  if (kernels.length === 0) throw new Error(`${entry}: exports no kernel`);
  const used = new Set();
  const seen = new Set();
  const data = [];
  const visit = (file) => {
    if (seen.has(file) || file.startsWith("assembly/gen/")) return;
    seen.add(file);
    data.push(...(read(file).match(/\bmemory\.data\b[^;]*/g) ?? []));
    for (const { names, from } of importsOf(file)) {
      if (!from.startsWith(ABI_FOLDER)) visit(from);
      else for (const fact of names) used.add(fact);
    }
  };
  visit(entry);
  const known = [...used].sort().map((fact) => {
    if (!facts.has(fact)) throw new Error(`${entry}: ${fact} is no fact of ${ABI_FOLDER}`);
    return facts.get(fact);
  });
  const hash = createHash("sha256").update(JSON.stringify([[...kernels].sort(), known, ...data.sort()]));
  return { name, kernels, abi: hash.digest().readUInt32LE(0) >>> 1, used, layer };
}

const ts = (from, lines) => `// Generated by scripts/generate.mjs from ${from}: do not edit.\n${lines.join("\n")}\n`;
const object = (name, lines) => `export const ${name} = {\n${lines.map((line) => `  ${line},\n`).join("")}} as const;`;

write("assembly/gen/tiles.ts", tiles);
write("assembly/gen/int8-tiles.ts", int8Tiles);
write("assembly/gen/int8-depthwise.ts", int8Depthwise);
const facts = readFacts();
const packs = PACKS.map((pack) => readPack(pack, facts));
/** The pack that alone knows a struct or codes, where that is not the first. */
const ownerOf = ({ name, kind }) => {
  const users = packs.filter(({ used }) => used.has(name));
  return kind !== "constant" && users.length === 1 && users[0] !== packs[0] ? users[0].name : undefined;
};
const ofKind = (kind) => [...facts.values()].filter((fact) => fact.kind === kind && ownerOf(fact) === undefined);
const names = packs.flatMap(({ kernels }) => kernels);
const twice = names.find((name, i) => names.indexOf(name) !== i);
if (twice !== undefined) throw new Error(`${twice} is a kernel of two packs`);

const LAYOUT = `${ABI_FOLDER}, fields in the order of memory, four bytes each (0 i32, 1 f32, 2 usize)`;
const structOf = ({ name, parent, own }) =>
  object(name, [...(parent ? [`...${parent}`] : []), ...own.map(([field, kind]) => `${field}: ${kind}`)]);
const codesOf = ({ name, codes }) =>
  object(
    name,
    codes.map((code, i) => `${code}: ${i}`),
  );

write("src/kernels/gen/desc.ts", ts(LAYOUT, ofKind("struct").map(structOf)));
write(
  "src/kernels/gen/constants.ts",
  ts(ABI_FOLDER, [
    ...ofKind("constant").map(({ name, value }) => `export const ${name} = ${value};`),
    ...ofKind("codes").map(codesOf),
  ]),
);
for (const fact of facts.values()) {
  const pack = ownerOf(fact);
  if (pack === undefined) continue;
  const file = fact.name.replace(/\B[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
  const text =
    fact.kind === "struct"
      ? ts(LAYOUT, [structOf({ name: fact.name, own: fact.fields })])
      : ts(ABI_FOLDER, [codesOf(fact)]);
  write(`src/kernels/gen/${pack}/${file}.ts`, text);
}
write(
  "src/kernels/gen/packs.ts",
  ts("scripts/packs.mjs and assembly/packs", [
    "/** abi: a hash of all that both sides go by; the binaries export it, so that mixed versions are one clear error. */",
    object(
      "PACKS",
      packs
        .filter(({ layer }) => !layer)
        .map(({ name, kernels, abi }) => `${name}: ${JSON.stringify({ kernels, abi })}`),
    ),
    "/** Of all packs. */",
    `export const KERNELS = ${JSON.stringify(names)} as const;`,
  ]),
);
for (const { name, kernels, abi } of packs.filter(({ layer }) => layer)) {
  const text = `export const PACK = ${JSON.stringify({ name, kernels, abi })} as const;`;
  write(`src/kernels/gen/${name}/pack.ts`, ts("scripts/packs.mjs and assembly/packs", [text]));
}
for (const { name, abi } of packs) {
  write(
    `assembly/gen/abi-${name}.ts`,
    `// Generated by scripts/generate.mjs: do not edit.\nexport const ABI: i32 = ${abi};\n`,
  );
}
