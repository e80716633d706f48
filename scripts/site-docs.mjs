// npm run docs:site: docs/ and README as pages of site/docs, the API of docstrings (TypeDoc) in site/api, and site/llms.txt, all from the
// same files. Source that pages point to comes along, with numbered lines. Every link is followed: one that leads nowhere ends this with 1.
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
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { anchorOf } from "./doc-blocks.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const isCheck = process.argv.includes("--check");
const read = (path) => readFileSync(join(root, path), "utf8");

/** Pages in reading order, by what a reader wants. */
const GROUPS = {
  Start: ["README.md", "docs/first-model.md", "docs/guide.md", "docs/coming-from.md", "docs/options.md", "docs/cli.md"],
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

const shell = ({ title, body, up, nav, contents = "" }) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} · lanewise</title>
<link rel="stylesheet" href="${up}pages.css">
<header><a class="brand" href="${up}../index.html">lanewise</a> <a href="${up}index.html">Documentation</a> <a href="${up}../api/index.html">API</a> <a href="${up}../index.html">Try it</a></header>
<div class="columns">
<nav aria-label="Pages">${nav}</nav>
<main>${body}</main>
${contents}
</div>
</html>
`;

class Site {
  sources = new Set();
  pages = new Map();

  constructor() {
    const MarkdownIt = library("markdown-it");
    this.markdown = new MarkdownIt({ html: true });
    const { rules } = this.markdown.renderer;
    rules.table_open = () => '<div class="wide"><table>';
    rules.table_close = () => "</table></div>";
    rules.heading_open = (tokens, i, _options, _env) => {
      const id = anchorOf(tokens[i + 1].content);
      this.headings.push({ level: Number(tokens[i].tag[1]), id, text: tokens[i + 1].content.replace(/`/g, "") });
      return `<${tokens[i].tag} id="${id}">`;
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
    const html = this.markdown.render(seen(page));
    return { html, headings: this.headings, title: this.headings[0]?.text ?? page };
  }

  nav(current, up) {
    const item = (page) =>
      `<li><a href="${up}${outOf(page)}"${page === current ? ' aria-current="page"' : ""}>${escaped(this.pages.get(page).title)}</a></li>`;
    return Object.entries(groups())
      .map(([name, pages]) => `<h2>${name}</h2><ul>${pages.map(item).join("")}</ul>`)
      .join("");
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
      const contents =
        entries.length > 1 ? `<aside aria-label="On this page"><ul>${entries.join("")}</ul></aside>` : "";
      files.set(outOf(page), shell({ title, body: html, up: "", nav: this.nav(page, ""), contents }));
      files.set(outOf(page).replace(/html$/, "md"), seen(page));
    }
    for (const path of this.sources) {
      const { file } = sourcePage(path);
      const up = "../".repeat(file.split("/").length - 1);
      const lines = read(path).replace(/\n$/, "").split("\n");
      const body = lines.map((text, i) => `<li id="L${i + 1}"><code>${escaped(text) || " "}</code></li>`).join("\n");
      files.set(
        file,
        shell({ title: path, body: `<h1>${path}</h1><ol class="source">${body}</ol>`, up, nav: this.nav("", up) }),
      );
    }
    files.set("pages.css", read("docs/pages.css"));
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
      for (const [, href] of text.matchAll(/<a [^>]*?href="([^"]+)"/g)) {
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
  return status === 0;
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
