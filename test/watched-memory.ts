// A kernel binary that tells every byte it loads and stores: calls written into its text form by binaryen. Its own pass
// instrument-memory overlooks loads that splat, loads and stores of lanes, memory.copy and memory.fill.
import binaryen from "binaryen";

/** Told of `bytes` bytes from address `at` on, before they are read or written. */
export interface Watcher {
  load(at: number, bytes: number): void;
  store(at: number, bytes: number): void;
}

/** Name, immediates, and then the address in parentheses. */
const ACCESS = /\((i32|i64|f32|f64|v128)\.(load|store)(\d+)?(x\d+)?\w*((?: +(?:offset=|align=)?\d+)*)\s*(?=\()/g;
const WIDTHS: Readonly<Record<string, number>> = { i32: 4, f32: 4, i64: 8, f64: 8, v128: 16 };

/** Where the expression that begins at `at` ends. */
function endOf(text: string, at: number): number {
  let depth = 0;
  for (let i = at; ; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")" && --depth === 0) return i + 1;
  }
}

function watched(text: string): string {
  const inserts: [at: number, what: string][] = [];
  for (const match of text.matchAll(ACCESS)) {
    const [all, type, kind, bits, lanes, immediates] = match;
    const width = lanes ? 8 : bits ? Number(bits) / 8 : (WIDTHS[type as string] as number);
    const offset = /offset=(\d+)/.exec(immediates as string)?.[1] ?? 0;
    const at = match.index + all.length;
    inserts.push([at, `(call $watch_${kind} (i32.const ${width}) (i32.const ${offset}) `], [endOf(text, at), ")"]);
  }
  inserts.sort(([a], [b]) => a - b);
  let out = "";
  let from = 0;
  for (const [at, what] of inserts) {
    out += text.slice(from, at) + what;
    from = at;
  }
  const imports = ["load", "store"].map(
    (kind) => `(import "env" "watch_${kind}" (func $watch_${kind} (param i32 i32 i32) (result i32)))`,
  );
  const bulk = ["copy", "fill"].map((name) => `(import "env" "${name}" (func $watch_${name} (param i32 i32 i32)))`);
  return (out + text.slice(from))
    .replaceAll("(memory.copy", "(call $watch_copy")
    .replaceAll("(memory.fill", "(call $watch_fill")
    .replace("(module", `(module ${[...imports, ...bulk].join(" ")}`);
}

/** The exports of the binary over this memory; every access is told to the watcher. */
export function instantiateWatched(
  binary: Uint8Array,
  memory: WebAssembly.Memory,
  watcher: Watcher,
): WebAssembly.Exports {
  const plain = binaryen.readBinary(binary);
  plain.setFeatures(binaryen.Features.All);
  const module = binaryen.parseText(watched(plain.emitText().replace(/;;.*/g, "")));
  module.setFeatures(binaryen.Features.All);
  const bytes = module.emitBinary() as Uint8Array<ArrayBuffer>;
  plain.dispose();
  module.dispose();
  const env = {
    memory,
    watch_load(bytes: number, offset: number, at: number) {
      watcher.load((at >>> 0) + offset, bytes);
      return at;
    },
    watch_store(bytes: number, offset: number, at: number) {
      watcher.store((at >>> 0) + offset, bytes);
      return at;
    },
    copy(to: number, from: number, bytes: number) {
      watcher.load(from >>> 0, bytes);
      watcher.store(to >>> 0, bytes);
      new Uint8Array(memory.buffer).copyWithin(to >>> 0, from >>> 0, (from >>> 0) + bytes);
    },
    fill(to: number, value: number, bytes: number) {
      watcher.store(to >>> 0, bytes);
      new Uint8Array(memory.buffer).fill(value, to >>> 0, (to >>> 0) + bytes);
    },
  };
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports;
}
