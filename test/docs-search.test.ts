// What the documentation's search field finds.
import { expect, it } from "vitest";
import { around, find } from "../docs/search.js";

const SECTIONS = [
  {
    page: "Memory",
    heading: "Growth",
    to: "memory.html#growth",
    text: "When memory grows, views are detached. Out of luck.",
  },
  { page: "Guide", heading: "Errors", to: "guide.html#errors", text: "OutOfMemoryError: the limit would be passed" },
  {
    page: "Threads",
    heading: "Memory",
    to: "threads.html#memory",
    text: "Shared memory is reserved at once. C++ (a+b)?",
  },
];
const headings = (query: string, most?: number) => find(SECTIONS, query, most).map(({ heading }) => heading);

it("finds sections that have every word, headings before titles before text", () => {
  expect(headings("memory")).toEqual(["Memory", "Growth"]); // OutOfMemoryError does not begin with it
  expect(headings("memory detached")).toEqual(["Growth"]);
  expect(headings("memory errors")).toEqual([]);
  expect(headings("memory", 1)).toEqual(["Memory"]);
});

it("takes the beginning of a word, in either case", () => {
  expect(headings("OUTOF")).toEqual(["Errors"]);
  expect(headings("err")).toEqual(["Errors"]);
});

it("takes anything typed: nothing, signs, expressions", () => {
  for (const query of ["", "  ", "+++", "(", "\\"]) expect(find(SECTIONS, query)).toEqual([]);
  expect(headings("[lim")).toEqual(["Errors"]);
  expect(headings("(a+b)?")).toEqual(["Memory"]); // a, which begins "at", and b
});

it("shows the text around the longest word", () => {
  const text = `${"before ".repeat(20)}the needle ${"behind ".repeat(40)}`;
  expect(around(text, "needle")).toMatch(/^… before .* the needle behind .* …$/);
  expect(around(text, "the needle")).toBe(around(text, "needle"));
  expect(around(text, "before needle")).toMatch(/^before before /); // the first of as long ones
  expect(around("short needle", "needle")).toBe("short needle");
  expect(around(`needle ${"abcdefgh ".repeat(20)}`, "needle")).toBe(`needle ${"abcdefgh ".repeat(12)}…`); // a 13th would end at 123
  expect(around(`needle${"x".repeat(200)}`, "needle")).toBe(`needle${"x".repeat(114)} …`); // no end of a word in sight
});
