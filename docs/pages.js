// What pages of the documentation do by themselves: a search field, and a button beside each block of code that copies it. Without
// scripts all else is there.
import { around, find } from "./search.js";

const { up = "" } = document.documentElement.dataset;

function made(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function copying() {
  if (!navigator.clipboard) return; // a page without https
  for (const block of document.querySelectorAll("main pre")) {
    const button = made("button", { className: "copy", type: "button", textContent: "Copy" });
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    const frame = made("div", { className: "code" });
    block.replaceWith(frame);
    frame.append(block, button);
  }
}

/** "/" goes to the field, arrows from there through the answers, Escape ends it. */
function searching() {
  const search = document.querySelector("search");
  const field = search.querySelector("input");
  const list = search.querySelector("ul");
  let loading;
  const load = () =>
    (loading ??= fetch(new URL("search.json", import.meta.url))
      .then((response) => response.json())
      .catch(() => {
        loading = undefined; // the next letter tries again
      }));

  async function show() {
    const sections = await load();
    const query = field.value;
    if (sections === undefined) {
      list.replaceChildren(made("li", { className: "none", textContent: "The search cannot be loaded: offline?" }));
      list.hidden = query.trim() === "";
      return;
    }
    const answers = find(sections, query).map(({ page, heading, to, text }) => {
      const title = made("b", { textContent: page === heading ? page : `${page}: ${heading}` });
      return made(
        "li",
        {},
        made("a", { href: `${up}${to}` }, title, made("span", { textContent: around(text, query) })),
      );
    });
    const none = made("li", { className: "none", textContent: "Nothing has all of these words." });
    list.replaceChildren(...(answers.length > 0 ? answers : [none]));
    list.hidden = query.trim() === "";
  }

  function close() {
    list.hidden = true;
  }

  field.addEventListener("focus", load);
  field.addEventListener("input", show);
  search.addEventListener("keydown", (event) => {
    const stops = [field, ...list.querySelectorAll("a")];
    const at = stops.indexOf(document.activeElement);
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && at === 0 && !list.hidden && !event.isComposing) stops[1]?.click();
    else if (event.key === "ArrowDown") stops[at + 1]?.focus();
    else if (event.key === "ArrowUp") stops[at - 1]?.focus();
    else return;
    event.preventDefault();
  });
  search.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !search.contains(relatedTarget)) close();
  });
  list.addEventListener("click", close);
  document.addEventListener("click", ({ target }) => {
    if (!search.contains(target)) close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
    event.preventDefault();
    field.focus();
  });
  search.hidden = false;
}

copying();
searching();
