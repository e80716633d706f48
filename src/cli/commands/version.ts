// lanewise --version: the package's, which binary would run here and why, and the engine.
import { readFileSync } from "node:fs";
import type { Io } from "../io.js";

/** Of the package.json beside dist/. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return version;
}

/** Node 20.19.4, V8 11.3; Deno and Bun as they call themselves. */
export function engineText(): string {
  const { versions, platform, arch } = process;
  const other = ["deno", "bun"].find((name) => versions[name] !== undefined);
  const name = other ? `${other[0]?.toUpperCase()}${other.slice(1)} ${versions[other]}` : `Node ${versions.node}`;
  const core = versions.v8 ? `, V8 ${versions.v8}` : versions.webkit ? `, JavaScriptCore ${versions.webkit}` : "";
  return `${name}${core}, ${platform} ${arch}`;
}

export async function version(io: Io): Promise<number> {
  const { createRuntime } = await import("../../index.js");
  const rt = await createRuntime();
  const { variant, reason } = rt.report();
  rt.dispose();
  io.out(`lanewise ${packageVersion()}\n${variant}: ${reason}\n${engineText()}\n`);
  return 0;
}
