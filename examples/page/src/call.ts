// The page's side of the worker. Where a page may have no worker, the same operations run in the page.
import { signal } from "@preact/signals";
import { early, worker } from "./boot.js";
import type { Answer, Args, Failure, Op } from "./engine/ops.js";

interface Waiting {
  readonly op: Op;
  readonly args: unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A refusal of the library's, or of the engine: its class by name. */
export class EngineError extends Error {
  constructor({ name, message }: Failure) {
    super(message);
    this.name = name;
  }
}

/** Where the kernels run. */
export const where = signal<"worker" | "page">("worker");

const waiting = new Map<number, Waiting>();
let next = 0;
let isInPage = false;

function settle(id: number, found: { value: unknown } | { failure: Failure }) {
  const call = waiting.get(id);
  waiting.delete(id);
  if ("failure" in found) call?.reject(new EngineError(found.failure));
  else call?.resolve(found.value);
}

async function runHere(id: number) {
  const call = waiting.get(id);
  if (call === undefined) return;
  const { answer } = await import("./engine/ops.js");
  settle(id, await answer(call.op, call.args));
}

/** No worker: what waits, and all that comes, runs here. */
function stayInPage() {
  if (isInPage) return;
  isInPage = true;
  worker?.terminate();
  where.value = "page";
  for (const id of waiting.keys()) void runHere(id);
}

function listen() {
  if (worker === undefined || early.hasFailed) return stayInPage();
  worker.onmessage = ({ data }) => settle(data.id, data);
  worker.onerror = (event) => {
    event.preventDefault();
    stayInPage();
  };
}
listen();

/** What is moved to the worker, not copied: files, pictures, frames; arrays of numbers are small and still needed here. */
function movedOf(args: unknown): Transferable[] {
  if (args === null || typeof args !== "object") return [];
  const kinds = [globalThis.ArrayBuffer, globalThis.ImageBitmap, globalThis.VideoFrame].filter(Boolean);
  return Object.values(args).filter((value) => kinds.some((kind) => value instanceof kind)) as Transferable[];
}

/** Asks for an operation. */
export function call<K extends Op>(op: K, args: Args<K>): Promise<Answer<K>> {
  const id = ++next;
  return new Promise<unknown>((resolve, reject) => {
    waiting.set(id, { op, args, resolve, reject });
    if (isInPage) void runHere(id);
    else worker?.postMessage({ id, op, args }, movedOf(args));
  }) as Promise<Answer<K>>;
}
