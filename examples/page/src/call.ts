// The page's side of the worker. Where a page may have no worker, the same operations run in the page.
import { signal } from "@preact/signals";
import type { Answer, Args, Failure, Op } from "./engine/ops.js";

interface Waiting {
  readonly op: Op;
  readonly args: unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** What browsers say of a script that is not there; the library's own sentences have it at their end. */
const NO_SCRIPT = /dynamically imported module|importing a module script failed/i;

/** A part that is loaded late and gone by then: its name has its bytes in it, so that no other build's can take its place. */
function sentenceOf(message: string): string {
  if (!NO_SCRIPT.test(message)) return message;
  const file = /[\w-]+\.js\b/.exec(message)?.[0] ?? "script";
  return `"${file}" expected a file beside this page, got none: the site has been renewed since, or there is no network; reload the page`;
}

/** A refusal of the library's, or of the engine: its class by name. */
export class EngineError extends Error {
  constructor({ name, message }: Failure) {
    super(sentenceOf(message));
    this.name = name;
  }
}

/** Where the kernels run. */
export const where = signal<"worker" | "page">("worker");

const ignored = () => {};
/** By number; 0 was asked for by boot.ts. */
const waiting = new Map<number, Waiting>([
  [0, { op: "start", args: boot.limits(), resolve: ignored, reject: ignored }],
]);
let next = 0;
let isInPage = false;
const { worker } = boot;

function settle(id: number, found: { value: unknown } | { failure: Failure }) {
  const call = waiting.get(id);
  waiting.delete(id);
  if ("failure" in found) call?.reject(new EngineError(found.failure));
  else call?.resolve(found.value);
}

async function runHere(id: number) {
  const call = waiting.get(id);
  if (call === undefined) return;
  try {
    const { answer }: typeof import("./engine/worker.js") = await import(new URL(ENGINE, document.baseURI).href);
    settle(id, await answer(call.op, call.args));
  } catch (error) {
    const { name, message } = error as Error;
    settle(id, { failure: { name, message } });
  }
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
  if (worker === undefined || boot.early.hasFailed) return stayInPage();
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
