// The public surface, read from the built declarations: every name that an entry exports, and the types that these are made
// of. `npm run build && node scripts/public-api.mjs` checks that each of them, and each member, has a doc comment; `--list`
// prints them, comments taken off, as test/public-api.test.ts holds them to test/public-api.txt.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "oxc-parser";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Entries by the name they are imported by. Those of other conditions export the same names as the first. */
const ENTRIES = {
  lanewise: "index",
  "lanewise/inline": "inline",
  "lanewise/onnx": "onnx",
  "lanewise/datasets": "datasets",
  "lanewise/vision": "vision",
  "lanewise/quantize": "quantize",
};
const SAME_AS_FIRST = ["static", "edge-light"];

/** Types of the machinery behind the facade: named in a signature, never reached into. */
const OPAQUE = new Set(["Operator", "TypedOperator", "Arrays", "ByteStream", "Global", "WasmModule"]);

/** A module of dist: what it declares, by name; where its imports come from; what it exports, by name. */
const modules = new Map();
function moduleAt(file) {
  const known = modules.get(file);
  if (known) return known;
  const text = readFileSync(file, "utf8");
  const { program, errors } = parseSync(file, text, { lang: "dts" });
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  const module = { file, text, declared: new Map(), imported: new Map(), exported: new Map(), stars: [] };
  modules.set(file, module);
  const target = (source) => join(dirname(file), source.value.replace(/\.js$/, ".d.ts"));
  const declare = (declaration, statement) => {
    const names =
      declaration.type === "VariableDeclaration"
        ? declaration.declarations.map(({ id }) => id.name)
        : [declaration.id.name];
    for (const name of names) {
      module.declared.set(name, [...(module.declared.get(name) ?? []), { module, name, node: declaration, statement }]);
    }
    return names;
  };
  for (const statement of program.body) {
    if (statement.type === "ImportDeclaration") {
      for (const { local, imported } of statement.specifiers)
        module.imported.set(local.name, { file: target(statement.source), name: imported?.name });
    } else if (statement.type === "ExportAllDeclaration") module.stars.push(target(statement.source));
    else if (statement.type !== "ExportNamedDeclaration") declare(statement, statement);
    else if (statement.declaration) {
      for (const name of declare(statement.declaration, statement)) module.exported.set(name, { file, name });
    } else {
      for (const { local, exported } of statement.specifiers) {
        const from = statement.source ? target(statement.source) : file;
        module.exported.set(exported.name, { file: from, name: local.name });
      }
    }
  }
  return module;
}

/** Every name that a module exports, with where it is declared. */
function exportsOf(file) {
  const { exported, stars } = moduleAt(file);
  return new Map([...stars.flatMap((star) => [...exportsOf(star)]), ...exported]);
}

/** The declarations of a name as seen from a module: several where an interface and a class are one. */
function declarationsOf(file, name) {
  const { declared, imported, exported, stars } = moduleAt(file);
  const own = declared.get(name);
  if (own) return own;
  const from = imported.get(name) ?? exported.get(name);
  if (from?.name && existsSync(from.file)) return declarationsOf(from.file, from.name);
  return stars.flatMap((star) => declarationsOf(star, name));
}

const MEMBERS = new Set(["TSPropertySignature", "TSMethodSignature", "PropertyDefinition", "MethodDefinition"]);

/** Calls `visit` on a node of the syntax tree and on all below it, until it answers false. */
function walk(node, visit) {
  if (typeof node !== "object" || node === null) return;
  if (Array.isArray(node)) for (const item of node) walk(item, visit);
  else if (typeof node.type !== "string" || visit(node) !== false) for (const key in node) walk(node[key], visit);
}

