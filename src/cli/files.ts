// Files: read whole, written whole or not at all.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { FileError, fileError, UsageError } from "./errors.js";

/** Bytes of a file. expected: what it should be, "an ONNX file". */
export function readBytes(name: string, expected = "a file"): Uint8Array {
  if (/^https?:\/\//i.test(name))
    throw new FileError(`"${name}" expected ${expected} on this machine, got an address: nothing is fetched`);
  // Some never end, and a synchronous read of one hears no Ctrl-C.
  if (statSync(name, { throwIfNoEntry: false })?.isCharacterDevice())
    throw new FileError(`"${name}" expected ${expected}, got a device`);
  try {
    const { buffer, byteOffset, length } = readFileSync(name);
    return new Uint8Array(buffer, byteOffset, length); // whose slice() copies, as a Buffer's does not
  } catch (error) {
    throw fileError(name, expected, error);
  }
}

export const readText = (name: string, expected: string): string => new TextDecoder().decode(readBytes(name, expected));

/** What a JSON file holds. */
export function readJson(name: string, expected: string): unknown {
  try {
    return JSON.parse(readText(name, expected));
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(`"${name}" expected ${expected}, got what is no JSON: ${(error as Error).message}`);
  }
}

export function isFolder(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Names in a folder. */
export function listFolder(name: string): string[] {
  try {
    return readdirSync(name);
  } catch (error) {
    throw fileError(name, "a folder that may be read", error);
  }
}

/** A folder that is there from now on. */
export function makeFolder(name: string): void {
  try {
    mkdirSync(name, { recursive: true });
  } catch (error) {
    throw fileError(name, "a folder to write to", error);
  }
}

/** Writes a file by way of another beside it, so that nobody meets half of it; devices and pipes as they are. */
export function writeWhole(name: string, contents: Uint8Array | string): void {
  const there = statSync(name, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw new UsageError(`"${name}" expected a file to write, got a folder`);
  const isDirect = there !== undefined && !there.isFile();
  const target = isDirect ? name : path.join(path.dirname(name), `.${path.basename(name)}.${process.pid}.tmp`);
  try {
    writeFileSync(target, contents);
    if (!isDirect) renameSync(target, name);
  } catch (error) {
    if (!isDirect) rmSync(target, { force: true });
    throw fileError(name, "a file that may be written", error);
  }
}
