// The public surface of the built package: names and signatures as test/public-api.txt has them, so that a change is seen in
// review (`npx vitest run test/public-api.test.ts -u` writes the file anew), and a doc comment on each.
import { execFileSync } from "node:child_process";
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
});
