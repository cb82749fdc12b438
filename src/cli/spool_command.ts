/**
 * `corndog spool`: looks into a spool and mends it, whether a corndog uses it or not.
 *
 * @module
 */
import { resolve } from "node:path";
import { codeOf, ioProblem } from "../core/io_problem.ts";
import { type Call, type Command, exitCode } from "./command.ts";
import { reportError } from "./report.ts";

/** `corndog spool`. */
export const spoolCommand: Command = {
  name: "spool",
  usage: "ls|verify|cat|repair DIR [--topic T] [--all] [--segments] [--requeue] [--json]",
  summary: "look into a spool, check it, read it, mend it",
  details: `DIR is the folder of spool.dir, or one worker's folder in it. A running corndog is not disturbed.

  ls      what lies in it: bytes, batches and lines that wait, how old they are, who uses it
  verify  reads every byte and names what is damaged; exit code 1 if something is
  cat     writes the values of the lines that wait; DIR may be a file of its quarantine, too
  repair  cuts torn ends, writes indexes and cursors anew, sets aside what is no segment; not while it is in use`,
  options: [
    { name: "topic", value: "T", description: "cat: lines of this topic only" },
    { name: "all", description: "cat: also lines that were sent and whose segment is still there" },
    { name: "segments", description: "ls: each segment" },
    { name: "requeue", description: "repair: what was set aside and is whole is sent again" },
    { name: "json", description: "one JSON object per line" },
  ],
  examples: [
    ["corndog spool ls /var/lib/corndog/spool", "what waits for Kafka"],
    ["corndog spool cat ./corndog-data/spool --topic orders | less", "the lines themselves"],
    ["corndog spool repair ./corndog-data/spool --requeue", "after damage, with corndog stopped"],
  ],
  restMax: 2,
  async act({ given, io }: Call): Promise<number> {
    const [name = "", dir] = given.rest;
    // Loaded here: no other command needs it.
    const { actions } = await import("./spool_actions.ts");
    const action = actions[name];
    if (action === undefined || dir === undefined) {
      const what = action === undefined
        ? `${name === "" ? "" : `"${name}": `}write ls, verify, cat or repair`
        : "";
      reportError(io, `spool wants an action and a folder${what === "" ? "" : `; ${what}`}`);
      io.err(`Usage: corndog spool ${spoolCommand.usage}\n`);
      return exitCode.usage;
    }
    const path = resolve(io.cwd, dir);
    try {
      return await action(path, given, io);
    } catch (error) {
      if (codeOf(error) === "unknown") throw error;
      reportError(io, ioProblem("read the spool in", path, error));
      return exitCode.faults;
    }
  },
};
