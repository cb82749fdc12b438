/**
 * The options that say which configuration is meant, shared by all commands that need one.
 *
 * @module
 */
import type { Files } from "../config/files.ts";
import { inReadingOrder, loadConfig, type LoadResult } from "../config/load.ts";
import type { Fault } from "../core/errors.ts";
import type { Arguments, Option } from "./arguments.ts";
import type { Commands } from "./commands.ts";
import type { CliIo } from "./io.ts";

/** `-c`, `--rules`, `--set`. */
export const configOptions: readonly Option[] = [
  {
    name: "config",
    short: "c",
    value: "FILE",
    description: "configuration; default: corndog.yml, then hotdog.yml, then built in",
  },
  {
    name: "rules",
    value: "PATH",
    many: true,
    description: "rule file, folder or quoted pattern instead of the configuration's rules; may be repeated",
  },
  {
    name: "set",
    value: "KEY=VALUE",
    many: true,
    description: "override one key, such as kafka.topic=logs; may be repeated",
  },
];

/**
 * Everything that is wrong with what was loaded, in reading order. Where the configuration has faults, the rules
 * that have none so far are compiled all the same.
 */
export async function allFaults(loaded: LoadResult, commands: Commands): Promise<readonly Fault[]> {
  const found = loaded.ok ? [] : loaded.faults;
  const config = loaded.ok ? loaded.config : loaded.partial;
  if (config === undefined) return found;
  const more = (await commands.checkRules(config.rules, config)).filter((fault) =>
    // Who looks again at what is known to be wrong says it again, and not where it stands.
    fault.line > 0 || !found.some(({ path }) => path === fault.path)
  );
  const files = config.rules.files.map(({ path }) => path);
  return inReadingOrder([...found, ...more], config.file === undefined ? files : [config.file, ...files]);
}

/** Returns what loads the configuration that the arguments mean; calling it again reads the files again, or `files`. */
export function loader(given: Arguments, io: CliIo): (files?: Files) => LoadResult {
  return (files) =>
    loadConfig({
      ...(files === undefined ? {} : { files }),
      path: given.values.get("config")?.[0],
      rulePaths: given.values.get("rules") ?? [],
      sets: given.values.get("set") ?? [],
      env: io.env,
      cwd: io.cwd,
    });
}
