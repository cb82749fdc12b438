/**
 * `${NAME}` in the texts of a configuration, read after parsing, so that no value can break the YAML around it.
 *
 * `${NAME:-text}` gives a default, `$${NAME}` means the characters `${NAME}` themselves. Rules and tests are left
 * alone: they can be changed through the admin API, and whoever may do that must not be able to read the
 * environment by it.
 *
 * @module
 */
import type { Problem } from "./explain.ts";
import type { Path } from "./yaml.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

const reference = /\$(\$?)\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|[^}]*\}?)/g;

/** Returns `value` with its references replaced; what cannot be replaced is added to `problems`. */
export function substitute(value: unknown, env: Environment, problems: Problem[], path: Path = []): unknown {
  if (typeof value === "string") return value.includes("${") ? inText(value, env, problems, path) : value;
  if (Array.isArray(value)) {
    return value.map((item, index) => substitute(item, env, problems, [...path, index]));
  }
  if (typeof value !== "object" || value === null) return value;
  const map: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) map[key] = substitute(item, env, problems, [...path, key]);
  return map;
}

/** Values that no message may repeat, not even in part. */
function isSecret(path: Path): boolean {
  return /^(?:.*\.)?(?:password|client_secret|sasl\.oauthbearer\.client\.secret)$/.test(String(path.at(-1)));
}

function inText(text: string, env: Environment, problems: Problem[], path: Path): string {
  return text.replace(
    reference,
    (whole, escape: string, name: string | undefined, fallback: string | undefined) => {
      if (escape !== "") return whole.slice(1);
      if (name === undefined) {
        if (isSecret(path)) {
          const message = "has ${ in it, which names no environment variable; write $${ for these characters";
          problems.push({ path, at: "value", message });
          return whole;
        }
        problems.push({
          path,
          at: "value",
          message:
            `${whole} names no environment variable; write \${NAME}, or $${whole} for these characters themselves`,
        });
        return whole;
      }
      const found = env[name];
      if (found !== undefined && (found !== "" || fallback === undefined)) return found;
      if (fallback !== undefined) return fallback;
      problems.push({
        path,
        at: "value",
        message: `the environment variable ${name} is not set; set it or write \${${name}:-default}`,
      });
      return whole;
    },
  );
}
