// A classifier in a module worker, as long as the component is there. StrictMode mounts twice: the first worker ends at once, and nobody
// hears of it any more.
import { useCallback, useEffect, useRef, useState } from "react";

/** { status: "loading" | "ready" | "failed", error, classify(file): a promise of classes }. */
export function useClassifier() {
  const [state, setState] = useState({ status: "loading" });
  const current = useRef(undefined);

  useEffect(() => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    const waiting = new Map();
    let count = 0;
    worker.onmessage = ({ data: { id, classes, error, ready, failed } }) => {
      if (ready) return setState({ status: "ready" });
      if (failed) return setState({ status: "failed", error: failed });
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      if (error) reject(new Error(error));
      else resolve(classes);
    };
    worker.onerror = ({ message }) =>
      setState({ status: "failed", error: message || "the worker could not be loaded" });
    worker.postMessage({ base: new URL(import.meta.env.BASE_URL, document.baseURI).href });
    current.current = (file) =>
      new Promise((resolve, reject) => {
        waiting.set(++count, { resolve, reject });
        worker.postMessage({ id: count, file });
      });
    return () => {
      worker.terminate(); // its memory goes with it
      current.current = undefined;
      for (const { reject } of waiting.values()) reject(new DOMException("the component is gone", "AbortError"));
      setState({ status: "loading" });
    };
  }, []);

  const classify = useCallback(
    (file) => current.current?.(file) ?? Promise.reject(new DOMException("the component is gone", "AbortError")),
    [],
  );
  return { ...state, classify };
}
