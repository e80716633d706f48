// Scripts that complete commands, options and choices in three shells, made of what commander knows.
import type { Command } from "commander";
import type { Io } from "../io.js";

interface Known {
  readonly name: string;
  readonly says: string;
  readonly options: readonly {
    readonly long: string;
    readonly says: string;
    readonly choices: readonly string[];
    readonly takes: boolean;
  }[];
  /** Choices of its first argument. */
  readonly choices: readonly string[];
}

const knownOf = (command: Command): Known => ({
  name: command.name(),
  says: command.description(),
  options: command.options.map(({ long, description, argChoices, required, optional }) => ({
    long: long ?? "",
    says: description,
    choices: argChoices ?? [],
    takes: required || optional,
  })),
  choices: command.registeredArguments[0]?.argChoices ?? (command.name() === "labels" ? ["imagenet", "coco"] : []),
});

export function completion(io: Io, program: Command, shell: string): number {
  const commands = program.commands.map(knownOf);
  const scripts: Readonly<Record<string, (commands: readonly Known[]) => string>> = { bash, zsh, fish };
  io.out((scripts[shell] as typeof bash)(commands));
  return 0;
}

function bash(commands: readonly Known[]): string {
  const cases = commands.map(({ name, options, choices }) => {
    const values = options.filter(({ choices }) => choices.length > 0);
    const each = values.map(
      ({ long, choices }) => `      ${long}) COMPREPLY=($(compgen -W "${choices.join(" ")}" -- "$word")); return ;;`,
    );
    return `  ${name})
    case "$before" in
${each.join("\n")}
    esac
    options="${options.map(({ long }) => long).join(" ")}" words="${choices.join(" ")}" ;;`;
  });
  return `# bash completion of lanewise
_lanewise() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" options words
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${[...commands.map(({ name }) => name), "help", "--version", "--help"].join(" ")}" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  if [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))
  else COMPREPLY=($(compgen -W "$words" -- "$word") $(compgen -f -- "$word")); fi
}
complete -o filenames -F _lanewise lanewise
`;
}

const zshText = (text: string) => text.replace(/[[\]:\\'"$`]/g, " ");

function zsh(commands: readonly Known[]): string {
  const list = commands.map(({ name, says }) => `    '${name}:${zshText(says)}'`).join("\n");
  const cases = commands.map(({ name, options, choices }) => {
    const lines = options.map(({ long, says, choices, takes }) => {
      const value = choices.length > 0 ? `:value:(${choices.join(" ")})` : takes ? ":value:_files" : "";
      return `'*${long}[${zshText(says)}]${value}'`;
    });
    const rest = choices.length > 0 ? `'1:what:(${choices.join(" ")})'` : "'*:file:_files'";
    return `    ${name}) _arguments ${[...lines, rest].join(" \\\n      ")} ;;`;
  });
  return `#compdef lanewise
_lanewise() {
  local -a commands=(
${list}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  local name="\${words[2]}"
  shift words; (( CURRENT-- ))
  case "$name" in
${cases.join("\n")}
  esac
}
compdef _lanewise lanewise
`;
}

const fishText = (text: string) => text.replace(/['\\]/g, "\\$&");

function fish(commands: readonly Known[]): string {
  const lines = commands.flatMap(({ name, says, options, choices }) => [
    `complete -c lanewise -n __fish_use_subcommand -a ${name} -f -d '${fishText(says)}'`,
    ...options.map(({ long, says, choices, takes }) => {
      const value = choices.length > 0 ? ` -x -a '${choices.join(" ")}'` : takes ? " -r" : "";
      return `complete -c lanewise -n '__fish_seen_subcommand_from ${name}' -l ${long.slice(2)}${value} -d '${fishText(says)}'`;
    }),
    ...(choices.length > 0
      ? [`complete -c lanewise -n '__fish_seen_subcommand_from ${name}' -f -a '${choices.join(" ")}'`]
      : []),
  ]);
  return `# fish completion of lanewise\n${lines.join("\n")}\n`;
}
