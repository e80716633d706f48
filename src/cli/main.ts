#!/usr/bin/env node
// npx lanewise: what a network is, does and costs. Commands are chunks of their own, so that --version and help start at once.
import { EXIT, exitOf } from "./errors.js";
import { type ColourOption, harmless, processIo } from "./io.js";

/** Runs a command; answers its exit code. Whatever goes wrong is one sentence on standard error. */
async function main(argv: readonly string[]): Promise<number> {
  const isDebug = argv.includes("--debug");
  try {
    const io = processIo(colourOf(argv));
    if (/^(--version|-V|-v)$/.test(argv[0] ?? "")) return await (await import("./commands/version.js")).version(io);
    return await (await import("./program.js")).run(io, argv);
  } catch (error) {
    const code = exitOf(error);
    const sentence = error instanceof Error ? error.message : String(error);
    const hint = code === EXIT.internal && !isDebug ? " (a mistake of lanewise; --debug says where)" : "";
    process.stderr.write(harmless(`lanewise: ${sentence}${hint}\n`));
    if (isDebug && error instanceof Error) process.stderr.write(harmless(`${error.stack}\n`));
    return code;
  }
}

/** Read before commander does: its own errors are to have it, too. Wrong values are told by commander. */
function colourOf(argv: readonly string[]): ColourOption {
  const at = argv.findIndex((argument) => /^--(no-)?colou?r(=|$)/.test(argument));
  if (at < 0) return "auto";
  const argument = argv[at] as string;
  if (argument.startsWith("--no-")) return "never";
  const value = argument.split("=")[1] ?? argv[at + 1];
  return value === "never" || value === "always" ? value : "auto";
}

// Who reads no further (| head) wants no error; whose disk is full does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`lanewise: "standard output" expected room, got ${error.code}\n`);
  process.exit(EXIT.file);
});
process.stderr.on("error", () => {});
// Work is done in turns (runAsync), so that this is heard; files are written whole or not at all.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    process.exit(signal === "SIGINT" ? EXIT.interrupted : 143);
  });

process.exitCode = await main(process.argv.slice(2));
