// Numbers as they are read.
const MINUS = "\u2212";

/** A sum's term: 0 to 2 digits after the point. */
export function short(value: number, digits = 2): string {
  const fixed = Number.isInteger(value) ? String(value) : value.toFixed(digits);
  const text = Number(fixed) === 0 ? "0" : fixed; // not -0.00
  return text.replace("-", MINUS);
}

/** 115,605,504 as 115.6 M. */
export function count(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} K`;
  return grouped(value);
}

export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function bytes(value: number): string {
  if (value >= 2 ** 30) return `${(value / 2 ** 30).toFixed(1)} GB`;
  if (value >= 2 ** 20) return `${(value / 2 ** 20).toFixed(1)} MB`;
  if (value >= 1024) return `${(value / 1024).toFixed(0)} KB`;
  return `${value} B`;
}

export function milliseconds(ms: number): string {
  if (ms >= 100) return grouped(ms);
  if (ms >= 10) return ms.toFixed(1);
  if (ms >= 1) return ms.toFixed(2);
  return ms.toFixed(3);
}

export function scientific(value: number): string {
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(value));
  const superscripts = [..."⁰¹²³⁴⁵⁶⁷⁸⁹"];
  const digits = [...String(Math.abs(exponent))].map((digit) => superscripts[Number(digit)]).join("");
  return `${(value / 10 ** exponent).toFixed(1)}·10${exponent < 0 ? "⁻" : ""}${digits}`;
}
