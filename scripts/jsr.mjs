// What JSR takes, in build/jsr: dist with entries that name their declarations, declarations that name each other as files, and no
// directive that changes a user's globals (who has Symbol.dispose there compiles for Deno, which knows it). Needs a build;
// `deno publish --dry-run` there checks it (test/types/run.mjs does).
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const to = join(root, "build/jsr");
const { version, license, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
for (const name of ["dist", "README.md", "LICENSE", "CHANGELOG.md"])
  cpSync(join(root, name), join(to, name), { recursive: true });
rmSync(join(to, "dist/sizes.json"));
for (const file of readdirSync(join(to, "dist"), { recursive: true })) {
  if (!file.endsWith(".d.ts")) continue;
  const path = join(to, "dist", file);
  const text = readFileSync(path, "utf8").replace(/^\/\/\/ <reference .*\n/gm, "");
  writeFileSync(path, text.replace(/((?:from |import\()"\.[^"]*)\.js"/g, '$1.d.ts"'));
}
const entries = Object.entries(exports).flatMap(([name, { default: file }]) =>
  file?.endsWith(".js") ? [[name, file]] : [],
);
for (const [, file] of entries) {
  const types = file.replace(/^.*\//, "./").replace(/\.js$/, ".d.ts");
  const code = readFileSync(join(to, file), "utf8");
  writeFileSync(join(to, file), `/* @ts-self-types="${types}" */\n${code}`);
}
const manifest = { name: "@lanewise/lanewise", version, license, exports: Object.fromEntries(entries) };
writeFileSync(join(to, "deno.json"), `${JSON.stringify({ ...manifest, publish: { exclude: ["!."] } }, null, 2)}\n`);
