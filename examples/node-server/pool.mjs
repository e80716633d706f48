// Worker threads, each with one job at a time, and a queue of so many jobs: one more is refused at once, since it would wait for longer
// than anybody does.

/** More jobs than may wait. */
export class Busy extends Error {}

export class Pool {
  #make;
  #workers = new Map(); // worker -> its job, or undefined while it has none
  #queue = [];
  #most;
  #drained; // called when nothing is left to do
  #closing = false;

  /** make() answers a worker that says "ready", then answers every message with one. */
  constructor(make, { size, waiting }) {
    this.#make = make;
    this.#most = waiting;
    this.ready = Promise.all(Array.from({ length: size }, () => this.#hire()));
    this.ready.catch(() => {});
  }

  get waiting() {
    return this.#queue.length;
  }

  /** What a worker answers to a message. Throws Busy. */
  run(message, transfer = []) {
    if (this.#closing) return Promise.reject(new Busy("closing"));
    return new Promise((resolve, reject) => {
      const job = { message, transfer, resolve, reject };
      const idle = [...this.#workers].find(([, current]) => current === undefined)?.[0];
      if (idle) this.#give(idle, job);
      else if (this.#queue.length < this.#most) this.#queue.push(job);
      else reject(new Busy(`${this.#most} jobs wait`));
    });
  }

  /** Ends when all jobs that were taken are done. */
  async close() {
    this.#closing = true;
    if (this.#isBusy())
      await new Promise((done) => {
        this.#drained = done;
      });
    await Promise.all([...this.#workers.keys()].map((worker) => worker.terminate()));
  }

  #isBusy() {
    return this.#queue.length > 0 || [...this.#workers.values()].some((job) => job && job !== STARTING);
  }

  #give(worker, job) {
    this.#workers.set(worker, job);
    worker.postMessage(job.message, job.transfer);
  }

  /** Has nothing to do now: takes the first of the queue. */
  #next(worker) {
    this.#workers.set(worker, undefined);
    const job = this.#queue.shift();
    if (job) this.#give(worker, job);
    else if (!this.#isBusy()) this.#drained?.();
  }

  /** A worker that ends fails its job, and another one takes its place; one that could not start is not tried again. */
  #hire() {
    const worker = this.#make();
    let failure = new Error("a worker ended");
    this.#workers.set(worker, STARTING);
    return new Promise((resolve, reject) => {
      worker.on("message", (answer) => {
        const job = this.#workers.get(worker);
        if (job === STARTING) resolve();
        else job.resolve(answer);
        this.#next(worker);
      });
      worker.on("error", (error) => {
        failure = error;
      });
      worker.on("exit", () => {
        const job = this.#workers.get(worker);
        this.#workers.delete(worker);
        if (job === STARTING) return reject(failure);
        job?.reject(failure);
        if (!this.#closing || this.#queue.length > 0) this.#hire().catch(() => this.#giveUp());
        else if (!this.#isBusy()) this.#drained?.();
      });
    });
  }

  /** No worker is left, and none can be had: nobody waits for one. */
  #giveUp() {
    if (this.#workers.size > 0) return;
    for (const job of this.#queue.splice(0)) job.reject(new Error("no worker could be started"));
    this.#drained?.();
  }
}

/** Of a worker that has not said "ready" yet. */
const STARTING = {};
