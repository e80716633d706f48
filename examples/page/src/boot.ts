// The first script, and no module: it runs while the page is still read, before anything is laid out, so that the worker starts some
// 100 ms earlier than the page's own code. What it exports is the global `boot`.

/** What the address asks for: ?variant=simd&maxBytes=67108864. */
export function limits(): { maxBytes?: number; variant?: "simd" | "relaxed" } {
  const query = new URLSearchParams(location.search);
  const maxBytes = Number(query.get("maxBytes"));
  const variant = query.get("variant");
  return {
    ...(Number.isInteger(maxBytes) && maxBytes > 0 && { maxBytes }),
    ...((variant === "simd" || variant === "relaxed") && { variant }),
  };
}

/** undefined where a page may have none. */
function start(): Worker | undefined {
  try {
    return new Worker(new URL(ENGINE, document.baseURI), { type: "module", name: "lanewise" });
  } catch {
    return undefined; // forbidden by a policy, or there are none
  }
}

export const worker = start();
/** Whether it could not be loaded, before anyone listened. */
export const early = { hasFailed: false };
if (worker) {
  worker.onerror = (event) => {
    event.preventDefault();
    early.hasFailed = true;
  };
  worker.postMessage({ id: 0, op: "start", args: limits() });
}

/** MNIST's examples: the first of them is the first question. */
export const digits = fetch(new URL(DIGITS, document.baseURI)).then((response) =>
  response.ok ? response.arrayBuffer() : undefined,
);
digits.catch(() => {}); // offline, say: who waits for them hears of it
