// npm run test:page: site/ in real Chromium, and its first answer in Firefox and WebKitGTK. --only REGEX (names of cases).
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { runAll } from "./harness.mjs";
import { otherBrowsers } from "./others.mjs";

const { values: flags } = parseArgs({ options: { only: { type: "string", default: "" } } });
if (!existsSync(new URL("../../site/index.html", import.meta.url))) {
  console.error(`"site/" expected the built page, got none: npm run page`);
  process.exit(1);
}
await import("./digits.mjs");
await import("./sections.mjs");
await import("./files.mjs");
await import("./hosts.mjs");
await import("./builds.mjs");
const only = new RegExp(flags.only);
const [here, there] = [await runAll(only), await otherBrowsers(only)];
const [passed, failed] = [here.passed + there.passed, here.failed + there.failed];
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
