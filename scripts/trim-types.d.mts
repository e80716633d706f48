// For the tests, which are TypeScript.
/** Takes out of declarations what no entry reaches. folder: dist; entries: files in it whose exports stay; files: those that are trimmed. */
export function trimTypes(folder: string, entries: readonly string[], files: readonly string[]): void;
