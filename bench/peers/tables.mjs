// What a comparison with peers says: per layer and per group, from the rows of a results file.
import { ms, percent, table } from "../table.mjs";

const ours = {
  simd: "lanewise-simd n20",
  relaxed: "lanewise-relaxed n24",
  chromium: "lanewise-relaxed chromium",
};
const isConv =
  (test) =>
  ({ layer }) =>
    layer.operator === "conv" && test(layer);
const isDepthwise = ({ groups, C }) => groups === C;

/**
 * The groups that targets are stated for: times faster than the best web peer, and than native onnxruntime. isPlain: every
 * multiply-add is done, so the machine's limit says how many times faster is possible here at all.
 */
const GROUPS = [
  {
    name: "3x3 stride 1",
    has: isConv((l) => l.R === 3 && l.stride === 1 && !isDepthwise(l)),
    simd: 3.4,
    relaxed: 5.5,
    native: 1,
  },
  {
    name: "1x1, strided, 5x5",
    has: isConv((l) => !(l.R === 3 && l.stride === 1) && !isDepthwise(l)),
    simd: 1.25,
    relaxed: 2.4,
    isPlain: true,
  },
  { name: "depthwise", has: isConv(isDepthwise), simd: 1.9, relaxed: 2.4 },
  {
    name: "pooling",
    has: ({ layer }) => ["max", "average", "global"].includes(layer.operator),
    simd: 1.5,
    relaxed: 1.5,
  },
  { name: "fully connected", has: ({ layer }) => layer.operator === "linear" },
];

/** Times of a side, or of all sides whose names start so, in the engine where it is fastest. */
function least(times, side) {
  const found = Object.entries(times)
    .filter(([key]) => key.startsWith(side))
    .sort(([, a], [, b]) => a.min - b.min)[0];
  return found && { ...found[1], key: found[0] };
}

/** Compared under any Node, so that a web peer's best counts: the hardest reading. */
const WEB_PEERS = ["ort-web", "tfjs-wasm"];

/**
 * A row's figures: the best of the web peers under any Node, native onnxruntime, LiteRT.js, and ours: simd under Node 20,
 * relaxed under Node 24, chromium (relaxed in LiteRT.js's page). Each of ours says how many times faster it is.
 */
export function figures({ layer, times }, limits) {
  const web = WEB_PEERS.map((side) => least(times, side))
    .filter(Boolean)
    .sort((a, b) => a.min - b.min)[0];
  const native = least(times, "ort-native");
  const litert = least(times, "litert");
  const of = (key, peer) => {
    const time = times[key];
    if (time === undefined) return undefined;
    const gflops = (2 * layer.macs) / time.min / 1e6;
    return {
      ...time,
      gflops,
      share: gflops / limitOf(limits, key),
      overPeer: peer && peer.min / time.min,
      overNative: native && native.min / time.min,
    };
  };
  return {
    web,
    native,
    litert,
    simd: of(ours.simd, web),
    relaxed: of(ours.relaxed, web),
    chromium: of(ours.chromium, litert),
  };
}

/** GFLOP/s that the engine of a key reached when nothing waits. */
function limitOf(limits, key) {
  return limits.find(({ engine }) => key.endsWith(` ${engine}`))?.gflops;
}

