// The built command line, run as people run it; networks small enough to be worked out by hand; a folder of files.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type File, node, onnxFile } from "../onnx-file.js";

export const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly stdin?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Sends SIGINT so many ms after the tool has begun to listen to it. */
  readonly interrupt?: number;
}

/** Says a word by a pipe of its own when the tool listens to SIGINT: how long that takes is the machine's affair. */
const LISTENS = `data:text/javascript,${encodeURIComponent(
  `const { writeSync } = await import("node:fs");
  process.on("newListener", (name) => name === "SIGINT" && setImmediate(() => writeSync(3, "listens")));`,
)}`;

/** Runs the tool; answers when it has ended. */
export function lanewise(args: readonly string[], { cwd, stdin, env = {}, interrupt }: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const { NO_COLOR: _, FORCE_COLOR: __, COLUMNS: ___, ...inherited } = process.env;
    const before = interrupt === undefined ? [] : ["--import", LISTENS];
    const child = spawn(process.execPath, [...before, CLI, ...args], {
      ...(cwd && { cwd }),
      env: { ...inherited, ...env },
      stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe", ...(interrupt === undefined ? [] : ["pipe" as const])],
      timeout: 600_000,
    });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout?.on("data", (chunk) => out.push(chunk));
    child.stderr?.on("data", (chunk) => err.push(chunk));
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }),
    );
    if (stdin) child.stdin?.end(stdin);
    child.stdio[3]?.once("data", () => setTimeout(() => child.kill("SIGINT"), interrupt));
  });
}

/** A folder that is gone at the end; writes files into it by name. */
export function folder() {
  const root = mkdtempSync(path.join(tmpdir(), "lanewise cli "));
  return {
    root,
    at: (name: string) => path.join(root, name),
    write(name: string, contents: Uint8Array | string) {
      writeFileSync(path.join(root, name), contents);
      return path.join(root, name);
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

const IMAGE = { image: [1, 3, 8, 8] } as const;

/** Mean red, green and blue of a picture: with preset "unit" three scores that are worked out by hand. */
export const MEANS: File = {
  nodes: [node("GlobalAveragePool", ["image"], ["mean"]), node("Flatten", ["mean"], ["scores"])],
  inputs: IMAGE,
  outputs: ["scores"],
  declared: { scores: [1, 3] },
};

const constant = (dims: readonly number[], values: readonly number[]) => ({ dims, data: Float32Array.from(values) });

/** Two boxes, [1, 2, 5, 7] and [4, 0, 8, 4], of classes 0 and 1 with scores 0.9 and 0.6, whatever the picture. */
export const BOXES: File = {
  nodes: [
    node("GlobalAveragePool", ["image"], ["mean"]),
    node("Flatten", ["mean"], ["flat"]),
    node("ReduceSum", ["flat"], ["sum"], { keepdims: 0 }),
    node("Mul", ["sum", "zero"], ["nothing"]),
    node("Add", ["fixed", "nothing"], ["boxes"]),
    node("Add", ["sure", "nothing"], ["scores"]),
  ],
  inputs: IMAGE,
  outputs: ["scores", "boxes"],
  constants: {
    zero: constant([1], [0]),
    fixed: constant([1, 2, 4], [1, 2, 5, 7, 4, 0, 8, 4]),
    sure: constant([1, 2, 2], [0.9, 0.1, 0.2, 0.6]),
  },
  opset: 13,
};

/** The picture itself: class 0 where it is red, 1 green, 2 blue. */
export const PIXELS: File = {
  nodes: [node("Relu", ["image"], ["classes"])],
  inputs: IMAGE,
  outputs: ["classes"],
};

/** Its red channel: a mask. */
export const MASK: File = {
  nodes: [node("Conv", ["image", "w"], ["mask"])],
  inputs: IMAGE,
  outputs: ["mask"],
  constants: { w: constant([1, 3, 1, 1], [1, 0, 0]) },
};

/** y = 2 a + b. */
export const SUM: File = {
  nodes: [node("Mul", ["a", "two"], ["twice"]), node("Add", ["twice", "b"], ["y"])],
  inputs: { a: [2, 3], b: [2, 3] },
  outputs: ["y"],
  constants: { two: constant([1], [2]) },
};

export const MAGIC: File = {
  nodes: [node("Relu", ["x"], ["a"]), { ...node("Magic", ["a"], ["y"]), domain: "org.example" }],
  inputs: { x: [1, 3] },
  outputs: ["y"],
};

export const file = (one: File): Uint8Array => onnxFile(one);

/** A .npy of version 1 with this header's dictionary. */
export function npy(header: string, data: Uint8Array, version = 1): Buffer {
  const start = version === 1 ? 10 : 12;
  const text = `${header.padEnd(Math.ceil((start + header.length + 1) / 64) * 64 - start - 1)}\n`;
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(text.length);
  else length.writeUInt32LE(text.length);
  return Buffer.concat([
    Buffer.from("\x93NUMPY", "latin1"),
    Buffer.from([version, 0]),
    length,
    Buffer.from(text, "latin1"),
    data,
  ]);
}

/** The same of numbers. */
export function floatsNpy(shape: readonly number[], values: readonly number[]): Buffer {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  return npy(
    `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`,
    new Uint8Array(Float32Array.from(values).buffer),
  );
}
