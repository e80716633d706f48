// How finely a step is split among threads: how many of its work items one thread takes at a time.
//
//   split(builder, call, threads)   call.items: the step stays whole, on the thread that leads
//                                   fewer: a unit of so many items, ceil(items / unit) units, 2,048 at most
//
// Called when a plan is made, before anything is in memory; the answer decides how much scratch is reserved (every thread has its own
// for a step that is split), and no bit of any result. What it goes by are estimates: cost, nanoseconds on one thread; grain, the
// items that a kernel computes together.
import { countOf } from "../base/shape.js";
import { bytesOf } from "../base/spec.js";
import type { KernelName } from "../kernels/table.js";
import type { Builder, Call } from "./builder.js";

/** A step under this is over before another thread has begun: publishing costs 0.3 µs, another's data a cache miss a line. */
const LEAST_STEP_NS = 8000;
/** A unit's own cost is an atomic addition and a call, and the ends of tiles and vectors. */
const LEAST_UNIT_NS = 2500;
/** More than one, so that a thread that comes late, or is slow, leaves something to others. */
const UNITS_A_THREAD = 4;

/** Multiply-accumulates of a nanosecond, by kernel; of others, bytes of a nanosecond decide. */
const MACS_PER_NS: { readonly [kernel in KernelName]?: number } = {
  gemm_f32: 20,
  conv2d_direct_f32: 15,
  conv2d_implicit_gemm_f32: 20,
  conv2d_winograd_f32: 45,
  conv2d_depthwise_f32: 10,
  separable_conv2d_f32: 18,
  conv2d_fft_f32: 60,
  linear_f32: 4,
  linear_panels_f32: 6,
  recurrent_f32: 6,
};
const BYTES_PER_NS = 8;

/** Rows of a tile, or tiles of a block: a unit that cuts them computes as long as a whole one. */
const GRAIN: { readonly [kernel in KernelName]?: number } = {
  gemm_f32: 6,
  conv2d_implicit_gemm_f32: 6,
  conv2d_winograd_f32: 12,
};

/** Nanoseconds on one thread. */
function costOf({ macs, inputs, outputs, packs }: Builder, { kernel, pack }: Omit<Call, "unit">): number {
  const rate = MACS_PER_NS[kernel as KernelName];
  if (rate !== undefined && macs > 0) return macs / rate;
  if (pack >= 0) return (packs[pack]?.bytes ?? 0) / BYTES_PER_NS;
  const specs = [...inputs, ...outputs].map(({ spec }) => spec);
  const most = specs.reduce((sum, spec) => Math.max(sum, countOf(spec.shape)), 0);
  return specs.length === 0 ? 0 : (most * bytesOf(specs[0] as never)) / countOf(specs[0]?.shape ?? [1]) / BYTES_PER_NS;
}

/** Work items of a unit. */
export function split(builder: Builder, call: Omit<Call, "unit">, threads: number): number {
  const { items, kernel } = call;
  if (typeof kernel !== "string" || threads < 2) return items;
  const cost = costOf(builder, call);
  const units = Math.min(items, UNITS_A_THREAD * threads, Math.floor(cost / LEAST_UNIT_NS));
  if (cost < LEAST_STEP_NS || units < 2) return items;
  const unit = Math.ceil(items / units);
  const grain = GRAIN[kernel] ?? 1;
  // No coarser than what gives every thread its share.
  return Math.min(Math.ceil(unit / grain) * grain, Math.ceil(items / Math.min(items, threads)));
}
