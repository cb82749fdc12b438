/**
 * Completions for shells, made of what the commands declare: nothing to keep in step by hand.
 *
 * @module
 */
import type { Option } from "./arguments.ts";
import { helpOption, type HelpPage } from "./help.ts";

/** Shells that completions are made for. */
export const shells = ["bash", "zsh", "fish"] as const;

/** One of `shells`. */
export type Shell = (typeof shells)[number];

/** The script that the shell reads. */
export function completionScript(shell: Shell, pages: readonly HelpPage[]): string {
  const writers: Readonly<Record<Shell, (pages: readonly HelpPage[]) => string>> = { bash, zsh, fish };
  return writers[shell](pages);
}

function optionsOf(page: HelpPage): readonly Option[] {
  return [...page.options, helpOption];
}

/** Values that are names of files are completed by the shell itself. */
function isFile({ value = "" }: Option): boolean {
  return /FILE|PATH|DIR|LOG/.test(value);
}

function bash(pages: readonly HelpPage[]): string {
  const cases = pages.map((page) => {
    const names = optionsOf(page).flatMap(({ name, short }) => [
      `--${name}`,
      ...(short === undefined ? [] : [`-${short}`]),
    ]);
    return `    ${page.name}) words="${names.join(" ")}" ;;`;
  });
  return `# bash completion for corndog; corndog completion bash > /etc/bash_completion.d/corndog
_corndog() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "${pages.map(({ name }) => name).join(" ")} --help --version" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) words="--help" ;;
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _corndog corndog
`;
}

function zsh(pages: readonly HelpPage[]): string {
  const commands = pages.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = pages.map((page) => {
    const specs = optionsOf(page).flatMap((option) => zshSpecs(option));
    return `    ${page.name}) _arguments -s ${specs.join(" ")} '*:file:_files' ;;`;
  });
  return `#compdef corndog
# zsh completion for corndog; corndog completion zsh > a folder of $fpath/_corndog
_corndog() {
  local -a commands
  commands=(
${commands.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = _corndog ]; then _corndog "$@"; else compdef _corndog corndog; fi
`;
}

function zshSpecs(option: Option): string[] {
  const text = option.description.replace(/[[\]:]/g, " ");
  const value = option.value === undefined
    ? ""
    : `:${option.value.toLowerCase()}:${isFile(option) ? "_files" : ""}`;
  const many = option.many === true ? "*" : "";
  const names = [`--${option.name}`, ...(option.short === undefined ? [] : [`-${option.short}`])];
  return names.map((name) => quoted(`${many}${name}[${text}]${value}`));
}

function fish(pages: readonly HelpPage[]): string {
  const names = pages.map(({ name }) => name).join(" ");
  const lines = pages.flatMap((page) => [
    `complete -c corndog -n "not __fish_seen_subcommand_from ${names}" -f -a ${page.name} -d ${
      quoted(page.summary)
    }`,
    ...optionsOf(page).map((option) =>
      [
        `complete -c corndog -n "__fish_seen_subcommand_from ${page.name}" -l ${option.name}`,
        ...(option.short === undefined ? [] : [`-s ${option.short}`]),
        ...(option.value === undefined ? [] : [isFile(option) ? "-r -F" : "-x"]),
        `-d ${quoted(option.description)}`,
      ].join(" ")
    ),
  ]);
  return `# fish completion for corndog; corndog completion fish > ~/.config/fish/completions/corndog.fish
${lines.join("\n")}
`;
}

/** A word in single quotes, as all three shells read it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
