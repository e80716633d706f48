// dist/THIRD-PARTY.txt: the licences of the libraries whose code the bundle holds, as they ask for. The build fails where one has none.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of the package that a module of node_modules is of. */
function packageOf(id) {
  let folder = dirname(id);
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** A plugin of rollup: what is bundled is known by where its modules lie. */
export const notices = {
  name: "notices",
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((chunk) => Object.keys(chunk.modules ?? {}));
    const folders = new Set(modules.filter((id) => id.includes("/node_modules/")).map(packageOf));
    const texts = [...folders].sort().map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const file = readdirSync(folder).find((path) => /^(licen[cs]e|copying)/i.test(path));
      if (!file) this.error(`${name} expected a licence, since its code is bundled, got no such file`);
      return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
    });
    const head = "Libraries of which parts are bundled into these files, and their licences.\n";
    this.emitFile({ type: "asset", fileName: "THIRD-PARTY.txt", source: [head, ...texts].join("\n") });
  },
};
