// The commands of README and docs, run as they stand: `sh` blocks that call lanewise end with 0, and `text` blocks that show a session,
// "$ lanewise …", answer what stands beneath. Where a line or a table tells times, its numbers and bars are passed over, and so are
// lines for which the page has an ellipsis. Written before a block, in a comment that pages do not show, is what its files are here;
// behind it, a code that it ends with. Those of ../shared may not be there: such blocks are skipped.
//
//     <!-- setup                                               ```text                      <!-- check
//     dog.jpg <- ../shared/data/images/…17968.jpg              $ lanewise run …             exit 1
//     -->                                                      ```                          -->
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { CLI, folder, lanewise } from "./tool.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What commands find beside them where a block says nothing else. */
const FILES = {
  "model.onnx": "test/conformance/models/residual-float.onnx",
  "photo.jpg": "examples/photos/coffee.jpg",
};

const BLOCK =
  /(?:<!-- setup\n(?<setup>[\s\S]*?)-->\s*)?^```(?<lang>sh|text)\n(?<code>[\s\S]*?)^```$(?:\s*<!-- check\nexit (?<exit>\d+)\n-->)?/gm;

interface Block {
  readonly where: string;
  readonly lang: string;
  readonly code: string;
  readonly files: Readonly<Record<string, string>>;
  readonly exit: number;
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(path.join(root, page), "utf8");
  return [...text.matchAll(BLOCK)].flatMap(({ index, groups = {} }) => {
    const { setup = "", lang = "", code = "", exit = "0" } = groups;
    if (!/^(\$ |npx |bunx )?lanewise /m.test(code) || (lang === "text" && !code.startsWith("$ "))) return [];
    const line = text.slice(0, text.indexOf("```", index)).split("\n").length;
    const said = [...setup.matchAll(/^(\S+) <- (\S+)$/gm)].map(([, name, from]) => [name, from]);
    return [
      { where: `${page}:${line}`, lang, code, files: { ...FILES, ...Object.fromEntries(said) }, exit: Number(exit) },
    ];
  });
}

const pages = ["README.md", ...readdirSync(path.join(root, "docs")).map((name) => `docs/${name}`)];
const blocks = pages.filter((page) => page.endsWith(".md")).flatMap(blocksOf);

const here = folder();
afterAll(() => here.remove());
// Whichever way a page calls it, it is the tool that was built.
mkdirSync(here.at("bin"));
for (const [name, first] of [
  ["lanewise", ""],
  ["npx", "shift;"],
  ["bunx", "shift;"],
]) {
  here.write(`bin/${name}`, `#!/bin/sh\n${first} exec "${process.execPath}" "${CLI}" "$@"\n`);
  chmodSync(here.at(`bin/${name}`), 0o755);
}

/** Runs a block in a folder of its own; answers its exit code and all that it says. */
function run(block: Block, at: number, command: string): { code: number | null; said: string } {
  const cwd = here.at(`block ${at}`);
  if (!existsSync(cwd)) {
    mkdirSync(cwd);
    for (const [name, from] of Object.entries(block.files)) copyFileSync(path.join(root, from), path.join(cwd, name));
  }
  const { NO_COLOR: _, FORCE_COLOR: __, COLUMNS: ___, ...inherited } = process.env;
  const env = { ...inherited, PATH: `${here.at("bin")}${path.delimiter}${process.env.PATH}` };
  const { status, stdout } = spawnSync("sh", ["-e", "-c", `exec 2>&1\n${command}`], {
    cwd,
    env,
    encoding: "utf8",
    timeout: 600_000,
  });
  return { code: status, said: stdout };
}

const TIMED = /(\b(ms|µs)\b|GFLOP\/s)/;

/** Lines without what differs from run to run, and from engine to engine. */
function lasting(text: string): string[] {
  let isTimed = false; // the table's head says so
  return text
    .trimEnd()
    .split("\n")
    .map((line) => {
      if (line === "") isTimed = false;
      const isOwn = TIMED.test(line);
      if (isOwn && !/\d/.test(line)) isTimed = true;
      const bare =
        isOwn || isTimed ? line.replace(/\d[\d.]*(e[-+]?\d+)?(-node)?/g, "#").replace(/[█▏▎▍▌▋▊▉]+/g, "") : line;
      return bare
        .replace(/(# )+(?=# |#$)/g, "")
        .replace(/ +/g, " ")
        .trim();
    });
}

/** Whether lines are those of a page, an ellipsis on a line of its own for any. */
function isShown(page: readonly string[], said: readonly string[]): boolean {
  const [first, ...rest] = page;
  if (first === undefined) return said.length === 0;
  if (first === "…") return said.some((_, i) => isShown(rest, said.slice(i))) || rest.length === 0;
  return said[0] === first && isShown(rest, said.slice(1));
}

it("knows its masks", () => {
  expect(lasting("decode 25.2 · run 33.8 ms · Node 20.20.2\ncouch   0.91\n")).toEqual([
    "decode # · run # ms · Node #",
    "couch 0.91",
  ]);
  expect(lasting("algorithm  ms\nfft  1.93 ███▏  2.2 MB\n\nfft 3")).toEqual([
    "algorithm ms",
    "fft # # MB",
    "",
    "fft 3",
  ]);
  expect([
    isShown(["a", "…", "c"], ["a", "b", "b", "c"]),
    isShown(["a", "c"], ["a", "b"]),
    isShown(["a"], ["a", "b"]),
  ]).toEqual([true, false, false]);
});

describe("commands of README and docs", async () => {
  // Which algorithm is taken, and the last bits of answers, are told for this one.
  const isSimd = (await lanewise(["--version"])).out.includes("\nsimd: ");
  it("are there", () => {
    expect(blocks.length).toBeGreaterThanOrEqual(7);
  });
  for (const [i, block] of blocks.entries()) {
    const missing = Object.values(block.files).find((from) => !existsSync(path.join(root, from)));
    const title = missing ? `${block.where} (there is no ${missing})` : block.where;
    it.skipIf(missing !== undefined)(title, () => {
      if (block.lang === "sh") {
        const { code, said } = run(block, i, block.code);
        expect([code, code === block.exit ? "" : said]).toEqual([block.exit, ""]);
        return;
      }
      for (const session of block.code.split(/^\$ /m).slice(1)) {
        const command = session.slice(0, session.indexOf("\n"));
        const { code, said } = run(block, i, command);
        expect([command, code, code === block.exit ? "" : said]).toEqual([command, block.exit, ""]);
        const [page, found] = [lasting(session.slice(command.length + 1)), lasting(said)];
        if (isSimd && !isShown(page, found)) expect(found.join("\n")).toBe(page.join("\n"));
      }
    });
  }
});
