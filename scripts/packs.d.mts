// For the tests, which are TypeScript.
export interface Pack {
  readonly name: string;
  readonly entry: string;
  readonly variants: readonly string[];
  readonly budget: number;
}
export const PACKS: readonly Pack[];
export function binaryName(pack: string, variant: string): string;
