// The shared twin of a binary: the same bytes but for the limits of the memory that it imports.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BINARIES } from "../../scripts/packs.mjs";
import { sharedTwin } from "../../src/threads/twin.js";

const read = (file: string) => new Uint8Array(readFileSync(new URL(`../../build/wasm/${file}.wasm`, import.meta.url)));

/** Sections of a binary: id and content. */
function sectionsOf(binary: Uint8Array): { readonly id: number; readonly content: Uint8Array }[] {
  const sections: { id: number; content: Uint8Array }[] = [];
  let at = 8;
  while (at < binary.length) {
    const id = binary[at++] as number;
    let bytes = 0;
    for (let shift = 0, byte = 128; byte >= 128; shift += 7) {
      byte = binary[at++] as number;
      bytes += (byte & 127) << shift;
    }
    sections.push({ id, content: binary.subarray(at, at + bytes) });
    at += bytes;
  }
  expect(at).toBe(binary.length);
  return sections;
}

/** The imports, decoded by hand: module and name, then kind and limits. */
function memoryOf(imports: Uint8Array): { readonly name: string; readonly limits: readonly number[] } {
  expect(imports[0]).toBe(1); // one import
  const text = (at: number) => String.fromCharCode(...imports.subarray(at + 1, at + 1 + (imports[at] as number)));
  const [module, name] = [text(1), text(2 + (imports[1] as number))];
  const rest = imports.subarray(1 + 1 + module.length + 1 + name.length);
  expect(rest[0]).toBe(2); // a memory
  return { name: `${module}.${name}`, limits: [...rest.subarray(1)] };
}

describe.each(BINARIES.map(({ file }) => file))("the twin of %s", (file) => {
  const binary = read(file);
  const twin = sharedTwin(binary);

  it("has every section of the binary, but for the imports", () => {
    const [one, other] = [sectionsOf(binary), sectionsOf(twin)];
    expect(other.map(({ id }) => id)).toEqual(one.map(({ id }) => id));
    one.forEach(({ id, content }, i) => {
      if (id !== 2) expect(Buffer.from(content).equals(other[i]?.content as Uint8Array)).toBe(true);
    });
  });

  it("imports the same memory, shared, of up to 65,536 pages", () => {
    const imports = [binary, twin].map((bytes) => sectionsOf(bytes).find(({ id }) => id === 2)?.content as Uint8Array);
    const [own, shared] = imports.map(memoryOf) as [ReturnType<typeof memoryOf>, ReturnType<typeof memoryOf>];
    expect(own).toEqual({ name: "env.memory", limits: [0, 1] });
    expect(shared).toEqual({ name: "env.memory", limits: [3, 1, 0x80, 0x80, 0x04] });
  });

  it("runs over shared memory, as the binary does over its own", () => {
    const memory = (shared: boolean) => new WebAssembly.Memory({ initial: 1, maximum: 100, shared });
    const instance = (bytes: Uint8Array<ArrayBuffer>, shared: boolean) =>
      new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: memory(shared) } });
    expect(Object.keys(instance(twin, true).exports)).toEqual(Object.keys(instance(binary, false).exports));
    expect(() => instance(binary, true)).toThrow(WebAssembly.LinkError);
  });
});

it("a binary that has a maximum already gets the largest", () => {
  const wat = [0, 97, 115, 109, 1, 0, 0, 0, 2, 16, 1, 3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121, 2, 1, 1, 2];
  const twin = sharedTwin(Uint8Array.from(wat));
  expect([...twin]).toEqual([...wat.slice(0, 9), 18, ...wat.slice(10, 23), 3, 1, 0x80, 0x80, 0x04]);
});

it("what imports no memory, or is cut short, comes back", () => {
  const empty = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
  expect(sharedTwin(empty)).toBe(empty);
  for (let length = 9; length < 200; length++) expect(() => sharedTwin(read("simd").slice(0, length))).not.toThrow();
});
