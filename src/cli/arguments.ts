/**
 * Command line arguments: options that a command declares, values, and what is left over.
 *
 * `--name value`, `--name=value`, `-n value`, `-nvalue`; `--` ends the options. A misspelt option is a fault with
 * the name that was probably meant, never an argument.
 *
 * @module
 */
import { didYouMean } from "../core/suggest.ts";

/** One option of a command. */
export interface Option {
  /** Without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** What the value is called in the help; an option without it is a switch. */
  readonly value?: string;
  /** True where the option may be given several times. */
  readonly many?: boolean;
  readonly description: string;
}

/** What was written. */
export interface Arguments {
  /** True for switches that were given. */
  readonly switches: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
}

/** Arguments, or what is wrong with them. */
export type ParsedArguments = { readonly ok: true; readonly arguments: Arguments } | {
  readonly ok: false;
  readonly message: string;
};

/** Parses `argv` by the options of one command. */
export function parseArguments(argv: readonly string[], options: readonly Option[]): ParsedArguments {
  const switches = new Set<string>();
  const values = new Map<string, string[]>();
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (argument === "--") {
      rest.push(...argv.slice(index + 1));
      break;
    }
    if (!argument.startsWith("-") || argument === "-") {
      rest.push(argument);
      continue;
    }
    const { option, name, inline } = find(argument, options);
    if (option === undefined) {
      const known = options.flatMap((candidate) => [`--${candidate.name}`]);
      return { ok: false, message: `unknown option ${name}${didYouMean(name, known)}` };
    }
    if (option.value === undefined) {
      if (inline !== undefined) return { ok: false, message: `${name} takes no value` };
      switches.add(option.name);
      continue;
    }
    const value = inline ?? argv[++index];
    if (value === undefined) return { ok: false, message: `${name} wants a value: ${name} ${option.value}` };
    const known = values.get(option.name) ?? [];
    if (known.length > 0 && option.many !== true) {
      return { ok: false, message: `${name} is given twice; keep one` };
    }
    values.set(option.name, [...known, value]);
  }
  return { ok: true, arguments: { switches, values, rest } };
}

function find(
  argument: string,
  options: readonly Option[],
): { readonly option: Option | undefined; readonly name: string; readonly inline: string | undefined } {
  if (argument.startsWith("--")) {
    const equals = argument.indexOf("=");
    const name = equals < 0 ? argument : argument.slice(0, equals);
    const inline = equals < 0 ? undefined : argument.slice(equals + 1);
    return { option: options.find((option) => `--${option.name}` === name), name, inline };
  }
  const name = argument.slice(0, 2);
  const inline = argument.length > 2 ? argument.slice(2) : undefined;
  return { option: options.find((option) => `-${option.short}` === name), name, inline };
}
