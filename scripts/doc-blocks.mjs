// The fenced blocks of pages and doc comments in js and ts, for who runs them (scripts/doc-examples.mjs) and who compiles them
// (test/types/run.mjs).
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

const BLOCK =
  /(?:<!-- setup\n(?<setup>[\s\S]*?)-->\s*)?^```(?<info>[^\n]*)\n(?<code>[\s\S]*?)^```$(?:\s*<!-- check\n(?<check>[\s\S]*?)-->)?/gm;

/** All pages that have any. */
export const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "SECURITY.md",
  "bench/README.md",
  "examples/lenet5/train/README.md",
  "examples/README.md",
  ...readdirSync(join(root, "examples"))
    .filter((name) => existsSync(join(root, "examples", name, "README.md")))
    .sort()
    .map((name) => `examples/${name}/README.md`),
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .sort()
    .map((name) => `docs/${name}`),
];

/** All sources whose doc comments have examples. */
export const SOURCES = readdirSync(join(root, "src"), { recursive: true })
  .map((name) => `src/${name.replaceAll("\\", "/")}`)
  .filter((name) => name.endsWith(".ts") && readFileSync(join(root, name), "utf8").includes("* @example\n"))
  .sort();

/** The name that a heading's link has, as GitHub makes it. */
export function anchorOf(heading) {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/`/g, "");
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
}

/** Of a source its doc comments, as markdown, on the lines where they are. */
function commentsOf(source) {
  return source.replace(/[ \t]*\/\*\*[\s\S]*?\*\/|[^\n]+/g, (text) =>
    /^\s*\/\*\*/.test(text) ? text.replace(/^\s*\/?\*+\/? ?/gm, "") : "",
  );
}

/** Fenced blocks of a page or source in js or ts: { file, line, lang, needs, text }; text: with what is before and behind it, unseen. */
export function blocksOf(file) {
  const text = readFileSync(join(root, file), "utf8");
  const page = file.endsWith(".ts") ? commentsOf(text) : text;
  return [...page.matchAll(BLOCK)].flatMap(({ index, groups: { setup = "", info, code, check = "" } }) => {
    const [lang, needs] = info.split(" ");
    const line = page.slice(0, page.indexOf("```", index)).split("\n").length;
    const text = `${setup}${code}${check}`;
    return ["js", "ts"].includes(lang) ? [{ file, line, lang, needs, text }] : [];
  });
}
