// The first script: starts the worker while the page's own code is still on its way, some 100 ms earlier.

/** undefined where a page may have none. */
function start(): Worker | undefined {
  try {
    return new Worker(new URL("engine.js", import.meta.url), { type: "module", name: "lanewise" });
  } catch {
    return undefined; // forbidden by a policy, or there are none
  }
}

export const worker = start();
/** Whether it could not be loaded, before anyone listened. */
export const early = { hasFailed: false };
if (worker)
  worker.onerror = (event) => {
    event.preventDefault();
    early.hasFailed = true;
  };
