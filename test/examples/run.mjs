// npm run test:examples: the examples that have a folder of their own, as a user would copy them: with the packed package, in the runtime or
// browser that they are for, given files, and held to what they answer. --only REGEX; needs a build. What can't be had here (a runtime, a
// browser, npm) is a visible SKIP. The last line is `N passed, N failed`.
import { parseArgs } from "node:util";
import { CASES as PAGES } from "./pages.mjs";
import { Skip } from "./project.mjs";
import { CASES as SERVERS } from "./servers.mjs";
import { CASES as WORKERS } from "./workerd.mjs";

const { values: flags } = parseArgs({ options: { only: { type: "string", default: "" } } });
const only = new RegExp(flags.only);

let [passed, failed] = [0, 0];
for (const { name, run } of [...SERVERS, ...WORKERS, ...PAGES].filter((one) => only.test(one.name))) {
  const start = performance.now();
  let wrong;
  let note;
  try {
    const answer = await run();
    wrong = Array.isArray(answer) ? answer : answer.wrong;
    note = answer.note;
  } catch (error) {
    if (error instanceof Skip) {
      console.log(`SKIP ${name}: ${error.message}`);
      continue;
    }
    // What a command says is in its message, too.
    wrong = [error.stderr ? error.message.slice(0, 1000) : error.stack];
  }
  if (wrong.length > 0) failed++;
  else passed++;
  const ms = `${(performance.now() - start).toFixed(0)} ms`;
  console.log(
    wrong.length > 0 ? `FAIL ${name} (${ms}): ${wrong.join("; ")}` : `ok ${name} (${ms})${note ? `: ${note}` : ""}`,
  );
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
