// Commands and their options, as commander has them: it refuses what it does not know in one sentence, with a suggestion.
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { EXIT, UsageError } from "./errors.js";
import type { Io } from "./io.js";

/** Runs the command that arguments ask for, and answers its exit code. */
export async function run(io: Io, argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = programOf(io, (answer) => {
    code = answer;
  });
  const topic = argv[0] === "help" ? argv[1] : undefined;
  const names = program.commands.map((command) => command.name());
  if (topic !== undefined && !topic.startsWith("-") && !["help", ...names].includes(topic))
    throw new UsageError(`"help" expected one of ${names.join(", ")}, got "${topic}"`);
  try {
    await program.parseAsync(argv as string[], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage; // 0 of help that was asked for
    throw error;
  }
}

/** A whole number of an option. */
const whole = (least: number, most: number) => (text: string) => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
  return value;
};

const real = (least: number, most: number) => (text: string) => {
  const value = Number(text);
  if (text.trim() === "" || !(value >= least && value <= most))
    throw new InvalidArgumentError(`Expected a number from ${least} to ${most}.`);
  return value;
};

/** Bytes: 64e6, 256MB. */
const bytes = (text: string) => {
  const [, digits = "", unit = ""] = /^([\d.]+(?:e\d+)?)\s*(KB|MB|GB)?$/i.exec(text) ?? [];
  const value = Number(digits) * ({ KB: 1e3, MB: 1e6, GB: 1e9 }[unit.toUpperCase()] ?? 1);
  if (!(value >= 1) || digits === "") throw new InvalidArgumentError("Expected bytes, such as 64e6 or 256MB.");
  return Math.floor(value);
};

const sizes = (text: string) => {
  if (!/^[1-9]\d{0,8}(x[1-9]\d{0,8})*$/.test(text))
    throw new InvalidArgumentError("Expected sizes, such as 1x64x56x56.");
  return text.split("x").map(Number);
};

const gathered = (text: string, before: readonly string[] = []) => [...before, text];

const VARIANTS = ["auto", "simd", "relaxed"];

type Done = (code: number) => void;

const oneVariant = new Option("--variant <name>", "the binary that runs").choices(VARIANTS);
const twoVariants = new Option(
  "--variant <names>",
  "the binary that runs; two, simd,relaxed, beside each other",
).argParser((text: string) => {
  const names = text.split(",");
  if (names.length > 2 || names.some((name) => !VARIANTS.includes(name)))
    throw new InvalidArgumentError(`Expected one or two of ${VARIANTS.join(", ")}.`);
  return names;
});

/** Adds what commands with a model share. */
const withModel = (command: Command, variant = oneVariant) =>
  command
    .option("--shape <name=sizes>", "a shape that the file leaves open: image=1x3x640x640, or batch=1", gathered)
    .addOption(variant)
    .addOption(new Option("--precision <name>", "of convolutions").choices(["default", "high", "exact"]))
    .option("--tune", "choose algorithms by measuring them here")
    .option("--max-bytes <bytes>", "most bytes of linear memory: 64e6, 256MB", bytes);

const withExamples = (command: Command, ...examples: readonly string[]) =>
  command.addHelpText("after", `\nExamples:\n${examples.map((example) => `  $ lanewise ${example}`).join("\n")}\n`);

/** The program, its actions not yet run. done: takes the exit code. */
export function programOf(io: Io, done: Done): Command {
  const program = new Command("lanewise")
    .description("What a convolutional network in an ONNX file is, does and costs.")
    .option("-v, --version", "version, which binary runs here and why, engine")
    .addOption(new Option("--color <when>", "colours").choices(["auto", "always", "never"]))
    .option("--no-color", "as --color never")
    .option("--debug", "where an error comes from")
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: io.out,
      writeErr: io.note,
      getOutHelpWidth: () => Math.min(io.columns, 120),
      getErrHelpWidth: () => Math.min(io.columns, 120),
      // It would look into the environment, which Deno does not let it.
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  program.addHelpText(
    "after",
    "\nExit codes: 0 right, 1 compare: differs, 2 usage, 3 not supported, 4 a file that does not do, 130 interrupted\n\nExamples:\n  $ lanewise inspect model.onnx\n  $ lanewise run model.onnx --image photo.jpg --preset imagenet --labels imagenet\n  $ lanewise help run\n",
  );
  const command = (name: string, says: string) =>
    program
      .command(name)
      .description(says)
      .addOption(new Option("--color <when>", "colours").choices(["auto", "always", "never"]))
      .option("--no-color", "as --color never")
      .option("--debug", "where an error comes from");
  inspectCommand(io, command, done);
  runCommand(io, command, done);
  compareCommand(io, command, done);
  benchCommand(io, command, done);
  convCommand(io, command, done);
  smallCommands(io, program, command, done);
  return program;
}

