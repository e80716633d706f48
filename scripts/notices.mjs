// The licences of the libraries whose code a bundle holds, as they ask for: dist/THIRD-PARTY.txt, and one more of the command line. The
// build fails where one has none.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of the package that a module of node_modules is of. */
function packageOf(id) {
  let folder = dirname(id);
  // Folders inside of packages may have one that says no more than how their modules are to be read.
  const isPackage = (path) => existsSync(path) && JSON.parse(readFileSync(path, "utf8")).name !== undefined;
  while (!isPackage(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

/** A plugin of rollup: what is bundled is known by where its modules lie, whatever other plugins write around their names. */
export const notices = (fileName) => ({
  name: "notices",
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((chunk) => Object.keys(chunk.modules ?? {}));
    const paths = modules.map((id) => id.replace(/^\0|\?.*$/g, "")).filter((id) => id.includes("/node_modules/"));
    const folders = new Set(paths.map(packageOf));
    const texts = [...folders].sort().map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      // Codecs that a library wraps have theirs in a folder of their own.
      const files = readdirSync(folder, { recursive: true }).filter((path) =>
        /^(codec.)?(licen[cs]e|copying)/i.test(path),
      );
      if (files.length === 0) this.error(`${name} expected a licence, since its code is bundled, got no such file`);
      const text = files.map((file) => readFileSync(join(folder, file), "utf8").trim()).join("\n\n");
      return `${name} ${version} (${license})\n\n${text}\n`;
    });
    const head = "Libraries of which parts are bundled into these files, and their licences.\n";
    this.emitFile({ type: "asset", fileName, source: [head, ...texts].join("\n") });
  },
});
