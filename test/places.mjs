// What the matrices of places share (test/bundlers, runners, runtimes): the packed tarball, projects that have it beside packages of
// npm, and a row for every place. Flags of each: --only REGEX (names of places), --ci (those that CI runs), --keep FOLDER (installs
// there, for the next time; else in a temporary one), --tarball FILE (instead of packing), --json FILE (the rows).
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Skip, tried } from "./again.mjs";

export { Skip };
export const root = fileURLToPath(new URL("../", import.meta.url));
export const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    ci: { type: "boolean", default: false },
    keep: { type: "string" },
    tarball: { type: "string" },
    json: { type: "string" },
  },
});
export const workspace = flags.keep ? resolve(flags.keep) : mkdtempSync(join(tmpdir(), "lanewise-places-"));
mkdirSync(workspace, { recursive: true });
if (!flags.keep) process.on("exit", () => rmSync(workspace, { recursive: true, force: true }));

/** A command, or a server that does not answer, that hangs: many times what any takes, on a machine that has other things to do. */
export const HANGS_MS = 900_000;

/** Answers a command's stdout; throws with its stderr. */
export const run = (command, args, options = {}) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: HANGS_MS, ...options });

/** What a command that failed has to say, in a line: of its first error, or its last lines. */
const saidOf = (error) => {
  const said = `${error.stderr ?? ""}${error.stdout ?? ""}`.trim() || error.message;
  const lines = said.split("\n").filter((line) => line.length < 1000);
  const at = lines.findIndex((line) => /\w*Error\b.*: /.test(line));
  return (at < 0 ? lines.slice(-6) : lines.slice(at, at + 3)).join(" ").slice(0, 600);
};

/** What a command printed last, as JSON. */
export const lastJson = (output) => JSON.parse(output.trim().split("\n").at(-1));

const npm = (folder, ...args) =>
  run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", ...args], { cwd: folder });

let tarball = flags.tarball && resolve(flags.tarball);
/** The package as it would be published. */
export function packed() {
  if (tarball) return tarball;
  const asBuilt = flags.ci ? ["--ignore-scripts"] : []; // CI has just built it
  const printed = run("npm", ["pack", "--silent", ...asBuilt, "--pack-destination", workspace], { cwd: root });
  tarball = join(workspace, printed.trim().split("\n").at(-1));
  return tarball;
}

/**
 * A folder with the package in it, and others of npm, once installed; files: text by name, written anew; manifest: more of package.json.
 * Throws Skip where npm has them not.
 */
export function project(name, { packages = [], files = {}, manifest = {} } = {}) {
  const folder = join(workspace, name.toLowerCase().replace(/[^a-z0-9]+/g, "-"));
  const description = join(folder, "package.json");
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, "node_modules"))) {
    writeFileSync(description, JSON.stringify({ name: "place", private: true, type: "module" }));
    try {
      if (packages.length > 0) npm(folder, ...packages);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw new Skip(`npm install ${packages.join(" ")}: ${/npm error .*/.exec(error.stderr)?.[0] ?? error.message}`);
    }
  }
  const installed = join(folder, "node_modules/lanewise");
  rmSync(installed, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  run("tar", ["-xzf", packed(), "--strip-components=1", "-C", installed]);
  writeFileSync(description, JSON.stringify({ ...JSON.parse(readFileSync(description, "utf8")), ...manifest }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** The version of a package in a project. */
export const versionOf = (folder, name) =>
  JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8")).version;

/** What ends each server that runs. */
const servers = new Set();
process.on("exit", () => {
  for (const end of servers) end();
});

/**
 * A server, ready when it answers; ends it and what it started with `end()`, or when all places are done. Throws with what it printed
 * where it stops, or is not ready in time.
 */
export async function serve(command, args, { cwd, url, env, limitMs = HANGS_MS }) {
  const child = spawn(command, args, {
    cwd,
    detached: true, // a process group of its own
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      printed = (printed + text).slice(-4000);
    });
  const end = () => {
    servers.delete(end);
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {} // it has ended
  };
  servers.add(end);
  const start = performance.now();
  for (;;) {
    await new Promise((done) => setTimeout(done, 150));
    if (await fetch(url).catch(() => undefined)) return { end };
    if (child.exitCode === null && performance.now() - start < limitMs) continue;
    end();
    throw new Error(`${command} ${args.join(" ")} did not answer: ${printed.trim()}`);
  }
}

/** A port that nobody listens on now. */
export async function freePort() {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/**
 * Runs places one after the other, and prints a row for each. A place: { name, ci, check }; check() answers { problems, version?,
 * variant?, reason?, threads?, bits?, ms?, note? }, or throws, and is tried twice; renew(): what ends that they share, between. The last
 * line is `N passed, N failed`.
 */
export async function runPlaces(matrix, places, { renew } = {}) {
  const only = new RegExp(flags.only);
  const rows = [];
  for (const { name, ci = false, check } of places) {
    if (!only.test(name) || (flags.ci && !ci)) continue;
    const start = performance.now();
    const { status, note, facts } = await tried(check, { renew, messageOf: saidOf });
    const row = { matrix, place: name, status, ...facts };
    if (note) row.note = status === "ok" && facts.note ? `${facts.note}, ${note}` : note;
    row.seconds = Math.round((performance.now() - start) / 100) / 10;
    rows.push(row);
    console.log(lineOf(row));
  }
  for (const end of servers) end();
  const [passed, failed] = ["ok", "FAIL"].map((wanted) => rows.filter(({ status }) => status === wanted).length);
  if (flags.json) writeFileSync(flags.json, `${JSON.stringify(rows, null, 2)}\n`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/** "ok Vite 8, build (8.3.8): relaxed (why), 1 thread, same bits, 0.9 ms, note". */
export function lineOf({ status, place, version, variant, reason, threads, bits, ms, note, seconds }) {
  const facts = [
    variant && `${variant}${reason ? ` (${reason})` : ""}`,
    threads && `${threads} thread${threads > 1 ? "s" : ""}`,
    bits !== undefined && (bits ? "same bits" : "OTHER BITS"),
    ms !== undefined && `${ms.toFixed(1)} ms`,
    note,
    `${seconds} s`,
  ];
  return `${status} ${place}${version ? ` ${version}` : ""}: ${facts.filter(Boolean).join(", ")}`;
}
