// Choice by measurement: the candidate algorithms of a convolution, timed on the machine at hand with its own shapes, in a
// memory of their own that is dropped afterwards, so that the runtime's neither grows nor breaks into pieces.
import { now as clock } from "../base/clock.js";
import { OutOfMemoryError } from "../base/errors.js";
import { bytesOf, type TensorSpec } from "../base/spec.js";
import { PAGE_BYTES } from "../engine/allocator.js";
import { Engine } from "../engine/engine.js";
import type { Timings } from "../kernels/select.js";
import type { ConvAlgorithm } from "../kernels/table.js";
import { lowerBy } from "../ops/conv/algorithms.js";
import { epilogue } from "../ops/parts/epilogue.js";
import { Builder, type ConvProblem, type TimingRequest } from "../plan/builder.js";
import type { Operand } from "../plan/operand.js";
import { Program } from "../plan/program.js";

/** A turn is runs of one candidate for at least so long, or for 10 ticks of the clock. */
const TURN_MS = 1;
const TICKS = 10;
/** Turns each, in turns, so that a slow phase of the machine meets all alike; in the first one the engine warms up. */
const TURNS = 8;
const LEAST_TURNS = 3;
/** No further turns when a convolution has taken so long. */
const BUDGET_MS = 100;
/** A clock that ticks more slowly, or not within so many readings (10 ms), measures nothing. Cloudflare's stands still. */
const MOST_TICK_MS = 2;
const READINGS = 100_000;

type Clock = () => number;
type Programs = ReadonlyMap<ConvAlgorithm, Program>;
/** Answers the least milliseconds of a run of each. */
export type Stopwatch = (programs: Programs, now: Clock, tick: number) => ReadonlyMap<ConvAlgorithm, number>;

/** Milliseconds from one reading to the next that differs, the least of three, since one may be a pause; Infinity: none does. */
function tickOf(now: Clock): number {
  let tick = Infinity;
  let last = now();
  for (let i = 0, changes = 0; i < READINGS && changes < 3; i++) {
    const time = now();
    if (time === last) continue;
    tick = Math.min(tick, time - last);
    last = time;
    changes++;
  }
  return tick;
}

const timeInTurns: Stopwatch = (programs, now, tick) => {
  const turnMs = Math.max(TURN_MS, TICKS * tick);
  const least = new Map<ConvAlgorithm, number>();
  const start = now();
  for (let turn = 0; turn < TURNS; turn++) {
    if (turn >= LEAST_TURNS && now() - start > BUDGET_MS) break;
    for (const [algorithm, program] of programs) {
      const from = now();
      let runs = 0;
      let ms = 0;
      while (ms < turnMs) {
        program.run();
        runs++;
        ms = now() - from;
      }
      least.set(algorithm, Math.min(least.get(algorithm) ?? Infinity, ms / runs));
    }
  }
  return least;
};

/** Times convolutions and answers their times. */
export type Tuner = (requests: readonly TimingRequest[]) => (problem: ConvProblem) => Timings;

/**
 * Measures for one runtime, which remembers what was measured. One call is one plan or model, whose convolutions share a memory
 * no larger than what the runtime has left.
 */
export function tuner(
  { heap, module }: Engine,
  maxBytes: number,
  now: Clock = clock,
  stopwatch: Stopwatch = timeInTurns,
): Tuner {
  const known = new Map<string, Map<ConvAlgorithm, number>>();
  const keyOf = ({ shape, input, output }: ConvProblem) =>
    JSON.stringify([shape, input.memoryFormat, output.memoryFormat]);
  let tick: number | undefined;
  return (requests) => {
    tick ??= tickOf(now);
    if (tick > MOST_TICK_MS) return () => "the clock is too coarse to measure by";
    const take = (programs: Programs) => stopwatch(programs, now, tick as number);
    let spare: Engine | undefined;
    for (const { problem, candidates } of requests) {
      const key = keyOf(problem);
      const times = known.get(key) ?? new Map<ConvAlgorithm, number>();
      known.set(key, times);
      const missing = candidates.filter((algorithm) => !times.has(algorithm));
      if (missing.length === 0) continue;
      spare ??= fits(
        () => new Engine(module, Math.max(PAGE_BYTES, maxBytes - heap.allocator.bytesInUse), heap.sharedBytes),
      );
      if (spare === undefined) continue;
      for (const [algorithm, ms] of timeIn(spare, problem, missing, take)) times.set(algorithm, ms);
    }
    return (problem) => known.get(keyOf(problem)) ?? new Map();
  };
}

/** Times those algorithms that fit in the engine's memory together; it is empty afterwards. */
function timeIn(
  engine: Engine,
  { shape, input, weight, output }: ConvProblem,
  algorithms: readonly ConvAlgorithm[],
  take: (programs: Programs) => ReadonlyMap<ConvAlgorithm, number>,
): ReadonlyMap<ConvAlgorithm, number> {
  const { heap, target } = engine;
  const taken: number[] = [];
  const programs = new Map<ConvAlgorithm, Program>();
  /** Filled with ones: no kernel's time depends on values, but for denormal ones. */
  const place = (spec: TensorSpec): number => {
    const bytes = bytesOf(spec);
    const ptr = heap.allocator.allocate(bytes);
    taken.push(ptr);
    heap.f32.fill(1, ptr >>> 2, (ptr + bytes) >>> 2);
    return ptr;
  };
  try {
    const operands = fits(() => [input, output, weight].map(place));
    if (operands === undefined) return new Map();
    const [x, y, w] = operands as [number, number, number];
    for (const algorithm of algorithms) {
      const b = new Builder("conv2d", [input], [weight], [output], target);
      lowerBy(algorithm, b, {
        shape,
        input: b.inputs[0] as Operand,
        weight: b.params[0] as Operand,
        bias: undefined,
        residual: undefined,
        output: b.output,
        epilogue: epilogue(undefined),
      });
      const program = fits(() => new Program(engine, b, [w]));
      program?.bind([x, y], 1);
      if (program !== undefined) programs.set(algorithm, program);
    }
    return take(programs);
  } finally {
    for (const program of programs.values()) program.dispose();
    for (const ptr of taken) heap.allocator.free(ptr);
  }
}

/** What needs memory, or undefined where there is too little. */
function fits<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof OutOfMemoryError) return undefined;
    throw error;
  }
}
