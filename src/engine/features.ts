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

function moduleWith(body: readonly number[]): Uint8Array<ArrayBuffer> {
  const code = [0, ...body, 0x0b]; // no locals, body, end
  return Uint8Array.from([
    ...[0, 97, 115, 109, 1, 0, 0, 0], // magic, version
    ...[1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b], // type: (v128, v128, v128) → v128
    ...[3, 2, 1, 0], // one function
    ...[10, code.length + 2, 1, code.length, ...code],
  ]);
}

/** local.get 0, then for each opcode: local.get 1, local.get 2, opcode. */
function ternaryProbe(opcodes: readonly number[]): Uint8Array<ArrayBuffer> {
  const leb = (n: number) => (n < 128 ? [n] : [(n & 127) | 128, n >> 7]);
  return moduleWith([0x20, 0, ...opcodes.flatMap((opcode) => [0x20, 1, 0x20, 2, 0xfd, ...leb(opcode)])]);
}

export interface Features {
  readonly simd: boolean;
  readonly relaxed: boolean;
}

/** Asks the engine; about 20 µs. */
export function detectFeatures(): Features {
  return {
    // local.get 0, local.get 1, f32x4.pmax
    simd: WebAssembly.validate(moduleWith([0x20, 0, 0x20, 1, 0xfd, 0xeb, 0x01])),
    relaxed: WebAssembly.validate(ternaryProbe(RELAXED_OPCODES)),
  };
}
