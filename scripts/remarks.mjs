// What the end of a CI log says again of what commands printed: what failed, and what was right at the second try only.
import { stripVTControlCharacters } from "node:util";

/** Lines that name what failed: of our own suites, vitest, tsc, biome, npm and Node. */
const FAILED = /^\s*(FAIL|FAILED|FINDING|×|✗)\s|\berror TS\d+:|^\S+:\d+:\d+ lint\/|^\w*Error: |^npm error /;
const AGAIN = /at the second try: /;
const MOST_LINES = 40;
const MOST_COLUMNS = 600;
/** Of a command that ended with an error and names nothing. */
const LAST_LINES = 12;

/** commands: { command, ok, lines } each; hasFailed: whether something among them counts as failed. Answers lines, most of them short. */
export function remarksOf(commands, hasFailed) {
  const all = commands.flatMap(({ lines }) => lines).map(stripVTControlCharacters);
  const again = all.filter((line) => AGAIN.test(line) && !FAILED.test(line));
  const named = all.filter((line) => FAILED.test(line));
  const ended = commands
    .filter(({ ok }) => !ok)
    .flatMap(({ command, lines }) => [`$ ${command}`, ...lines.filter((line) => line.trim()).slice(-LAST_LINES)]);
  const failed = named.length > 0 ? named : ended;
  const said = [...new Set([...(hasFailed ? failed : []), ...again].map((line) => line.trim().slice(0, MOST_COLUMNS)))];
  const more = said.length - MOST_LINES;
  return more > 0 ? [...said.slice(0, MOST_LINES), `and ${more} more`] : said;
}
