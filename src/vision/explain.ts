// What is done to a photo, a step after another, in words: to be held beside somebody's Python.
import type { Geometry, Source } from "./geometry.js";
import type { Target } from "./target.js";

/** 255 for 1 / 255. */
const short = (x: number): string => String(Number(x.toPrecision(6)));

const WORDS = { rgb: "RGB", bgr: "BGR", gray: "grey", rgba: "RGBA" } as const;

function valueIn({ checked: { scale, mean, std } }: Target): string {
  const one = (list: readonly number[]) => (new Set(list).size === 1 ? short(list[0] as number) : undefined);
  const byte = scale === 1 ? "x" : Math.abs(scale) < 1 ? `x/${short(1 / scale)}` : `x*${short(scale)}`;
  const m = one(mean) ?? `[${mean.map(short)}]`;
  const s = one(std) ?? `[${std.map(short)}]`;
  const centred = m === "0" ? byte : `${byte} - ${m}`;
  if (s === "1") return centred;
  return `${m === "0" ? byte : `(${centred})`}/${s}`;
}

/** One line. */
export function explained(target: Target, source: Source, { upright, resized, offset }: Geometry): string {
  const { checked, spec, width, height } = target;
  const { region, orientation } = source;
  const sides = (list: readonly number[]) => list.map(short).join("x");
  const steps = [sides([source.width, source.height])];
  if (region) {
    const turned = region.angle === 0 ? "" : `, turned by ${short(region.angle)}`;
    steps.push(`region ${sides([region.width, region.height])} at (${short(region.x)}, ${short(region.y)})${turned}`);
  }
  if (orientation !== 1) steps.push(`orientation ${orientation}, ${sides(upright)}`);
  if (checked.background) steps.push(`transparent pixels on [${checked.background}]`);
  const isWide = checked.antialias && checked.filter !== "nearest" && checked.filter !== "area";
  const by = region && region.angle !== 0 ? "bilinear" : `${checked.filter}${isWide ? " antialiased" : ""}`;
  steps.push(`${sides(resized)} ${by}`);
  if (checked.fit === "crop")
    steps.push(`crop ${width}x${height} at (${offset.map((x) => (x === 0 ? 0 : -x)).join(", ")})`);
  if (checked.fit === "letterbox")
    steps.push(`letterbox ${width}x${height} at (${offset.join(", ")}), ${checked.fill} around`);
  steps.push(WORDS[checked.channels], valueIn(target));
  const format = spec.memoryFormat === "channelsLast" ? " channels-last" : "";
  steps.push(`[${spec.shape.join(",")}]${format}${spec.dtype === "float32" ? "" : ` ${spec.dtype}`}`);
  return steps.join(" -> ");
}
