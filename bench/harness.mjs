// Timing over tinybench: candidates take turns (A, B, C, A, B, C, ...), so that a slow phase of the machine meets all alike.
import { Bench } from "tinybench";

/**
 * Times candidates { name, run, isAsync?, warmupMs?, afterEach? }; afterEach is not timed. Answers name -> { min, median, runs } in
 * milliseconds. Each is warmed up, then gets up to `rounds` turns of about `turnMs`, fewer (at least 3) where that would
 * take over `budgetMs`. Where the clock is coarse, a sample is as many calls as take `sampleMs`. restMs: between two turns, where
 * threads of the one before go on spinning.
 */
export async function timeInTurns(
  candidates,
  { rounds = 20, turnMs = 3, budgetMs = 800, warmupMs = 40, sampleMs = 0, restMs = 0 } = {},
) {
  const entries = [];
  for (const { name, run, isAsync = false, warmupMs: ownWarmupMs = warmupMs, afterEach } of candidates) {
    const start = performance.now();
    let once = Infinity;
    for (let i = 0; i < 2 || performance.now() - start < ownWarmupMs; i++) {
      const from = performance.now();
      if (isAsync) await run();
      else run();
      once = Math.min(once, performance.now() - from);
      await afterEach?.();
    }
    once = Math.max(once, sampleMs / 1000); // a coarse clock says 0
    const calls = Math.max(1, Math.ceil(sampleMs / once));
    const perTurn = Math.max(1, Math.round(turnMs / (once * calls)));
    const turns = Math.max(3, Math.min(rounds, Math.floor(budgetMs / (once * calls * perTurn))));
    const bench = new Bench({ iterations: perTurn, time: 0, warmup: false, retainSamples: true, throws: true });
    bench.add(name, repeated(run, calls, isAsync), { async: isAsync, afterEach });
    entries.push({ name, bench, calls, turns, samples: [], isAsync });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { bench, calls, turns, samples, isAsync } of entries) {
      if (round >= turns) continue;
      if (restMs > 0) await new Promise((done) => setTimeout(done, restMs));
      bench.reset(); // else a bench that has run answers its old samples
      const [task] = isAsync ? await bench.run() : bench.runSync();
      samples.push(...task.result.latency.samples.map((sample) => sample / calls));
    }
  }
  return new Map(entries.map(({ name, samples }) => [name, summary(samples)]));
}

function repeated(run, calls, isAsync) {
  if (calls === 1) return run;
  if (isAsync) {
    return async () => {
      for (let i = 0; i < calls; i++) await run();
    };
  }
  return () => {
    for (let i = 0; i < calls; i++) run();
  };
}

function summary(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  return { min: sorted[0], median: sorted[sorted.length >> 1], runs: sorted.length };
}

/** Why the numbers of a run are doubtful, or undefined. limits: GFLOP/s measured along it; times: { min, median }. */
export function noise(limits, times) {
  const [least, most] = [Math.min(...limits), Math.max(...limits)];
  const ratios = times.map(({ min, median }) => median / min).sort((a, b) => a - b);
  const spread = ratios[ratios.length >> 1] ?? 1;
  const why = [];
  if (most > 1.1 * least)
    why.push(`the machine's limit moved between ${least.toFixed(1)} and ${most.toFixed(1)} GFLOP/s`);
  if (spread > 1.1) why.push(`medians are ${Math.round(100 * (spread - 1))} % over minima`);
  return why.length > 0 ? why.join("; ") : undefined;
}
