// The rule that threads will stand on: work items may be cut anywhere, in any order, without changing a bit.
import { describe, expect, it } from "vitest";
import type { Runtime } from "../src/index.js";
import { KERNELS } from "../src/kernels/table.js";
import { internalsOf } from "../src/runtime/runtime.js";
import { BINARIES } from "./binaries.js";
import { fill, random } from "./random.js";
import { CALLS, SHAPE, tensorsOf, wrapKernels } from "./slice-calls.js";
import { FORMATS, tensorOf } from "./tensors.js";

/** Every kernel call becomes calls on up to 7 slices, last one first; `sliced` collects the names. */
function slice(rt: Runtime, sliced: Set<string>): void {
  const { uniform } = random("slices");
  wrapKernels(rt, (name, whole) => (desc, begin, end, scratch) => {
    const cuts = new Set([begin, end, ...Array.from({ length: 6 }, () => Math.floor(uniform(begin, end)))]);
    const edges = [...cuts].sort((a, b) => b - a);
    if (edges.length > 2) sliced.add(name);
    for (let i = 0; i + 1 < edges.length; i++) whole(desc, edges[i + 1] as number, edges[i] as number, scratch);
  });
}

describe.each(BINARIES)("slices of work items on $name", ({ create }) => {
  it("give the bits of the whole, for every operator", async () => {
    const whole = await create();
    const cut = await create();
    const sliced = new Set<string>();
    slice(cut, sliced);
    for (const memoryFormat of FORMATS) {
      for (const [name, call] of CALLS) {
        const results = [];
        for (const rt of [whole, cut]) {
          using x = tensorOf(rt, fill(SHAPE, "x"), SHAPE, memoryFormat);
          const tensors = tensorsOf(await call(rt, x));
          const { u8 } = internalsOf(rt).engine.heap;
          results.push(Buffer.concat(tensors.map(({ ptr, bytes }) => u8.slice(ptr, ptr + bytes))));
          for (const tensor of tensors) tensor.dispose();
        }
        const [expected, actual] = results as [Buffer, Buffer];
        expect(actual.equals(expected), `${name} ${memoryFormat}`).toBe(true);
      }
    }
    // A kernel that no call cut into pieces was not tested: name it in CALLS of slice-calls.ts.
    const missing = KERNELS.filter((name) => !sliced.has(name));
    expect(missing).toEqual([]);
    whole.dispose();
    cut.dispose();
  });
});
