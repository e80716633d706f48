// Where a worker comes from: the user's own, worker_threads of Node, Deno and Bun, a blob, a file. Those that cannot be are found out
// by an exception, or, under a content security policy, by an event; then the next way is tried.
import { show, UnsupportedError } from "../base/errors.js";
import { type Answer, type Orders, work } from "./worker.js";

/** A worker, whoever made it. */
export interface Worker {
  post(orders: Orders): void;
  end(): void;
}

/** What a pool wants to know of a worker. */
export interface Listener {
  /** Orders for one that has just been made. */
  orders(): Orders;
  /** One was made, in the place of the last one. */
  made(worker: Worker): void;
  /** One that was ready is no more. */
  lost(why: string): void;
}

/** What both kinds of workers have. */
interface AnyWorker {
  postMessage(message: unknown): void;
  terminate(): unknown;
  unref?(): void;
  on?(event: string, listener: (value: unknown) => void): void;
  addEventListener?(event: string, listener: (event: { data?: unknown; message?: string }) => void): void;
}

type Way = () => AnyWorker;

/** After so long without a word the next way is tried; a worker takes 10 to 40 ms, on a machine with other things to do a second. */
const MOST_MS = 10_000;

/** Of pages and workers there, by the name that bundlers know. */
declare const Worker: new (url: string | URL, options?: object) => AnyWorker;

const text = (): string => `(${work})()`;

interface WorkerThreads {
  Worker: new (source: string, options: object) => AnyWorker;
}

function waysOf(own: (() => object) | undefined): Way[] {
  if (own !== undefined) {
    const made = (): AnyWorker => {
      const worker = own() as AnyWorker;
      if (typeof worker?.postMessage === "function" && typeof worker.terminate === "function") return worker;
      throw new TypeError(`"worker" expected a function that answers a worker, got ${show(worker)}`);
    };
    return [made];
  }
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const threads = process?.getBuiltinModule?.("node:worker_threads") as WorkerThreads | undefined;
  // Without the flags and variables of this process, that may have it load whatever.
  const node = threads?.Worker && (() => new threads.Worker(text(), { eval: true, env: {}, execArgv: [] }));
  if (typeof Worker === "undefined") return node ? [node] : [];
  const blob = (): AnyWorker => {
    const url = URL.createObjectURL(new Blob([text()], { type: "text/javascript" }));
    const worker = new Worker(url);
    setTimeout(() => URL.revokeObjectURL(url), MOST_MS);
    return worker;
  };
  return [...(node ? [node] : []), blob, () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" })];
}

/** Resolves when it is ready. Throws UnsupportedError where no way leads to one. */
export async function startWorker(
  own: (() => object) | undefined,
  listener: Listener,
  isEnded: () => boolean,
): Promise<void> {
  const ways = waysOf(own);
  let why = "workers are unknown here";
  for (const [i, way] of ways.entries()) {
    try {
      await started(way, listener, i + 1 < ways.length);
      return;
    } catch (error) {
      why = (error as Error).message;
      if (isEnded()) break;
    }
  }
  throw new UnsupportedError(`no worker could be started: ${why}`);
}

function started(way: Way, listener: Listener, isOthers: boolean): Promise<void> {
  return new Promise((ready, failed) => {
    const worker = way();
    let isReady = false;
    let isOver = false;
    const handle: Worker = {
      post: (orders) => worker.postMessage(orders),
      end: () => {
        isOver = true;
        void worker.terminate();
      },
    };
    const fail = (why: string): void => {
      if (isOver) return;
      handle.end();
      if (isReady) listener.lost(why);
      else failed(new Error(why));
    };
    const take = (answer: Answer): void => {
      if (isOver) return;
      if (answer === "ready") {
        isReady = true;
        worker.unref?.(); // only now: a process whose workers may all be forgotten ends while it waits for them
        ready();
      } else if (answer?.error !== undefined) fail(answer.error);
    };
    if (worker.on) {
      worker.on("message", (answer) => take(answer as Answer));
      worker.on("error", (error) => fail(String(error)));
      worker.on("exit", () => fail("it ended"));
    } else {
      worker.addEventListener?.("message", ({ data }) => take(data as Answer));
      worker.addEventListener?.("error", ({ message }) => fail(message || "it could not be loaded"));
      worker.addEventListener?.("messageerror", () => fail("it could not be given shared memory"));
    }
    listener.made(handle);
    try {
      handle.post(listener.orders());
    } catch (error) {
      fail((error as Error).message);
    }
    if (!isOthers || worker.on) return; // late is better than never, and worker_threads say what is wrong
    const timer = setTimeout(() => {
      if (!isReady) fail(`it said nothing for ${MOST_MS} ms`);
    }, MOST_MS) as unknown as { unref?: () => void };
    timer.unref?.();
  });
}