type Make = (name: string, says: string) => Command;

function inspectCommand(io: Io, command: Make, done: Done): void {
  withExamples(
    withModel(
      command(
        "inspect <file>",
        "what a network is and costs: layers, memory, parameters; also of files that cannot run",
      ),
    )
      .option("--json", "everything, by docs/cli.md's schema")
      .option("--csv", "layers, for a spreadsheet")
      .option("--markdown", "layers, for a document")
      .option("--svg <file>", "draw the arena: what lies where, from which step to which")
      .option("--top <n>", "so many layers", whole(1, 1e6))
      .addOption(new Option("--sort <key>", "the largest first").choices(["file", "macs", "params", "bytes", "time"]))
      .option("--time", "run it on made-up numbers and time each layer")
      .option("--no-optimize", "the graph as it stands, nothing merged"),
    "inspect picodet.onnx",
    "inspect model.onnx --shape image=1x3x640x640 --top 20 --sort macs",
    "inspect model.onnx --svg arena.svg --json > model.json",
  ).action(async (file, flags) => done(await (await import("./commands/inspect.js")).inspect(io, file, flags)));
}

function runCommand(io: Io, command: Make, done: Done): void {
  withExamples(
    withModel(command("run <file>", "run it on pictures or arrays"))
      .option(
        "--image <file>",
        "a picture (JPEG, PNG), a folder of them, or - for standard input; several times",
        gathered,
      )
      .option("--preset <name>", "how pictures become numbers: lanewise presets, or a preprocessor_config.json")
      .option("--set <key=value>", "change one key of the preset: resize=232, filter=bicubic", gathered)
      .option(
        "--size <size>",
        "of the model's input where the file leaves it open: 640 or 384x640 (height x width)",
        sizes,
      )
      .option("--labels <file>", "names of classes: imagenet, coco, or a file with one a line")
      .option("--top <n>", "so many classes", whole(1, 1000))
      .addOption(new Option("--activation <name>", "of classes").choices(["auto", "softmax", "sigmoid", "none"]))
      .option("--decode <head>", "what the outputs mean: lanewise presets has the list")
      .option("--score <s>", "least score of a detection", real(0, 1))
      .option("--iou <s>", "most overlap of two of a class", real(0, 1))
      .option("--draw <out.png>", "the picture with what was found; a folder for several")
      .option("--mask <out.png>", "the picture cut out, or a class a pixel in colours; a folder for several")
      .option("--input <name=x.npy>", "an array; several times; x.npz has all by name", gathered)
      .option("--output <name=y.npy>", "write an output; several times", gathered)
      .option("--explain", "say how a picture became numbers, line by line")
      .option("--max-pixels <n>", "of a picture, before it is decoded (default: 100000000)", bytes)
      .option("--json", "one object a line for each picture"),
    "run shufflenet.onnx --image photo.jpg --preset imagenet --labels imagenet",
    "run picodet.onnx --image dog.jpg --preset picodet --decode gfl --labels coco --draw out.png",
    "run model.onnx --input x=in.npy --output y=out.npy",
  ).action(async (file, flags) => done(await (await import("./commands/run.js")).runFile(io, file, flags)));
}

