// npm run test:everywhere: every place that the package promises, from one tarball: bundlers, runners, runtimes, browsers, and the
// package as TypeScript and registries see it. One table at the end, and `N passed, N failed`. Flags: test/places.mjs; --ci leaves out what
// CI runs as steps of its own. A whole run (neither --only nor --ci), or --json FILE, writes a results file, of which docs/runtimes.md has
// its table.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeResults } from "../bench/machine.mjs";
import { table } from "../bench/table.mjs";
import { flags, packed, project, root, workspace } from "./places.mjs";

const MATRICES = [
  { name: "bundlers", script: "test/bundlers/run.mjs", ci: true, hasRows: true },
  { name: "runners", script: "test/runners/run.mjs", ci: true, hasRows: true },
  { name: "runtimes", script: "test/runtimes/run.mjs", ci: true, hasRows: true },
  {
    name: "browsers",
    script: "test/browsers/run.mjs",
    args: () => ["--dist", join(project("package"), "node_modules/lanewise/dist")],
  },
  { name: "package", script: "test/types/run.mjs", args: () => ["--all"] },
];

/** Runs a script, shows what it prints, indented so that only our last line is a count; answers { output, code }. */
function shown(script, args) {
  const child = spawn(process.execPath, [join(root, script), ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
    process.stdout.write(text.replace(/^(?=.)/gm, "  "));
  });
  return new Promise((ended) => child.on("exit", (code) => ended({ output, code })));
}

/** Rows of a script that prints a line for each: "ok Chromium, two (123 ms), …". */
const rowsOf = (matrix, output) =>
  [...output.matchAll(/^(ok|FAIL|SKIP) ([^(:\n]*)(.*)$/gm)].map(([, status, place, note]) => ({
    ...{ matrix, place: place.trim(), status, note: note.replace(/^[:,\s]+/, "") },
  }));

const tarball = packed();
const only = flags.only ? ["--only", flags.only] : [];
const rows = [];
let [passed, failed] = [0, 0];
for (const { name, script, args, ci, hasRows } of MATRICES) {
  if ((flags.ci && !ci) || (flags.only && name === "package")) continue;
  console.log(`\n${name}`);
  const json = join(workspace, `${name}.json`);
  const own = hasRows
    ? ["--tarball", tarball, "--keep", workspace, "--json", json, ...(flags.ci ? ["--ci"] : [])]
    : args();
  const { output, code } = await shown(script, [...own, ...(name === "package" ? [] : only)]);
  const count = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  const [right, wrong] = count ? [Number(count[1]), Number(count[2])] : [0, 0];
  passed += right;
  failed += code !== 0 && wrong === 0 && !(flags.only && right === 0) ? 1 : wrong;
  rows.push(...(hasRows && count ? JSON.parse(readFileSync(json, "utf8")) : rowsOf(name, output)));
  if (name === "package")
    rows.push({
      matrix: name,
      place: "types, publint, attw, JSR",
      status: wrong ? "FAIL" : "ok",
      note: `${right} passed`,
    });
}

const short = (text = "", most = 60) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const cellsOf = ({ status, matrix, place, version, variant, reason, threads, bits, ms, note }) => [
  ...[place, status, matrix, version, variant, short(reason, 32), threads],
  ...[bits === undefined ? "" : bits ? "same" : "OTHER", ms?.toFixed(1), short(note)],
];
const HEAD = ["place", "", "matrix", "version", "binary", "why", "threads", "simd bits", "ms to start", ""];
console.log(`\n${table(HEAD, rows.map(cellsOf))}\n`);
if (flags.json || (!flags.only && !flags.ci)) console.log(writeResults("everywhere", { rows }, flags.json));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
