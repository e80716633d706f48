// test/conformance is what test/conformance-set.ts makes. WRITE=1 npx vitest run test/conformance-set.test.ts writes it.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { conformanceSet } from "./conformance-set.js";

const ROOT = fileURLToPath(new URL("conformance", import.meta.url));

it("the project's own conformance set is the one that the reference makes", () => {
  const made = conformanceSet();
  if (process.env["WRITE"] !== undefined) {
    rmSync(ROOT, { recursive: true, force: true });
    for (const [path, bytes] of made) {
      mkdirSync(dirname(join(ROOT, path)), { recursive: true });
      writeFileSync(join(ROOT, path), bytes);
    }
  }
  const found = (readdirSync(ROOT, { recursive: true }) as string[]).filter((path) =>
    statSync(join(ROOT, path)).isFile(),
  );
  expect(found.sort()).toEqual([...made.keys()].sort());
  for (const [path, bytes] of made) expect(Buffer.compare(readFileSync(join(ROOT, path)), bytes), path).toBe(0);
});
