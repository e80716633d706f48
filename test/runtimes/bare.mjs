// A module where there is nothing but ECMAScript and WebAssembly, as in an AudioWorklet: in a context of node:vm, whose values are of
// another realm too. `node --experimental-vm-modules bare.mjs FILE [--no-import] SPECIFIER=FILE …`: prints what its function golden()
// answers; what imports by name mean, as an import map; without import() where that is asked for, as worklets are.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createContext, SourceTextModule } from "node:vm";

const [entry, ...args] = process.argv.slice(2);
const isImporting = !args.includes("--no-import");
const map = new Map(args.filter((arg) => arg.includes("=")).map((pair) => pair.split("=")));
const context = createContext({});
const known = new Map();

function moduleOf(file) {
  const found = known.get(file);
  if (found) return found;
  const module = new SourceTextModule(readFileSync(file, "utf8"), {
    context,
    identifier: file,
    async importModuleDynamically(specifier) {
      if (!isImporting) throw new TypeError("import() is disallowed here");
      const next = moduleOf(fileOf(specifier, file));
      await linked(next);
      return next;
    },
  });
  known.set(file, module);
  return module;
}

const fileOf = (specifier, from) => resolve(map.get(specifier) ?? resolve(dirname(from), specifier));

let turn = Promise.resolve();
/** One after another: graphs that have a module in common must not be linked at the same time, as imports at the same time would. */
async function linked(module) {
  turn = turn.then(async () => {
    if (module.status === "unlinked")
      await module.link((specifier, from) => moduleOf(fileOf(specifier, from.identifier)));
  });
  await turn;
  await module.evaluate();
}

const golden = moduleOf(resolve(entry));
await linked(golden);
console.log(JSON.stringify(await golden.namespace.golden()));
