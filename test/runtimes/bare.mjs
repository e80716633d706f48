// The golden script where there is nothing but ECMAScript and WebAssembly, as in an AudioWorklet: in a context of node:vm, whose values
// are of another realm too. `node --experimental-vm-modules bare.mjs SPECIFIER=FILE …`: what imports by name mean, as an import map.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createContext, SourceTextModule } from "node:vm";

const map = new Map(process.argv.slice(2).map((pair) => pair.split("=")));
const context = createContext({});
const known = new Map();

function moduleOf(file) {
  const found = known.get(file);
  if (found) return found;
  const module = new SourceTextModule(readFileSync(file, "utf8"), {
    context,
    identifier: file,
    // Static ones link before anything runs; these are the package's chunks.
    async importModuleDynamically(specifier) {
      if (map.has("static")) throw new TypeError(`import() is disallowed here, got ${specifier}`);
      const next = moduleOf(fileOf(specifier, file));
      await linked(next);
      return next;
    },
  });
  known.set(file, module);
  return module;
}

const fileOf = (specifier, from) => resolve(map.get(specifier) ?? resolve(dirname(from), specifier));

async function linked(module) {
  if (module.status === "unlinked")
    await module.link((specifier, from) => moduleOf(fileOf(specifier, from.identifier)));
  await module.evaluate();
}

const golden = moduleOf(resolve("golden.mjs"));
await linked(golden);
const results = await golden.namespace.golden();
console.log(JSON.stringify(results));