/** The doc comment that stands before a node, or undefined. */
function docOf({ text }, { start }) {
  const before = text.slice(0, start).trimEnd();
  if (!before.endsWith("*/")) return undefined;
  const doc = before.slice(before.lastIndexOf("/*"));
  return doc.startsWith("/**") && doc.replace(/[/*\s]/g, "") !== "" ? doc : undefined;
}

const isPrivate = ({ key, accessibility }) => key?.type === "PrivateIdentifier" || accessibility === "private";

/** Members whose comment says so: a build with stripInternal leaves them out; what is left is listed, but not followed. */
function isInternal(module, node) {
  return MEMBERS.has(node.type) && /^\/\*\*[\s*]*(@internal|Internal\b)/.test(docOf(module, node) ?? "");
}

/** What nobody need know of. */
const isHidden = (module, node) => isPrivate(node) || isInternal(module, node);

/** Names of types (and, by `typeof`, of values) that a declaration is made of. */
function referencesOf({ module, node }) {
  const names = new Set();
  const head = (name) => (name.type === "TSQualifiedName" ? head(name.left) : name.name);
  walk(node, (at) => {
    if (isHidden(module, at)) return false;
    if (at.type === "TSTypeReference") names.add(head(at.typeName));
    if (at.type === "TSTypeQuery" && at.exprName.type !== "TSImportType") names.add(head(at.exprName));
    if (at.type === "TSInterfaceHeritage" || at.type === "TSClassImplements") names.add(at.expression.name);
    if (at.superClass) names.add(at.superClass.name);
  });
  return names;
}

/** The surface, an entry each, then what their types are made of and no entry exports: declarations by name. */
function surface() {
  const seen = new Set();
  const sections = Object.entries(ENTRIES).map(([title, entry]) => {
    const names = [...exportsOf(join(root, "dist", `${entry}.d.ts`))].map(([name, from]) => {
      const declarations = declarationsOf(from.file, from.name);
      if (declarations.length === 0) throw new Error(`${title}: ${name} is declared nowhere`);
      return [name, declarations];
    });
    const isNew = ([name]) => entry !== "inline" || !exportsOf(join(root, "dist/index.d.ts")).has(name);
    return { title, isExported: true, names: new Map(names.filter(isNew).sort(([a], [b]) => (a < b ? -1 : 1))) };
  });
  for (const { names } of sections) for (const list of names.values()) for (const one of list) seen.add(one);
  const made = new Map();
  const queue = [...seen];
  for (const declaration of queue) {
    if (OPAQUE.has(declaration.name)) continue;
    for (const name of referencesOf(declaration)) {
      for (const one of declarationsOf(declaration.module.file, name)) {
        if (seen.has(one)) continue;
        seen.add(one);
        queue.push(one);
        if (!OPAQUE.has(name)) made.set(name, [...(made.get(name) ?? []), one]);
      }
    }
  }
  const names = new Map([...made].sort(([a], [b]) => (a < b ? -1 : 1)));
  return [...sections, { title: "what these are made of", isExported: false, names }];
}

/** The text of a node without comments, private members and line breaks. */
function signatureOf({ module, node }) {
  const left = [];
  walk(node, (at) => {
    if (isPrivate(at)) left.push([at.start, at.end]);
  });
  let text = "";
  let from = node.start;
  for (const [start, end] of left) {
    text += module.text.slice(from, start);
    from = end;
  }
  text += module.text.slice(from, node.end);
  return text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^(export |declare )+/, "")
    .replace(/\bimport\("[^"]*"\)\.|\b[a-z]\w*\.(?=[A-Z])/g, "") // where a type is imported from is no part of it
    .replace(/\s+/g, " ")
    .replace(/(?<=[([]) | (?=[)\]])/g, "")
    .trim();
}

/** One line a declaration, one a member of an interface, class or literal type. */
function linesOf(declaration) {
  const { module, node } = declaration;
  const literal = node.declarations?.[0].id.typeAnnotation?.typeAnnotation;
  if (literal?.type === "TSTypeLiteral") return blockOf(module, node, literal, literal.members);
  const body = node.body?.body;
  if (!Array.isArray(body)) return [signatureOf(declaration).replace(/;$/, "")];
  return blockOf(module, node, node.body, body);
}

/** A head, then members between braces. */
function blockOf(module, node, { start }, members) {
  const head = signatureOf({ module, node: { start: node.start, end: start } });
  const lines = members
    .filter((member) => !isPrivate(member))
    .map((member) => [isInternal(module, member) ? "internal " : "", signatureOf({ module, node: member })])
    .map(([internal, signature]) => `  ${internal}${signature.replace(/;$/, "")}`);
  return [`${head} {`, ...lines, "}"];
}

/** The whole list as text. */
export function listSurface() {
  const sections = surface().map(({ title, names }) => {
    const lines = [...names].flatMap(([name, declarations]) =>
      declarations.flatMap((declaration) => {
        const alias = declaration.name === name ? [] : [`${name} is`];
        return [...alias, ...linesOf(declaration)];
      }),
    );
    return `# ${title}\n\n${lines.join("\n")}\n`;
  });
  return sections.join("\n");
}

/** dispose() says it. */
const isDisposeSymbol = ({ computed, key }) =>
  computed && key.type === "MemberExpression" && key.property.name === "dispose";
/** What nothing makes throw: methods of any class, and by path. */
const HARMLESS = new Set(["dispose", "describe", "report", "toString", "toTrace"]);
const HARMLESS_HERE = new Set([
  ...["Graph.layer", "Model.summary", "alexnetTextbook"],
  ...["View.toImage", "View.toModel", "View.boxToImage"],
]);

const isCall = ({ type }) => type === "TSCallSignatureDeclaration";
const nameOf = (member) =>
  isCall(member) ? "()" : member.kind === "constructor" ? member.kind : (member.key.name ?? member.key.value);
const isError = ({ superClass }) => superClass?.name === "Error";
const isMethod = ({ type, kind }) => type === "TSMethodSignature" || (type === "MethodDefinition" && kind === "method");

/**
 * What the comments leave out, a sentence each. A member of a class or interface has a comment of its own, with @throws where it
 * is a method; what stands further in (fields of a literal type) has one, or is named in the one around it.
 */
function undocumented(sections) {
  const problems = new Set();
  const named = sections.flatMap(({ names, isExported }) => [...names].map((entry) => [...entry, isExported]));
  for (const [name, declarations, isExported] of named) {
    const docs = declarations.map(({ module, statement }) => docOf(module, statement));
    const doc = docs.find((one) => one !== undefined);
    const [{ node: first }] = declarations;
    // Values that no entry exports are there for their types.
    if (first.type === "VariableDeclaration" && !isExported) continue;
    if (doc === undefined) problems.add(`${name} has no doc comment`);
    if (first.type === "TSDeclareFunction" && !HARMLESS_HERE.has(name) && !doc?.includes("@throws"))
      problems.add(`${name} says nothing of what it throws`);
    for (const { module, node } of declarations) {
      if (isError(node)) continue; // a name, as all errors have
      const members = node.body?.body ?? [];
      for (const member of members) checkMember(module, member, name, isExported ? "" : (doc ?? ""), problems);
      if (members.length === 0) checkInside(module, node, name, doc ?? "", problems);
    }
  }
  return [...problems];
}

/** around: the comment that may speak of this member instead. */
function checkMember(module, member, path, around, problems) {
  if (isHidden(module, member) || isDisposeSymbol(member)) return;
  const name = nameOf(member);
  const own = docOf(module, member);
  const isHarmless = HARMLESS.has(name) || HARMLESS_HERE.has(`${path}.${name}`);
  const isNamed = !isCall(member) && new RegExp(`\\b${name}\\b`).test(around);
  if (own === undefined && !isNamed) problems.add(`${path}.${name} has no doc comment`);
  if ((isMethod(member) || isCall(member)) && !isHarmless && !own?.includes("@throws"))
    problems.add(`${path}.${name} says nothing of what it throws`);
  checkInside(module, member, `${path}.${name}`, own ?? around, problems);
}

/** The members of literal types below a node. */
function checkInside(module, node, path, around, problems) {
  const { key: _, ...rest } = node;
  for (const part of Object.values(rest)) {
    walk(part, (at) => {
      if (!MEMBERS.has(at.type)) return true;
      checkMember(module, at, path, around, problems);
      return false;
    });
  }
}

/** Names by which entries of other conditions differ from the first. */
function differences() {
  const [first] = Object.values(ENTRIES);
  const namesOf = (entry) => [...exportsOf(join(root, "dist", `${entry}.d.ts`)).keys()].sort().join(" ");
  return SAME_AS_FIRST.filter((entry) => namesOf(entry) !== namesOf(first)).map(
    (entry) => `${entry} exports other names than ${first}: ${namesOf(entry)}`,
  );
}

/** What is wrong with the surface, a sentence each. */
export function problemsOf() {
  return [...differences(), ...undocumented(surface())];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes("--list")) process.stdout.write(listSurface());
  else {
    const problems = problemsOf();
    for (const problem of problems) console.error(problem);
    const count = surface().reduce((sum, { names }) => sum + names.size, 0);
    console.log(`${count} public names, ${problems.length} problems`);
    process.exitCode = problems.length > 0 ? 1 : 0;
  }
}
