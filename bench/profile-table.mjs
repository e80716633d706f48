// What bench:models --profile prints: where networks spend their time, by class of kernel call, beside what the machine could do.
import { percent, table } from "./table.mjs";

/** The share of the limit that gains are reckoned from. */
const REACHABLE = 0.9;
const MOST_CALLS = 24;

/** GB/s of `key` for so many bytes: between two measured sizes in proportion to the logarithm. */
function rateFor(rates, key, bytes) {
  const above = rates.findIndex((rate) => rate.bytes >= bytes);
  if (above <= 0) return rates.at(above === 0 ? 0 : -1)[key];
  const [low, high] = [rates[above - 1], rates[above]];
  const part = Math.log(bytes / low.bytes) / Math.log(high.bytes / low.bytes);
  return low[key] + part * (high[key] - low[key]);
}

/**
 * Milliseconds at the machine's limit: of arithmetic, or of bytes read and written, whichever takes longer. 0 where that is not
 * known: an FFT does less than the definition's operations.
 */
function leastMs({ class: name, flops = 0, bytes = 0, weightBytes = 0 }, { gflops, memoryRates }, weightsOfAll) {
  if (name === "FFT") return 0;
  const moving = bytes === 0 ? 0 : bytes / rateFor(memoryRates, "copyGBs", bytes);
  // Weights come from wherever those of the whole network fit.
  const reading = weightBytes === 0 ? 0 : weightBytes / rateFor(memoryRates, "readGBs", weightsOfAll);
  return Math.max(flops / gflops, moving + reading) / 1e6;
}

/** A Winograd convolution as two: products, and transforms with what is around them. */
function divided(row, { gflops }) {
  if (row.class !== "Winograd") return [row];
  const { productFlops, pointBytes, transformBytes, productShare } = row;
  const least = Math.min(1, productFlops / gflops / 1e6 / row.ms);
  const share = Math.min(1, Math.max(least, productShare ?? least));
  const of = (part, ms, work) => ({ ...row, ...work, class: `Winograd ${part}`, ms });
  return [
    of("products", share * row.ms, { flops: productFlops, bytes: 0, weightBytes: pointBytes }),
    of("transforms", (1 - share) * row.ms, { flops: undefined, bytes: transformBytes, weightBytes: 0 }),
  ];
}

/** Every call of every network with `share` of its network's time and `gain`, the share that reaching REACHABLE takes off. */
function callsOf({ results, ...limits }) {
  return results.flatMap(({ name: network, rows, weightBytes, javascriptMs, callMs }) => {
    const entries = [
      ...rows.flatMap((row) => divided(row, limits)),
      { class: "JavaScript", ms: javascriptMs },
      { class: "calls", ms: callMs },
    ];
    const total = entries.reduce((sum, { ms }) => sum + ms, 0);
    return entries.map((entry) => {
      const least = leastMs(entry, limits, weightBytes);
      const gain = least > 0 ? Math.max(0, entry.ms - least / REACHABLE) : 0;
      return { ...entry, network, least, share: entry.ms / total, gain: gain / total, weight: 1 / total };
    });
  });
}

const sum = (entries, key) => entries.reduce((all, entry) => all + entry[key], 0);

/** Amounts a millisecond, networks counting alike however long they run. */
function rate(calls, key) {
  const counted = calls.filter((call) => call[key] > 0);
  if (counted.length === 0) return undefined;
  return counted.reduce((all, call) => all + call[key] * call.weight, 0) / sum(counted, "share") / 1e6;
}

/** How much faster the geometric mean of the networks is when these calls reach REACHABLE. */
function faster(calls, networks) {
  const saved = new Map();
  for (const { network, gain } of calls) saved.set(network, (saved.get(network) ?? 0) + gain);
  const logs = [...saved.values()].reduce((all, gain) => all - Math.log(1 - gain), 0);
  return Math.exp(logs / networks) - 1;
}

const number = (value) => (value === undefined ? "" : value.toFixed(1));

function cells(name, calls, networks) {
  const limited = calls.filter(({ least }) => least > 0);
  const ofLimit = limited.reduce((all, { least, weight }) => all + least * weight, 0) / sum(limited, "share");
  const bytes = calls.map((call) => ({ ...call, moved: (call.bytes ?? 0) + (call.weightBytes ?? 0) }));
  return [
    name,
    percent(sum(calls, "share") / networks),
    number(rate(calls, "flops")),
    number(rate(bytes, "moved")),
    limited.length > 0 ? percent(ofLimit) : "",
    limited.length > 0 ? percent(faster(calls, networks)) : "",
  ];
}

/** results of profile-child.mjs, beside gflops and memoryRates, as two tables. */
export function profileTable(profile) {
  const networks = profile.results.length;
  if (networks === 0) return "";
  const calls = callsOf(profile);
  const classes = new Map();
  for (const call of calls) classes.set(call.class, [...(classes.get(call.class) ?? []), call]);
  const rows = [...classes].sort(([, a], [, b]) => sum(b, "share") - sum(a, "share"));
  const isSame = (a) => `${a.class}\n${a.network}\n${a.name}`;
  const shapes = new Map();
  for (const call of calls) {
    const found = shapes.get(isSame(call)) ?? { ...call, times: 0, share: 0, gain: 0, ms: 0, least: 0 };
    shapes.set(isSame(call), found);
    found.times++;
    for (const key of ["share", "gain", "ms", "least"]) found[key] += call[key];
  }
  const worst = [...shapes.values()].sort((a, b) => b.gain - a.gain).slice(0, MOST_CALLS);
  const { variant, node, gflops, memoryRates } = profile;
  const shown = (key) =>
    memoryRates
      .filter(({ bytes }) => [2 ** 15, 2 ** 18, 2 ** 21, 2 ** 26].includes(bytes))
      .map((row) => row[key].toFixed(0))
      .join(", ");
  return [
    `${variant}, Node ${node}, ${networks} networks; limit ${gflops.toFixed(1)} GFLOP/s; 32 KB, 256 KB, 2 MB, 64 MB: read ${shown("readGBs")}, copied ${shown("copyGBs")} GB/s (both sides)`,
    table(
      ["class", "time", "GFLOP/s", "GB/s", "of the limit", "at 90 %"],
      [...rows.map(([name, found]) => cells(name, found, networks)), cells("all", calls, networks)],
    ),
    table(
      ["network", "class", "shape", "calls", "us", "of the limit", "time", "at 90 %"],
      worst.map((row) => [
        row.network,
        row.class,
        row.name ?? "",
        row.times,
        number(1e3 * row.ms),
        percent(row.least / row.ms),
        percent(row.share),
        percent(1 / (1 - row.gain) - 1),
      ]),
    ),
  ].join("\n\n");
}
