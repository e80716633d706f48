// How the three entries see a .wasm import; rollup.config.mjs makes it so.
declare module "*.wasm" {
  /** Compiles the inlined bytes, or what `twin` makes of them. */
  const load: (twin?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) => Promise<WebAssembly.Module>;
  export default load;
  /** What it compiles. */
  export const bytes: () => Uint8Array<ArrayBuffer>;
}
declare module "*.wasm?static" {
  const module: WebAssembly.Module;
  export default module;
}
declare module "*.wasm?module" {
  const module: WebAssembly.Module;
  export default module;
}
