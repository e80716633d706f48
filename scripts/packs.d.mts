// For the tests, which are TypeScript.
export interface Pack {
  readonly name: string;
  readonly entry: string;
  readonly variants: readonly string[];
  readonly budget: number;
}
export const PACKS: readonly Pack[];
export const BINARIES: readonly { readonly pack: string; readonly file: string; readonly budget: number }[];
export function binaryName(pack: string, variant: string): string;
