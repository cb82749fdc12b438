/**
 * User name and password of the brokers: written, named as an environment variable, or named as a file.
 *
 * @module
 */
import type { KafkaConfig } from "./config.ts";
import type { Environment } from "./environment.ts";
import type { Problem } from "./explain.ts";
import { type Files, tryRead } from "./files.ts";
import type { WrittenConfig } from "./schema.ts";

type WrittenSasl = NonNullable<WrittenConfig["kafka"]["sasl"]>;

/** Where secrets come from. */
export interface SecretSources {
  readonly env: Environment;
  readonly files: Files;
  /** Makes a written path absolute. */
  readonly absolute: (path: string) => string;
}

/** Reads the login; what is missing or named twice is added to `problems`. */
export function resolveSasl(
  written: WrittenSasl,
  sources: SecretSources,
  problems: Problem[],
): KafkaConfig["sasl"] {
  const username = resolveOne(written, "username", sources, problems);
  const password = resolveOne(written, "password", sources, problems);
  return { mechanism: written.mechanism, username, password };
}

function resolveOne(
  written: WrittenSasl,
  name: "username" | "password",
  sources: SecretSources,
  problems: Problem[],
): string {
  const base = ["kafka", "sasl"];
  const fault = (key: string, message: string) => {
    problems.push({ path: [...base, key], at: "value", message });
    return "";
  };
  const keys = [name, `${name}_env`, `${name}_file`] as const;
  const given = keys.filter((key) => written[key] !== undefined);
  const [key, second] = given;
  if (key === undefined) return fault(name, `this key is missing; write ${keys[1]}, ${keys[2]} or ${name}`);
  if (second !== undefined) {
    return fault(second, `the ${name} is given twice, by ${key} and ${second}; keep one`);
  }
  const value = written[key]!;
  if (key === `${name}_env`) {
    const found = sources.env[value];
    if (found === undefined || found === "") {
      return fault(key, `the environment variable ${value} is not set`);
    }
    return found;
  }
  if (key === `${name}_file`) {
    const path = sources.absolute(value);
    const read = tryRead(sources.files, path);
    if (!read.ok) return fault(key, `${path} ${read.problem}`);
    // Secret files end with the newline that their editor put there.
    const text = read.text.replace(/\r?\n$/, "");
    return text === "" ? fault(key, `${path} is empty`) : text;
  }
  return value;
}
