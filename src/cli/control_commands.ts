/**
 * `corndog reload` and `corndog upgrade`: what an operator has a running corndog do.
 *
 * @module
 */
import type { UpgradeResult } from "../admin/control.ts";
import type { SwapResult } from "../admin/rules_view.ts";
import { adminOptions, postAdmin } from "./admin_client.ts";
import { type Call, type Command, exitCode } from "./command.ts";

/** As long as the API itself waits, and a moment. */
const reloadMsMax = 65_000;
const upgradeMsMax = 95_000;

/** `corndog reload`. */
export const reloadCommand: Command = {
  name: "reload",
  usage: "[--admin URL] [--token-file FILE] [--json]",
  summary: "has a running corndog read its configuration again",
  details:
    `Rules, listeners and certificates change while it runs; connections of listeners that do not change stay.
Other keys need a new process (corndog upgrade), and are named. A faulty configuration changes nothing.
SIGHUP does the same.`,
  options: adminOptions,
  examples: [["corndog check && corndog reload", "after an edit"]],
  restMax: 0,
  async act(call: Call): Promise<number> {
    const answer = await postAdmin<SwapResult & { ok: true }>(call, "/admin/reload", reloadMsMax);
    if (answer === undefined) return exitCode.faults;
    const { given, io } = call;
    io.out(given.switches.has("json") ? `${JSON.stringify(answer, undefined, 2)}\n` : reloadText(answer));
    return exitCode.fine;
  },
};

/** `corndog upgrade`. */
export const upgradeCommand: Command = {
  name: "upgrade",
  usage: "[--admin URL] [--token-file FILE] [--json]",
  summary: "has a running corndog start the program anew, which takes over",
  details:
    `The new process is started with the same command line, so it is the binary that lies there now, with the
configuration as it is now. It gets the listening sockets: nobody is refused. When it serves, the old one
reads its connections to their end (drain_timeout at most), delivers, and ends. If it does not come to
serve, the old one goes on and says why. SIGUSR1 does the same.`,
  options: adminOptions,
  examples: [["sh install.sh --systemd && corndog upgrade", "another version without a lost line"]],
  restMax: 0,
  async act(call: Call): Promise<number> {
    const answer = await postAdmin<UpgradeResult & { ok: true }>(call, "/admin/upgrade", upgradeMsMax);
    if (answer === undefined) return exitCode.faults;
    const { given, io } = call;
    io.out(
      given.switches.has("json")
        ? `${JSON.stringify(answer, undefined, 2)}\n`
        : `process ${answer.pid} serves; the old one reads its connections to the end\n`,
    );
    return exitCode.fine;
  },
};

function reloadText({ version, rules, listeners, restart_needed }: SwapResult & { ok: true }): string {
  const rows = [`rules: version ${version}, ${rules} in force`];
  const say = (what: string, names: readonly string[] | undefined) => {
    if (names !== undefined && names.length > 0) rows.push(`${what}: ${names.join(", ")}`);
  };
  say("listeners opened", listeners?.opened);
  say("listeners closed", listeners?.closed);
  say("listeners changed", listeners?.changed);
  say("changed, and not in force before corndog upgrade or a restart", restart_needed);
  return `${rows.join("\n")}\n`;
}
