// npm run docs:site: docs/ and README as pages of site/docs, the API of docstrings (TypeDoc) in site/api, and site/llms.txt, all from the
// same files. Source that pages point to comes along, with numbered lines, and so do pictures. Every link is followed: one that leads
// nowhere ends this with 1. search.json is what the field in the header looks through (docs/pages.js, docs/search.js).
// Its libraries have a package.json of their own in docs/, installed at first use. --check: pages and links only, no API, nothing kept.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { anchorOf } from "./doc-blocks.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const isCheck = process.argv.includes("--check");
const read = (path) => readFileSync(join(root, path), "utf8");

/** Pages in reading order, by what a reader wants. */
const GROUPS = {
  Start: [
    "README.md",
    "docs/first-model.md",
    "docs/guide.md",
    "docs/coming-from.md",
    "docs/troubleshooting.md",
    "docs/options.md",
    "docs/cli.md",
  ],
  Models: ["docs/onnx.md", "docs/vision.md", "docs/answers.md", "docs/quantise.md"],
  Methods: ["docs/convolution.md", "docs/kernels.md", "docs/operators.md"],
  Places: ["docs/runtimes.md", "docs/threads.md", "docs/memory.md", "docs/scaling.md", "docs/benchmarks.md"],
};

/** The groups, and whatever else docs/ has, so that no page can be forgotten. */
function groups() {
  const known = Object.values(GROUPS).flat();
  const pages = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  const more = pages.map((name) => `docs/${name}`).filter((page) => !known.includes(page));
  return more.length > 0 ? { ...GROUPS, More: more.sort() } : GROUPS;
}

/** Installs docs/package.json where it is not. */
function library(name) {
  const folder = join(root, "docs");
  if (!existsSync(join(folder, "node_modules", name)))
    spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: folder, stdio: "inherit" });
  return createRequire(join(folder, "package.json"))(name);
}

const outOf = (page) => (page === "README.md" ? "index.html" : `${posix.basename(page, ".md")}.html`);
const escaped = (text) =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