function compareCommand(io: Io, command: Make, done: Done): void {
  withExamples(
    withModel(
      command("compare <file>", "hold its answers beside expected ones, another binary's, or the graph's as it stands"),
      twoVariants,
    )
      .option("--input <x.npy>", "x.npy, or name=x.npy; several times", gathered)
      .option("--expect <y.npy>", "y.npy, or name=y.npy; several times", gathered)
      .option("--folder <folder>", "inputs and outputs of an ONNX test: input_0.pb, output_0.pb, or .npy")
      .option("--tolerance <t>", "most difference, by the largest expected value (default: 1e-4)", real(0, 1e9))
      .option("--per-layer", "beside the graph as it stands, layer by layer: where it starts to differ")
      .option("--json", "one object"),
    "compare model.onnx --input x.npy --expect y.npy",
    "compare model.onnx --folder test_data_set_0 --tolerance 1e-3",
    "compare model.onnx --variant simd,relaxed --per-layer",
  ).action(async (file, flags) => done(await (await import("./commands/compare.js")).compare(io, file, flags)));
}

function benchCommand(io: Io, command: Make, done: Done): void {
  withExamples(
    withModel(command("bench <file>", "how fast it runs here, beside what this machine can do"))
      .option("--seconds <s>", "how long (default: 3)", real(0.05, 3600))
      .option("--profile", "layer by layer")
      .option("--trace <file>", "a profile for chrome://tracing and Perfetto")
      .addOption(
        new Option("--vs <peer>", "in turns with another runtime, installed where you are").choices([
          "onnxruntime-web",
          "onnxruntime-node",
        ]),
      )
      .option("--json", "one object"),
    "bench model.onnx",
    "bench model.onnx --seconds 10 --profile --sort time",
    "bench model.onnx --vs onnxruntime-node",
  )
    .addOption(new Option("--sort <key>", "with --profile: the order of layers").choices(["file", "time"]))
    .option("--top <n>", "with --profile: so many layers", whole(1, 1e6))
    .action(async (file, flags) => done(await (await import("./commands/bench.js")).bench(io, file, flags)));
}

function convCommand(io: Io, command: Make, done: Done): void {
  withExamples(
    command("conv", "every algorithm on one convolution: time, products, memory, error, and what auto takes")
      .requiredOption("--shape <sizes>", "of the input: 1x64x56x56", sizes)
      .requiredOption("--weight <sizes>", "of the weight: 64x64x3x3", sizes)
      .option("--stride <n>", "one number, or height x width", sizes)
      .option("--padding <n>", "one number, 1x1, top x left x bottom x right, same, valid (default: same at stride 1)")
      .option("--dilation <n>", "one number, or height x width", sizes)
      .option("--groups <n>", "default 1", whole(1, 1e6))
      .addOption(new Option("--variant <name>", "the binary that runs").choices(VARIANTS))
      .addOption(new Option("--precision <name>", "of auto").choices(["default", "high", "exact"]))
      .option("--seconds <s>", "of each algorithm (default: 0.3)", real(0.01, 60))
      .option("--json", "one object"),
    "conv --shape 1x64x56x56 --weight 64x64x3x3 --padding 1",
    "conv --shape 1x96x112x112 --weight 96x1x3x3 --groups 96 --stride 2 --padding 1",
    "conv --shape 1x16x64x64 --weight 16x16x11x11 --padding 5 --json",
  ).action(async (flags) => done(await (await import("./commands/conv.js")).conv(io, flags)));
}

function smallCommands(io: Io, program: Command, command: Make, done: Done): void {
  withExamples(
    command("labels <set>", "names of classes, one a line, as --labels takes them: imagenet, coco").option(
      "--json",
      "a list",
    ),
    "labels imagenet",
    "labels coco --json",
    "labels imagenet | head -3",
  ).action(async (set, flags) => done(await (await import("./commands/lists.js")).labels(io, set, flags)));
  withExamples(
    command("presets [name]", "how pictures become numbers, and heads of --decode").option("--json", "one object"),
    "presets",
    "presets imagenet",
    "presets --json",
  ).action(async (name, flags) => done(await (await import("./commands/lists.js")).presetList(io, name, flags)));
  withExamples(
    command("completion", "a script that completes commands, options and choices").addArgument(
      new Argument("<shell>", "which").choices(["bash", "zsh", "fish"]),
    ),
    "completion bash > ~/.local/share/bash-completion/completions/lanewise",
    "completion zsh > ~/.zfunc/_lanewise",
    "completion fish > ~/.config/fish/completions/lanewise.fish",
  ).action(async (shell) => done((await import("./commands/completion.js")).completion(io, program, shell)));
}
