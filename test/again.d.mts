// For its test, which is TypeScript.
export class Skip extends Error {}
export interface Attempt {
  readonly problems: readonly string[];
  readonly [fact: string]: unknown;
}
export interface Tried {
  readonly status: "ok" | "FAIL" | "SKIP";
  readonly note?: string;
  readonly facts: Readonly<Record<string, unknown>>;
}
export function tried(
  attempt: () => Attempt | Promise<Attempt>,
  options?: { readonly renew?: () => unknown; readonly messageOf?: (error: Error) => string },
): Promise<Tried>;
