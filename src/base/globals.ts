// Types of what engines have beyond the language, where the compiler knows them: a program that is compiled with `lib: ["es2022"]`,
// or for workers, knows less than a page's, and the declarations of this package have to do there, too.

/** What a global class makes; never where the compiler does not know the class. */
export type Global<Name extends string> = typeof globalThis extends {
  readonly [K in Name]: { readonly prototype: infer T };
}
  ? T
  : never;

/** A compiled binary. */
export type WasmModule = typeof globalThis extends {
  readonly WebAssembly: { readonly Module: { readonly prototype: infer T } };
}
  ? T
  : object;

/** A linear memory. */
export type WasmMemory = typeof globalThis extends {
  readonly WebAssembly: { readonly Memory: { readonly prototype: infer T } };
}
  ? T
  : { readonly buffer: ArrayBuffer; grow(pages: number): number };

/** Bytes, wherever they lie. */
export type Bytes = ArrayBuffer | ArrayBufferView;

/** A kernel binary: compiled, its bytes, or a response with them. */
export type WasmSource = WasmModule | Bytes | Global<"Response"> | Promise<Global<"Response">>;

/** A stream of bytes, as far as it is read. */
export interface ByteStream {
  /** As of the platform's ReadableStream. */
  getReader(): {
    /** The next bytes. */
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    /** Called where reading fails. */
    cancel(reason?: unknown): Promise<void>;
  };
}
