import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { inlinedBytes, inlineText } from "../src/engine/inline.js";

describe("kernel bytes as text", () => {
  const every = Uint8Array.from({ length: 512 }, (_, i) => (i < 256 ? i : 511 - i));
  const binary = new Uint8Array(readFileSync(new URL("../build/wasm/simd.wasm", import.meta.url)));

  it.each([
    ["one byte", Uint8Array.of(0)],
    ["every byte beside its neighbours", every],
    ["the simd binary", binary],
  ])("come back unchanged: %s", (_, bytes) => {
    expect(inlinedBytes(inlineText(bytes))).toEqual(bytes);
  });

  it("are ASCII without quotes", () => {
    expect(inlineText(every)).toMatch(/^[#-z]+$/);
  });
});
