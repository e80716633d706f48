// Takes out of the declarations of dist what no entry reaches: statements, names of imports, whole files. What entries export, and all
// that it is made of, stays as it stands, comments too: 300 KB become 170.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import { parseSync } from "oxc-parser";

const fileOf = (from, { value }) =>
  value.startsWith(".") ? posix.join(posix.dirname(from), value.replace(/\.js$/, ".d.ts")) : undefined;

/** What a module declares, imports and passes on, by name: statements, and where the others come from. */
function moduleOf(file) {
  const text = readFileSync(file, "utf8");
  const { program, errors } = parseSync(file, text, { lang: "dts" });
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  const { body } = program;
  const module = { file, text, body, declared: new Map(), imported: new Map(), passed: new Map(), stars: [] };
  for (const statement of body) {
    const { type, source, specifiers = [], declaration } = statement;
    if (type === "ExportAllDeclaration") module.stars.push({ from: fileOf(file, source), statement });
    else if (type === "ImportDeclaration")
      for (const { local, imported } of specifiers)
        module.imported.set(local.name, { from: fileOf(file, source), name: imported?.name, statement });
    else if (type === "ExportNamedDeclaration" && !declaration)
      for (const { local, exported } of specifiers)
        module.passed.set(exported.name, { from: source && fileOf(file, source), name: local.name, statement });
    else if (type === "ExportDefaultDeclaration") module.declared.set("default", [statement]);
    else {
      const one = declaration ?? statement;
      for (const { name } of one.declarations?.map(({ id }) => id) ?? [one.id])
        module.declared.set(name, [...(module.declared.get(name) ?? []), statement]);
    }
  }
  return module;
}

/** Calls `visit` on the nodes of a syntax tree, but for those below where it answers true. */
function walk(node, visit) {
  if (typeof node !== "object" || node === null) return;
  if (typeof node.type === "string" && visit(node)) return;
  for (const key in node) walk(node[key], visit);
}

/** folder: dist; entries: files in it whose exports stay; files: those that are trimmed. */
export function trimTypes(folder, entries, files) {
  const modules = new Map();
  const at = (file) => {
    if (!modules.has(file)) modules.set(file, moduleOf(file));
    return modules.get(file);
  };
  /** Statements that stay, and of imports and exports of names these: "statement's start: name", by module. */
  const kept = new Set();
  const names = new Map();
  const isNew = (module, { start }, name) => {
    const known = names.get(module) ?? new Set();
    names.set(module, known);
    return !known.has(`${start}:${name}`) && known.add(`${start}:${name}`);
  };

  /** What others get by a name; answers whether there is any. */
  function keepExport(file, name) {
    const module = at(file);
    const passed = module.passed.get(name);
    if (passed) {
      kept.add(passed.statement);
      if (!isNew(module, passed.statement, name)) return true;
      return passed.from ? keepExport(passed.from, passed.name) : keepOwn(module, passed.name);
    }
    if (module.declared.has(name)) return keepOwn(module, name);
    return module.stars.some(({ from, statement }) => keepExport(from, name) && kept.add(statement));
  }

  /** What a name means inside of a module; of an `import * as name` the member that is asked for, or all. */
  function keepOwn(module, name, member) {
    for (const statement of module.declared.get(name) ?? []) keepStatement(module, statement);
    const { from, name: there = member, statement } = module.imported.get(name) ?? {};
    if (statement) {
      kept.add(statement);
      const isFirst = isNew(module, statement, name);
      if (from && (isFirst || member)) there ? keepExport(from, there) : keepAll(from);
    }
    return true;
  }

  function keepStatement(module, statement) {
    if (kept.has(statement)) return;
    kept.add(statement);
    walk(statement, ({ type, name, left, right, source, qualifier }) => {
      if (type === "TSQualifiedName" && left.type === "Identifier") return keepOwn(module, left.name, right.name);
      if (type === "TSImportType" && qualifier?.type === "Identifier")
        keepExport(fileOf(module.file, source), qualifier.name);
      else if (type === "TSImportType") keepAll(fileOf(module.file, source));
      if (type === "Identifier") keepOwn(module, name);
      return false;
    });
  }

  function keepAll(file) {
    const { declared, passed, stars } = at(file);
    for (const [name, statements] of declared)
      if (statements.some(({ type }) => type.startsWith("Export"))) keepExport(file, name);
    for (const name of passed.keys()) keepExport(file, name);
    for (const { from, statement } of stars) {
      kept.add(statement);
      keepAll(from);
    }
  }

  for (const entry of entries) keepAll(posix.join(folder, entry));
  for (const name of files) {
    const file = posix.join(folder, name);
    const module = modules.get(file);
    const text = module && trimmed(module, kept, names.get(module) ?? new Set());
    if (text) writeFileSync(file, text);
    else rmSync(file);
  }
}

/** A module's text with what stays. A statement begins behind the one before it, with its comment. */
function trimmed({ text, body }, kept, names) {
  let [out, from] = ["", 0];
  for (const statement of body) {
    const { start, end, specifiers = [] } = statement;
    // `export {}` says that nothing else is exported.
    if (kept.has(statement) || /^export \{\s*\};?$/.test(text.slice(start, end))) {
      const left = specifiers.filter(({ local, exported }) => names.has(`${start}:${(exported ?? local).name}`));
      if (left.length === specifiers.length) out += text.slice(from, end);
      else {
        const list = left.map((one) => text.slice(one.start, one.end)).join(", ");
        out += text.slice(from, specifiers[0].start) + list + text.slice(specifiers.at(-1).end, end);
      }
    }
    from = end;
  }
  return out.trim() === "" ? "" : `${out.trim()}\n`;
}
