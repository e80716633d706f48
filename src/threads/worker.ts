// What a worker does: instantiates the packs that it is given over the shared memory, then helps until there are other orders.

/** What a worker is told. The first time, with what it is. */
export interface Orders {
  readonly crew?: WebAssembly.Module;
  readonly memory?: WebAssembly.Memory;
  readonly thread?: number;
  /** The word of memory that says that a thread has failed. */
  readonly failed?: number;
  /** Packs that it lacks: their kernels, by places in the table. */
  readonly packs: readonly { readonly module: WebAssembly.Module; readonly kernels: readonly [number, string][] }[];
  /** Number of these orders. */
  readonly orders: number;
}

/** What a worker says: that it is ready, or what is wrong. */
export type Answer = "ready" | { readonly error: string };

/** Travels as text, too: it knows nothing from outside, and is written so that no tool puts helpers into it. */
export function work(): void {
  // biome-ignore lint/suspicious/noExplicitAny: Node, Deno, Bun and browsers
  const scope = globalThis as any;
  const threads = scope.process?.getBuiltinModule?.("node:worker_threads");
  const port = threads?.parentPort || scope;
  // biome-ignore lint/suspicious/noExplicitAny: exports of the crew
  let crew: any;
  let first: Orders;
  let table: WebAssembly.Table;
  const take = (orders: Orders): void => {
    try {
      if (orders.crew) {
        first = orders;
        table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
        crew = new WebAssembly.Instance(orders.crew, { env: { memory: orders.memory as WebAssembly.Memory, table } })
          .exports;
      }
      for (const pack of orders.packs) {
        const instance = new WebAssembly.Instance(pack.module, { env: { memory: first.memory as WebAssembly.Memory } });
        for (const kernel of pack.kernels) {
          if (kernel[0] >= table.length) table.grow(kernel[0] + 1 - table.length);
          table.set(kernel[0], instance.exports[kernel[1]]);
        }
      }
      if (orders.crew) port.postMessage("ready");
    } catch (error) {
      port.postMessage({ error: String(error) });
      return;
    }
    try {
      crew.serve(first.thread, orders.orders);
    } catch (error) {
      // with a unit in its hands
      const words = new Int32Array((first.memory as WebAssembly.Memory).buffer);
      Atomics.store(words, first.failed as number, 1);
      Atomics.notify(words, first.failed as number);
      port.postMessage({ error: String(error) });
    }
  };
  if (threads?.parentPort) port.on("message", take);
  else
    port.onmessage = (event: MessageEvent): void => {
      take(event.data);
    };
}
