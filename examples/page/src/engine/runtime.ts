// The page's one runtime: made at the first call, and anew where other options are asked for.
import { createRuntime, type Runtime, type RuntimeReport } from "lanewise";

/** Of the address: `?variant=simd`, `?maxBytes=…`. */
export interface EngineOptions {
  readonly variant?: "auto" | "simd" | "relaxed";
  readonly maxBytes?: number;
}

let wanted: EngineOptions = {};
let runtime: Promise<Runtime> | undefined;

export function runtimeOf(): Promise<Runtime> {
  runtime ??= createRuntime(wanted);
  return runtime;
}

/** What further runtimes are made with. */
export function options(given: EngineOptions): void {
  wanted = given;
}

/** Who keeps plans or tensors of a runtime drops them when it goes. */
const keepers: (() => void)[] = [];
export function whenRestarted(forget: () => void): void {
  keepers.push(forget);
}

/** Another runtime in the place of this one. */
export async function restart(given: EngineOptions): Promise<RuntimeReport> {
  const before = runtime;
  wanted = given;
  runtime = undefined;
  for (const forget of keepers) forget();
  await before?.then(
    (rt) => rt.dispose(),
    () => {},
  );
  return report();
}

export async function report(): Promise<RuntimeReport> {
  return (await runtimeOf()).report();
}

/** Bytes that this worker has fetched, as they were sent; its own script is among the page's. */
export function fetched(): number {
  const entries = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
  return entries.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
}

/** Milliseconds for a second runtime, self-test included, with its binary at hand. */
export async function selfTest(): Promise<{ ms: number; passed: boolean; sentence: string }> {
  const start = performance.now();
  try {
    const rt = await createRuntime(wanted);
    const ms = performance.now() - start;
    rt.dispose();
    return { ms, passed: true, sentence: "" };
  } catch (error) {
    return { ms: performance.now() - start, passed: false, sentence: (error as Error).message };
  }
}
