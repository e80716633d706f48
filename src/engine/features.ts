// What the engine can run, asked by validating a module that holds exactly the opcodes a binary uses: an engine may know
// some relaxed instructions and not others (flagged WebKit knows madd but not min, max or the dot products).
//
//   (module (func (param v128 v128 v128) (result v128)
//     local.get 0  local.get 1  local.get 2
//     f32x4.relaxed_madd
//     local.get 1  local.get 2
//     f32x4.relaxed_nmadd ... ))
//
// test/kernels.test.ts disassembles the built binaries and checks that RELAXED_OPCODES lists what they use.

/** Opcodes (after the 0xfd prefix, LEB128) of the relaxed binary: f32x4.relaxed_madd, f32x4.relaxed_nmadd. */
export const RELAXED_OPCODES: readonly number[] = [0x105, 0x106];

/** Of one function: its type, (v128, v128, v128) → v128 unless another is given, and the section of exports. */
function moduleWith(
  body: readonly number[],
  type: readonly number[] = [3, 0x7b, 0x7b, 0x7b, 1, 0x7b],
  exports: readonly number[] = [],
): Uint8Array<ArrayBuffer> {
  const code = [0, ...body, 0x0b]; // no locals, body, end
  return Uint8Array.from([
    ...[0, 97, 115, 109, 1, 0, 0, 0], // magic, version
    ...[1, type.length + 2, 1, 0x60, ...type],
    ...[3, 2, 1, 0], // one function
    ...exports,
    ...[10, code.length + 2, 1, code.length, ...code],
  ]);
}

/** local.get 0, then for each opcode: local.get 1, local.get 2, opcode. */
function ternaryProbe(opcodes: readonly number[]): Uint8Array<ArrayBuffer> {
  const leb = (n: number) => (n < 128 ? [n] : [(n & 127) | 128, n >> 7]);
  return moduleWith([0x20, 0, ...opcodes.flatMap((opcode) => [0x20, 1, 0x20, 2, 0xfd, ...leb(opcode)])]);
}

/**
 * Whether f32x4.relaxed_madd rounds once: (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24 then, and 0 where the product is rounded before.
 *
 *   (module (func (export "f") (result i32)
 *     (v128.any_true (f32x4.relaxed_madd
 *       (f32x4.splat (f32.const 0x1.001p+0)) (f32x4.splat (f32.const 0x1.001p+0)) (f32x4.splat (f32.const -0x1.002p+0))))))
 */
export const FUSION = /* @__PURE__ */ moduleWith(
  [
    ...[0x43, 0, 8, 128, 63, 0xfd, 0x13, 0x43, 0, 8, 128, 63, 0xfd, 0x13, 0x43, 0, 16, 128, 191, 0xfd, 0x13],
    ...[0xfd, 0x85, 2, 0xfd, 0x53],
  ],
  [0, 1, 0x7f], // () → i32
  [7, 5, 1, 1, 102, 0, 0], // export "f"
);

/** Where bytes may not be compiled (workerd) nobody can ask: those are V8's, which fuses. */
function isFused(): boolean {
  try {
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(FUSION)).exports;
    return (f as () => number)() === 1;
  } catch {
    return true;
  }
}

export interface Features {
  readonly simd: boolean;
  readonly relaxed: boolean;
  /**
   * Relaxed multiply-add rounds once. Where it does not (Bun's JavaScriptCore), relaxed kernels are slower than simd ones of 4 rows by a
   * sixth, and have neither their bits nor FMA's.
   */
  readonly fused: boolean;
}

let fused: boolean | undefined;

/** Asks the engine; about 20 µs, and the first time as much again for a module that runs. */
export function detectFeatures(): Features {
  const relaxed = WebAssembly.validate(ternaryProbe(RELAXED_OPCODES));
  if (relaxed) fused ??= isFused();
  return {
    // local.get 0, local.get 1, f32x4.pmax
    simd: WebAssembly.validate(moduleWith([0x20, 0, 0x20, 1, 0xfd, 0xeb, 0x01])),
    relaxed,
    fused: relaxed && fused === true,
  };
}
