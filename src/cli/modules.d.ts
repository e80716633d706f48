// What of bundled libraries has no types of its own.
declare module "pngjs/lib/png-sync.js" {
  const png: {
    read(bytes: Uint8Array, options?: { skipRescale?: boolean }): { width: number; height: number; data: Uint8Array };
    write(
      png: { width: number; height: number; data: Uint8Array; gamma: number },
      options?: { deflateLevel?: number },
    ): Uint8Array;
  };
  export default png;
}
declare module "@jsquash/jpeg/decode.js" {
  export function init(module: WebAssembly.Module, options?: object): Promise<void>;
  export default function decode(
    bytes: ArrayBuffer | Uint8Array,
    options?: { preserveOrientation?: boolean },
  ): Promise<{ data: Uint8ClampedArray; width: number; height: number }>;
}
declare module "oled-font-5x7" {
  const font: {
    readonly width: number;
    readonly height: number;
    /** Letters in their order. */
    readonly lookup: readonly string[];
    /** A byte a column. */
    readonly fontData: readonly number[];
  };
  export default font;
}
