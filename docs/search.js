// Which sections of the documentation are meant by some words.

const wordsOf = (query) => query.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];

/**
 * The sections that have all of the words, best first: words in a heading count most, then in a page's title, then in the text. A word
 * that begins another counts as that word.
 */
export function find(sections, query, most = 12) {
  const patterns = wordsOf(query).map((word) => new RegExp(`(?<![\\p{L}\\p{N}_])${word}`, "giu"));
  const times = (text, pattern) => Math.min(text.match(pattern)?.length ?? 0, 5);
  const scored = sections.map((section) => {
    const { heading, page, text } = section;
    const scores = patterns.map(
      (pattern) => 20 * times(heading, pattern) + 8 * times(page, pattern) + times(text, pattern),
    );
    return { section, score: scores.includes(0) ? 0 : scores.reduce((a, b) => a + b, 0) };
  });
  const found = scored.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score);
  return found.slice(0, most).map(({ section }) => section);
}

/** About 120 characters of a text around the longest of the words, and whole words. */
export function around(text, query) {
  const [word = ""] = wordsOf(query).sort((a, b) => b.length - a.length);
  const at = Math.max(0, text.toLowerCase().indexOf(word) - 40);
  const from = at === 0 ? 0 : text.indexOf(" ", at) + 1;
  const cut = text.lastIndexOf(" ", from + 120);
  const end = text.length <= from + 120 ? text.length : cut > from ? cut : from + 120;
  return `${from > 0 ? "… " : ""}${text.slice(from, end)}${end < text.length ? " …" : ""}`;
}
