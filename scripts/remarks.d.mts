// For its test, which is TypeScript.
export interface Command {
  readonly command: string;
  readonly ok: boolean;
  readonly lines: readonly string[];
}
export function remarksOf(commands: readonly Command[], hasFailed: boolean): string[];
