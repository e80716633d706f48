// Milliseconds, as fine as the engine has them: worklets have no performance.
export const now = (): number => (globalThis.performance ?? Date).now();
