// What a comparison with peers says: per layer and per group, from the rows of a results file.
import { ms, table } from "../table.mjs";

const ours = { simd: "lanewise-simd n20", relaxed: "lanewise-relaxed n24" };
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

function least(times, side) {
  const found = Object.entries(times)
    .filter(([key]) => key.startsWith(side))
    .sort(([, a], [, b]) => a.min - b.min)[0];
  return found && { min: found[1].min, key: found[0] };
}

/**
 * A row's figures: our times, the best of the web peers under any Node (the hardest reading), native onnxruntime's best
 * under any Node, and how many times faster we are. variant: simd under Node 20, relaxed under Node 24.
 */
export function figures({ layer, times }) {
  const web = [least(times, "ort-web"), least(times, "tfjs-wasm")].filter(Boolean).sort((a, b) => a.min - b.min)[0];
  const native = least(times, "ort-native");
  const of = (variant) => {
    const time = times[ours[variant]];
    return (
      time && {
        ...time,
        gflops: (2 * layer.macs) / time.min / 1e6,
        overWeb: web.min / time.min,
        overNative: native && native.min / time.min,
      }
    );
  };
  return { web, native, simd: of("simd"), relaxed: of("relaxed") };
}

function geometricMean(values) {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** { name, variant, mean, least, target, atLimit?, native? } of every group that has rows. */
export function groups(rows, limits) {
  return GROUPS.flatMap((group) => {
    const members = rows.filter(group.has).map((row) => ({ macs: row.layer.macs, ...figures(row) }));
    return ["simd", "relaxed"].flatMap((variant) => {
      const found = members.map((member) => member[variant]).filter(Boolean);
      if (found.length === 0) return [];
      const over = found.map(({ overWeb }) => overWeb);
      const native = found.map(({ overNative }) => overNative).filter(Boolean);
      const limit = limits.find(({ node }) => ours[variant].endsWith(`n${node}`))?.gflops;
      return [
        {
          name: group.name,
          variant,
          mean: geometricMean(over),
          least: Math.min(...over),
          target: group[variant],
          atLimit:
            group.isPlain &&
            limit &&
            geometricMean(members.map(({ macs, web }) => (web.min * limit * 1e6) / (2 * macs))),
          native: native.length > 0 ? geometricMean(native) : undefined,
        },
      ];
    });
  });
}

export const LAYER_HEAD = [
  "layer",
  "simd, ms",
  "GFLOP/s",
  "relaxed, ms",
  "GFLOP/s",
  "ort-web, ms",
  "tfjs-wasm, ms",
  "native, ms",
  "simd / web",
  "relaxed / web",
  "relaxed / native",
];

export function layerCells(row) {
  const { simd, relaxed, native } = figures(row);
  const times = (value) => value?.toFixed(2);
  const rate = (side) => (row.layer.operator === "conv" ? side?.gflops.toFixed(1) : "");
  return [
    row.layer.name,
    ms(simd?.min),
    rate(simd),
    ms(relaxed?.min),
    rate(relaxed),
    ms(least(row.times, "ort-web")?.min),
    ms(least(row.times, "tfjs-wasm")?.min),
    ms(native?.min),
    times(simd?.overWeb),
    times(relaxed?.overWeb),
    times(relaxed?.overNative),
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
];

export function groupCells({ name, variant, mean, least: worst, target, atLimit, native }) {
  return [name, variant, mean.toFixed(2), worst.toFixed(2), target, atLimit?.toFixed(2), native?.toFixed(2)];
}

export function peersTables({ rows, limits }) {
  const detail = rows.flatMap(({ layer, times }) =>
    Object.entries(times)
      .sort(([, a], [, b]) => a.min - b.min)
      .map(([side, time], i) => [i === 0 ? layer.name : "", side, ms(time.min), ms(time.median), time.note ?? ""]),
  );
  const bandwidth = rows
    .filter(({ layer }) => layer.operator === "linear")
    .flatMap(({ layer, times }) =>
      limits.flatMap(({ node, readGBs }) =>
        Object.entries(times)
          .filter(([side]) => side.startsWith("lanewise") && side.endsWith(`n${node}`))
          .map(([side, { min }]) => {
            const rate = (layer.C * layer.M * 4) / min / 1e6;
            return `${layer.name}: ${side} reads its weights at ${rate.toFixed(1)} GB/s, ${((100 * rate) / readGBs).toFixed(0)} % of ${readGBs.toFixed(1)} GB/s`;
          }),
      ),
    );
  return [
    table(["layer", "side", "ms min", "median", "algorithm"], detail),
    table(LAYER_HEAD, rows.map(layerCells)),
    "Times faster than the best of onnxruntime-web and tfjs-wasm under either Node (the hardest reading), and than native onnxruntime.",
    table(GROUP_HEAD, groups(rows, limits).map(groupCells)),
    ...bandwidth,
    `machine's limit: ${limits.map(({ node, gflops }) => `${gflops.toFixed(1)} GFLOP/s under Node ${node}`).join(", ")}`,
  ].join("\n\n");
}