function geometricMean(values) {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** { name, variant, mean, least, target, atLimit?, native?, litert? } of every group that has rows. */
export function groups(rows, limits) {
  const meanOf = (values) => {
    const known = values.filter((value) => value !== undefined);
    return known.length > 0 ? geometricMean(known) : undefined;
  };
  return GROUPS.flatMap((group) => {
    const members = rows.filter(group.has).map((row) => ({ macs: row.layer.macs, ...figures(row, limits) }));
    return ["simd", "relaxed"].flatMap((variant) => {
      const found = members.filter((member) => member[variant]?.overPeer !== undefined);
      if (found.length === 0) return [];
      const over = found.map((member) => member[variant].overPeer);
      const limit = limitOf(limits, ours[variant]);
      return [
        {
          name: group.name,
          variant,
          mean: geometricMean(over),
          least: Math.min(...over),
          target: group[variant],
          atLimit: group.isPlain && meanOf(found.map(({ macs, web }) => (web.min * limit * 1e6) / (2 * macs))),
          native: meanOf(found.map((member) => member[variant].overNative)),
          litert: variant === "relaxed" ? meanOf(members.map(({ chromium }) => chromium?.overPeer)) : undefined,
        },
      ];
    });
  });
}

export const LAYER_HEAD = [
  "layer",
  "simd, ms (median)",
  "GFLOP/s (of limit)",
  "relaxed, ms (median)",
  "GFLOP/s (of limit)",
  "ort-web, ms",
  "tfjs-wasm, ms",
  "native, ms",
  "simd / web",
  "relaxed / web",
  "relaxed / native",
  "LiteRT.js, ms",
  "relaxed there, ms",
  "relaxed / LiteRT.js",
];

const factor = (value) => value?.toFixed(2);

export function layerCells(row, limits) {
  const { simd, relaxed, native, litert, chromium } = figures(row, limits);
  const time = (side) => side && `${ms(side.min)} (${ms(side.median)})`;
  const rate = (side) =>
    side && row.layer.operator === "conv" ? `${side.gflops.toFixed(1)} (${percent(side.share)})` : undefined;
  return [
    row.layer.name,
    time(simd),
    rate(simd),
    time(relaxed),
    rate(relaxed),
    ...WEB_PEERS.map((side) => ms(least(row.times, side)?.min)),
    ms(native?.min),
    factor(simd?.overPeer),
    factor(relaxed?.overPeer),
    factor(relaxed?.overNative),
    ms(litert?.min),
    ms(chromium?.min),
    factor(chromium?.overPeer),
  ];
}

export const GROUP_HEAD = [
  "group",
  "binary",
  "against the best web peer",
  "least",
  "target",
  "at the machine's limit",
  "against native",
  "against LiteRT.js",
];

export function groupCells({ name, variant, mean, least: worst, target, atLimit, native, litert }) {
  return [name, variant, ...[mean, worst].map(factor), target, ...[atLimit, native, litert].map(factor)];
}

export function peersTables({ rows, limits }) {
  const detail = rows.flatMap(({ layer, times }) => {
    const peer = Object.entries(times)
      .filter(([side]) => [...WEB_PEERS, "litert"].some((name) => side.startsWith(name)))
      .sort(([, a], [, b]) => a.min - b.min)[0];
    return Object.entries(times)
      .sort(([, a], [, b]) => a.min - b.min)
      .map(([side, time], i) => {
        const gflops = (2 * layer.macs) / time.min / 1e6;
        const isConv = layer.operator === "conv";
        return [
          i === 0 ? layer.name : "",
          side,
          ms(time.min),
          ms(time.median),
          isConv ? gflops.toFixed(1) : "",
          isConv ? percent(gflops / limitOf(limits, side)) : "",
          factor(peer && peer[1].min / time.min),
          time.note ?? "",
        ];
      });
  });
  const bandwidth = rows
    .filter(({ layer }) => layer.operator === "linear")
    .flatMap(({ layer, times }) =>
      limits.flatMap(({ engine, readGBs }) =>
        Object.entries(times)
          .filter(([side]) => side.startsWith("lanewise") && side.endsWith(` ${engine}`))
          .map(([side, { min }]) => {
            const rate = (layer.C * layer.M * 4) / min / 1e6;
            return `${layer.name}: ${side} reads its weights at ${rate.toFixed(1)} GB/s, ${((100 * rate) / readGBs).toFixed(0)} % of ${readGBs.toFixed(1)} GB/s`;
          }),
      ),
    );
  return [
    table(["layer", "side", "ms min", "median", "GFLOP/s", "of limit", "best peer / it", "algorithm"], detail),
    table(
      LAYER_HEAD,
      rows.map((row) => layerCells(row, limits)),
    ),
    "Times faster than the best of onnxruntime-web and tfjs-wasm under either Node (the hardest reading), than native onnxruntime, and than LiteRT.js in the same page.",
    table(GROUP_HEAD, groups(rows, limits).map(groupCells)),
    ...bandwidth,
    `machine's limit: ${limits.map(({ engine, gflops }) => `${gflops.toFixed(1)} GFLOP/s (${engine})`).join(", ")}`,
  ].join("\n\n");
}
