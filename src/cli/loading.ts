/**
 * The options that say which configuration is meant, shared by all commands that need one.
 *
 * @module
 */
import type { Files } from "../config/files.ts";
import { loadConfig, type LoadResult } from "../config/load.ts";
import type { Arguments, Option } from "./arguments.ts";
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
