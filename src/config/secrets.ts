/**
 * Secrets of a section: written, named as an environment variable, or named as a file.
 *
 * @module
 */
import type { Environment } from "./environment.ts";
import type { Problem } from "./explain.ts";
import { type Files, tryRead } from "./files.ts";
import type { Path } from "./yaml.ts";

/** Where secrets come from. */
export interface SecretSources {
  readonly env: Environment;
  readonly files: Files;
  /** Makes a written path absolute. */
  readonly absolute: (path: string) => string;
}

/** A secret as it is now, and the file that it is in, if it is in one. */
export interface ResolvedSecret {
  readonly value: string;
  readonly file?: string;
}

/** Reads `name`, `name_env` or `name_file` of the section at `at`; what is missing or named twice is added to `problems`. */
export function resolveSecret(
  written: Readonly<Record<string, unknown>>,
  name: string,
  at: Path,
  sources: SecretSources,
  problems: Problem[],
): ResolvedSecret {
  const fault = (key: string, message: string): ResolvedSecret => {
    problems.push({ path: [...at, key], at: "value", message });
    return { value: "" };
  };
  const keys = [name, `${name}_env`, `${name}_file`] as const;
  const given = keys.filter((key) => written[key] !== undefined);
  const [key, second] = given;
  if (key === undefined) return fault(name, `this key is missing; write ${keys[1]}, ${keys[2]} or ${name}`);
  if (second !== undefined) {
    return fault(
      second,
      `the ${name.replaceAll("_", " ")} is given twice, by ${key} and ${second}; keep one`,
    );
  }
  const value = String(written[key]);
  if (key === `${name}_env`) {
    // Who writes the secret itself here does not want to read it in a log.
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(value)) {
      return fault(key, "is not the name of an environment variable; write letters, digits and _");
    }
    const found = sources.env[value];
    return found === undefined || found === ""
      ? fault(key, `the environment variable ${value} is not set`)
      : { value: found };
  }
  if (key === `${name}_file`) {
    const path = sources.absolute(value);
    const read = tryRead(sources.files, path);
    if (!read.ok) return fault(key, `${path} ${read.problem}`);
    // Secret files end with the newline that their editor put there.
    const text = read.text.replace(/\r?\n$/, "");
    return text === "" ? fault(key, `${path} is empty`) : { value: text, file: path };
  }
  return { value };
}
