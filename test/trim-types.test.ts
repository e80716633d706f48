// Declarations are trimmed to what entries reach: modules written here, and what has to be left of them.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { trimTypes } from "../scripts/trim-types.mjs";

const folder = mkdtempSync(path.join(tmpdir(), "lanewise-trim-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function trimmed(modules: Readonly<Record<string, string>>): Record<string, string> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.join(folder, "types"), { recursive: true });
  for (const [name, text] of Object.entries(modules)) writeFileSync(path.join(folder, name), text);
  const files = Object.keys(modules).filter((name) => name.startsWith("types/"));
  trimTypes(folder, ["index.d.ts"], files);
  const left = readdirSync(path.join(folder, "types")).sort();
  return Object.fromEntries(left.map((name) => [name, readFileSync(path.join(folder, "types", name), "utf8")]));
}

it("keeps what an entry reaches, with its comment, and takes out the rest", () => {
  const left = trimmed({
    "index.d.ts": 'export * from "./types/a.js";\n',
    "types/a.d.ts": `import type { Inner, Unused } from "./b.js";
import * as all from "./c.js";
export { Given as Renamed, type Other } from "./d.js";
declare const hidden: Unused;
/** Kept. */
export interface A<T extends keyof all.One> {
    readonly inner: Inner<T>;
    readonly far: import("./e.js").Far;
}
export {};
`,
    "types/b.d.ts": `/** Kept. */
export type Inner<T> = Helper<T>;
type Helper<T> = T[];
/** Gone. */
export interface Unused {
    readonly a: number;
}
`,
    "types/c.d.ts": "export interface One {\n    a: 1;\n}\nexport interface Two {\n    b: 2;\n}\n",
    "types/d.d.ts": "declare class Given {\n}\nexport type Other = 1;\nexport { Given };\n",
    "types/e.d.ts": 'export { Far } from "./f.js";\nexport declare const near: 1;\n',
    "types/f.d.ts": "export interface Far {\n}\nexport interface Farther {\n}\n",
    "types/g.d.ts": "export declare const nobody: 1;\n",
  });
  expect(left).toEqual({
    "a.d.ts": `import type { Inner } from "./b.js";
import * as all from "./c.js";
export { Given as Renamed, type Other } from "./d.js";
/** Kept. */
export interface A<T extends keyof all.One> {
    readonly inner: Inner<T>;
    readonly far: import("./e.js").Far;
}
export {};
`,
    "b.d.ts": "/** Kept. */\nexport type Inner<T> = Helper<T>;\ntype Helper<T> = T[];\n",
    "c.d.ts": "export interface One {\n    a: 1;\n}\n",
    "d.d.ts": "declare class Given {\n}\nexport type Other = 1;\nexport { Given };\n",
    "e.d.ts": 'export { Far } from "./f.js";\n',
    "f.d.ts": "export interface Far {\n}\n",
  });
});

it("keeps all of a module that is named as a whole, overloads, and names that circle", () => {
  const left = trimmed({
    "index.d.ts": 'import * as whole from "./types/a.js";\nexport declare const api: typeof whole;\n',
    "types/a.d.ts": `import type { B } from "./b.js";
export declare function f(x: B): void;
export declare function f(x: string): B;
`,
    "types/b.d.ts": 'import type { f } from "./a.js";\nexport interface B {\n    f: typeof f;\n}\n',
  });
  expect(left["a.d.ts"]?.match(/function f/g)).toHaveLength(2);
  expect(left["b.d.ts"]).toContain("f: typeof f;");
});
