// npm run test:examples: the examples that have a folder of their own, as a user would copy them: with the packed package, in the runtime or
// browser that they are for, given files, and held to what they answer. --only REGEX; needs a build. What can't be had here (a runtime, a
// browser, npm) is a visible SKIP. The last line is `N passed, N failed`.
import { parseArgs } from "node:util";
import { tried } from "../again.mjs";
import { CASES as PAGES } from "./pages.mjs";
import { CASES as SERVERS } from "./servers.mjs";
import { CASES as WORKERS } from "./workerd.mjs";

const { values: flags } = parseArgs({ options: { only: { type: "string", default: "" } } });
const only = new RegExp(flags.only);

/** What a command says is in its message, too. */
const messageOf = (error) => (error.stderr ? error.message.slice(0, 1000) : error.stack);

let [passed, failed] = [0, 0];
for (const { name, run } of [...SERVERS, ...WORKERS, ...PAGES].filter((one) => only.test(one.name))) {
  const start = performance.now();
  const attempt = async () => {
    const answer = await run();
    return Array.isArray(answer) ? { problems: answer } : { problems: answer.wrong, measured: answer.note };
  };
  const { status, note, facts } = await tried(attempt, { messageOf });
  if (status === "ok") passed++;
  if (status === "FAIL") failed++;
  const ms = status === "SKIP" ? "" : ` (${(performance.now() - start).toFixed(0)} ms)`;
  const said = status === "ok" ? [facts.measured, note].filter(Boolean).join(", ") : note;
  console.log(`${status} ${name}${ms}${said ? `: ${said}` : ""}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
