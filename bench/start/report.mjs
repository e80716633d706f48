// Phases of a cold start, in milliseconds from the first line of the script.

export function report() {
  const phases = {};
  const start = performance.now();
  let last = start;
  return {
    mark(name) {
      const now = performance.now();
      phases[name] = now - last;
      last = now;
    },
    finish(answer) {
      this.mark("answer");
      console.log(JSON.stringify({ total: last - start, phases, answer: Array.from(answer) }));
    },
  };
}
