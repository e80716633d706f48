// Imported by tests that lead on their own thread: one that hangs there lets none of the thread's timers come, vitest's among them.
// Another thread ends the process then, and says why.
import { Worker } from "node:worker_threads";

/** Of a thread that lets no timer come; the longest test takes some ten, where nobody else is at work. */
const MOST_SECONDS = 600;

const beats = new Int32Array(new SharedArrayBuffer(4));
setInterval(() => Atomics.add(beats, 0, 1), 500).unref();

function watch(): void {
  const { workerData } = process.getBuiltinModule("node:worker_threads");
  const [beats, most] = workerData as [Int32Array, number];
  let [before, quiet] = [-1, 0];
  // A second of its own each: where the whole process was stopped, none has gone.
  setInterval(() => {
    const now = Atomics.load(beats, 0);
    quiet = now === before ? quiet + 1 : 0;
    before = now;
    if (quiet < most) return;
    process.getBuiltinModule("node:fs").writeSync(2, `a test of threads hangs: nothing for ${most} s\n`);
    process.kill(process.pid, "SIGKILL");
  }, 1000);
}

new Worker(`(${watch})()`, { eval: true, workerData: [beats, MOST_SECONDS] }).unref();