/** The markdown that readers see: without set-up and checks of examples, and marks of generated tables. */
const seen = (page) =>
  read(page)
    .replace(/<!--[\s\S]*?-->\n?/g, "")
    .replace(/^```(js|ts) (browser|edge)$/gm, "```$1");

/** Where source goes, and the line that a link to it means: of the first function that it exports. */
function sourcePage(path) {
  const line =
    read(path)
      .split("\n")
      .findIndex((text) => /^export (async )?function /.test(text)) + 1;
  return { file: `source/${path.replace(/\.(\w+)$/, "-$1.html")}`, anchor: line > 0 ? `#L${line}` : "" };
}

const HEADER = [
  ["index.html", "Documentation"],
  ["../api/index.html", "API"],
  ["../index.html", "Try it"],
];

const shell = ({ title, body, up, nav, contents = "" }) => `<!doctype html>
<html lang="en" data-up="${up}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title === "lanewise" ? title : `${escaped(title)} · lanewise`}</title>
<link rel="stylesheet" href="${up}pages.css">
<link rel="icon" href="${up}icon.svg" type="image/svg+xml">
<script type="module" src="${up}pages.js"></script>
<a class="skip" href="#main">To the text</a>
<header><a class="brand" href="${up}index.html">lanewise</a> ${HEADER.map(([to, text]) => `<a href="${up}${to}">${text}</a>`).join(" ")} <a class="narrow" href="#pages">Pages</a>
<search hidden><input type="search" placeholder="Search" aria-label="Search the documentation" autocomplete="off"><ul hidden></ul></search></header>
<div class="columns">
<nav id="pages" aria-label="Pages">${nav}</nav>
<main id="main">${body}</main>
${contents && `<aside aria-label="On this page">${contents}</aside>`}
</div>
</html>
`;

class Site {
  sources = new Set();
  pictures = new Set();
  pages = new Map();

  constructor() {
    const MarkdownIt = library("markdown-it");
    const colours = library("highlight.js");
    const highlight = (code, language) =>
      colours.getLanguage(language) ? colours.highlight(code, { language }).value : "";
    this.markdown = new MarkdownIt({ html: true, highlight });
    const { rules } = this.markdown.renderer;
    rules.table_open = () => '<div class="wide"><table>';
    rules.table_close = () => "</table></div>";
    rules.heading_open = (tokens, i, _options, _env) => {
      const id = anchorOf(tokens[i + 1].content);
      this.headings.push({ level: Number(tokens[i].tag[1]), id, text: tokens[i + 1].content.replace(/`/g, "") });
      return `<${tokens[i].tag} id="${id}">`;
    };
    rules.heading_close = (tokens, i) => {
      const { id } = this.headings.at(-1);
      return ` <a class="anchor" href="#${id}" aria-label="Link to this section">#</a></${tokens[i].tag}>`;
    };
    rules.image = (tokens, i, options, env, self) => {
      const from = posix.normalize(posix.join(posix.dirname(this.page), tokens[i].attrGet("src")));
      this.pictures.add(from);
      tokens[i].attrSet("src", `pictures/${posix.basename(from)}`);
      tokens[i].attrSet("alt", self.renderInlineAsText(tokens[i].children, options, env));
      return self.renderToken(tokens, i, options);
    };
    rules.link_open = (tokens, i, options, _env, self) => {
      const href = tokens[i].attrGet("href");
      const to = this.target(href);
      if (to === undefined) {
        tokens[i].tag = "span";
        tokens[i].attrs = null;
        this.open.push("span");
      } else {
        tokens[i].attrSet("href", to);
        this.open.push("a");
      }
      return self.renderToken(tokens, i, options);
    };
    rules.link_close = () => `</${this.open.pop()}>`;
  }

  /** The address of what a page links to, seen from site/docs; undefined where only the repository has it (folders). */
  target(href) {
    if (/^[a-z]+:/.test(href) || href.startsWith("#")) return href;
    const [path, anchor] = href.split("#");
    const file = posix.normalize(posix.join(posix.dirname(this.page), path));
    if (file.endsWith(".md") && Object.values(groups()).flat().includes(file))
      return `${outOf(file)}${anchor ? `#${anchor}` : ""}`;
    if (!existsSync(join(root, file)) || statSync(join(root, file)).isDirectory()) return undefined;
    this.sources.add(file);
    const { file: to, anchor: line } = sourcePage(file);
    return `${to}${line}`;
  }

  render(page) {
    Object.assign(this, { page, headings: [], open: [] });
    // What scrolls sideways can be reached by keyboard; a corner of a table is no heading; a strict policy forbids styles in tags.
    const html = this.markdown
      .render(seen(page))
      .replace(/<(pre|div class="wide")>/g, '<$1 tabindex="0">')
      .replace(/<th( [^>]*)?><\/th>/g, "<td></td>")
      .replace(/ style="text-align:(\w+)"/g, ' class="$1"');
    return { html, headings: this.headings, title: this.headings[0]?.text ?? page };
  }

  nav(current, up) {
    const item = (page) =>
      `<li><a href="${up}${outOf(page)}"${page === current ? ' aria-current="page"' : ""}>${escaped(this.pages.get(page).title)}</a></li>`;
    return Object.entries(groups())
      .map(([name, pages]) => `<h2>${name}</h2><ul>${pages.map(item).join("")}</ul>`)
      .join("");
  }

  /** The link at a page's end to the page before or behind it. */
  turn(page, rel) {
    return page ? `<a rel="${rel}" href="${outOf(page)}">${escaped(this.pages.get(page).title)}</a>` : "";
  }

  /** What can be searched: { page, heading, to, text } of every heading, with the words up to the next one, without tables' numbers. */
  sections(page) {
    const { title, html } = this.pages.get(page);
    const plain = (part) =>
      part
        .replace(/<[^>]+>/g, "")
        .replace(/&(lt|gt|amp|quot);/g, (_, name) => ({ lt: "<", gt: ">", amp: "&", quot: '"' })[name])
        .replace(/\s+/g, " ")
        .trim();
    const withoutNumbers = (part) => part.replace(/<\/?t[dhr][^>]*>/g, " ").replace(/(?<=\s)[-\d.,;%x]+(?=\s|$)/g, "");
    const [, ...parts] = html.split(/<h[123] id="/);
    return parts.map((part) => {
      const [, id, heading, text] = /^([^"]*)">([\s\S]*?) <a class="anchor"[\s\S]*?<\/h\d>([\s\S]*)$/.exec(part);
      return { page: title, heading: plain(heading), to: `${outOf(page)}#${id}`, text: plain(withoutNumbers(text)) };
    });
  }

  /** All files of site/docs: path → text. */
  files() {
    const files = new Map();
    const all = Object.values(groups()).flat();
    for (const page of all) this.pages.set(page, this.render(page));
    for (const page of all) {
      const { html, headings, title } = this.pages.get(page);
      const entries = headings
        .filter(({ level }) => level === 2)
        .map(({ id, text }) => `<li><a href="#${id}">${escaped(text)}</a></li>`);
      const contents = entries.length > 1 ? `<ul>${entries.join("")}</ul>` : "";
      const folded = contents && `<details class="contents"><summary>On this page</summary>${contents}</details>`;
      const turns = this.turn(all[all.indexOf(page) - 1], "prev") + this.turn(all[all.indexOf(page) + 1], "next");
      const body = `${html.replace("</h1>", `</h1>${folded}`)}<footer>${turns}</footer>`;
      files.set(outOf(page), shell({ title, body, up: "", nav: this.nav(page, ""), contents }));
      files.set(outOf(page).replace(/html$/, "md"), seen(page));
    }
    for (const path of this.sources) {
      const { file } = sourcePage(path);
      const up = "../".repeat(file.split("/").length - 1);
      const lines = read(path).replace(/\n$/, "").split("\n");
      const body = lines.map((text, i) => `<li id="L${i + 1}"><code>${escaped(text) || " "}</code></li>`).join("\n");
      files.set(
        file,
        shell({
          title: path,
          body: `<h1>${path}</h1><ol class="source" tabindex="0">${body}</ol>`,
          up,
          nav: this.nav("", up),
        }),
      );
    }
    for (const path of this.pictures) files.set(`pictures/${posix.basename(path)}`, readFileSync(join(root, path)));
    for (const name of ["pages.css", "pages.js", "search.js"]) files.set(name, read(`docs/${name}`));
    files.set("icon.svg", read("examples/page/icon.svg"));
    files.set("search.json", JSON.stringify(all.flatMap((page) => this.sections(page))));
    return files;
  }

  /** llmstxt.org: what there is, a line each, as markdown that is beside the pages. */
  llms() {
    const [, lead] = seen("README.md").match(/^# lanewise\n\n([\s\S]*?)\n\n/);
    const told = new Map(
      [...read("README.md").matchAll(/^\| \[[^\]]+\]\(([\w./-]+\.md)\) \| (.*) \|$/gm)].map(([, page, what]) => [
        page,
        what,
      ]),
    );
    const line = (page) => {
      const what = page === "README.md" ? "what there is, sizes, speed, limits" : told.get(page);
      if (!what) throw new Error(`README.md expected a row for ${page} among its pages, got none`);
      return `- [${this.pages.get(page).title}](docs/${outOf(page).replace(/html$/, "md")}): ${what}`;
    };
    const sections = Object.entries(groups()).map(([name, pages]) => `## ${name}\n\n${pages.map(line).join("\n")}`);
    return `# lanewise\n\n> ${lead.replace(/\s+/g, " ")}\n\n${sections.join("\n\n")}\n`;
  }
}

/** The page of site/ gets links to the documentation, once it is beside it; who keeps the page offline hears of it by another name. */
function linkFromPage(folder) {
  const edit = (name, from, to) => {
    const path = join(folder, name);
    if (existsSync(path)) writeFileSync(path, readFileSync(path, "utf8").replaceAll(from, to));
  };
  edit("index.html", "<!-- docs -->", '<a class="docs" href="docs/index.html">Documentation</a>');
  edit("sw.js", /"lanewise-(\w{12})"/g, '"lanewise-$1-docs"');
}

/** Links of pages that lead nowhere within them. */
function broken(files) {
  const idsOf = new Map();
  const ids = (file) => {
    if (!idsOf.has(file))
      idsOf.set(file, new Set([...files.get(file).matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id)));
    return idsOf.get(file);
  };
  const problems = [];
  let count = 0;
  for (const [file, text] of files)
    if (file.endsWith(".html"))
      for (const [, href] of text.matchAll(/<(?:a|img|script|link) [^>]*?(?:href|src)="([^"]+)"/g)) {
        if (/^[a-z]+:/.test(href) || /^(\.\.\/)+(index\.html|api\/)/.test(href)) continue;
        count++;
        const [path, anchor] = href.split("#");
        const to = path === "" ? file : posix.normalize(posix.join(posix.dirname(file), path));
        const isThere =
          files.has(to) && (anchor === undefined || !to.endsWith(".html") || ids(to).has(decodeURIComponent(anchor)));
        if (!isThere) problems.push(`${file}: the link ${href} leads nowhere`);
      }
  return { problems, count };
}

function api(out) {
  library("typedoc");
  const bin = join(root, "docs/node_modules/.bin/typedoc");
  const { status } = spawnSync(bin, ["--options", join(root, "docs/typedoc.json"), "--out", out], { stdio: "inherit" });
  if (status !== 0) return false;
  // Its pages link back by addresses from the root, which is another where the site lies in a folder.
  for (const name of readdirSync(out, { recursive: true }).filter((name) => name.endsWith(".html"))) {
    const up = "../".repeat(name.split(sep).length);
    const path = join(out, name);
    const relative = (text) => text.replaceAll(/href="\/(docs\/)?index\.html"/g, `href="${up}$1index.html"`);
    writeFileSync(path, relative(readFileSync(path, "utf8")));
  }
  return true;
}

const folder = isCheck ? mkdtempSync(join(tmpdir(), "lanewise-site-")) : join(root, "site");
const site = new Site();
const files = site.files();
const { problems, count } = broken(files);
for (const [path, text] of files) {
  const to = join(folder, "docs", path);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, text);
}
writeFileSync(join(folder, "llms.txt"), site.llms());
for (const problem of problems) console.error(problem);
const isApi = api(join(folder, "api"));
if (isCheck) rmSync(folder, { recursive: true, force: true });
else {
  linkFromPage(folder);
  console.log(`written: ${relative(root, folder)}/docs, api, llms.txt`);
}
const failed = problems.length + (isApi ? 0 : 1);
console.log(`${count - problems.length + (isApi ? 1 : 0)} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
