// npm run test:page: site/ in real Chromium, and its first answer in Firefox and WebKitGTK. --only REGEX (names of cases).
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { runAll } from "./harness.mjs";

const { values: flags } = parseArgs({ options: { only: { type: "string", default: "" } } });
if (!existsSync(new URL("../../site/index.html", import.meta.url))) {
  console.error(`"site/" expected the built page, got none: npm run page`);
  process.exit(1);
}
await import("./digits.mjs");
await import("./sections.mjs");
await import("./files.mjs");
const { passed, failed } = await runAll(new RegExp(flags.only));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
