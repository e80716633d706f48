// The public surface of the built package: names and signatures as test/public-api.txt has them, so that a change is seen in
// review (`npx vitest run test/public-api.test.ts -u` writes the file anew), and a doc comment on each.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const run = (...flags: string[]) =>
  execFileSync(process.execPath, [fileURLToPath(new URL("../scripts/public-api.mjs", import.meta.url)), ...flags], {
    encoding: "utf8",
  });

describe("the public surface", () => {
  it("is what test/public-api.txt says", async () => {
    await expect(run("--list")).toMatchFileSnapshot("public-api.txt");
  });

  it("has a doc comment on every name, member and option, with what methods throw", () => {
    expect(run()).toMatch(/ 0 problems\n$/);
  });

  it("has every option in docs/options.md", () => {
    const page = readFileSync(new URL("../docs/options.md", import.meta.url), "utf8");
    const interfaces = [...run("--list").matchAll(/^interface (\w+Options)[^{]*\{\n([^}]*)\n\}/gm)];
    expect(interfaces.length).toBeGreaterThan(20);
    const missing = interfaces.flatMap(([, name, members]) =>
      [...(members as string).matchAll(/^ {2}readonly (\w+)/gm)]
        .filter(([, option]) => !page.includes(`\`${option}\``))
        .map(([, option]) => `${name}.${option}`),
    );
    expect(missing).toEqual([]);
  });
});
