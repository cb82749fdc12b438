/**
 * A systemd that runs as process 1 of a guest (guest.sh): services, users and packages of a test happen in there, over
 * a copy-on-write view of this machine.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { until } from "./until.ts";

const script = fileURLToPath(new URL("./guest.sh", import.meta.url));
/** systemd is there in half a second; a machine that is busy takes its time. */
const bootMsMax = 30_000;
/** Longest time of one command. */
const commandMsMax = 120_000;

/** What a command of a guest said. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A guest that runs. */
export class Guest {
  /** A directory of this machine that the guest has as `/srv/share`. */
  readonly share: string;
  readonly #work: string;
  readonly #child: ChildProcess;
  #pid = 0;

  private constructor() {
    this.#work = mkdtempSync(join(tmpdir(), "corndog-guest-"));
    this.share = join(this.#work, "share");
    this.#child = spawn("sh", [script, this.#work], { stdio: ["pipe", "inherit", "pipe"] });
  }

  /** Boots one. A string says why there can be none on this machine. */
  static async boot(): Promise<Guest | string> {
    if (process.getuid?.() !== 0) return "a guest with systemd needs root";
    if (!existsSync("/lib/systemd/systemd")) return "systemd is not installed";
    const guest = new Guest();
    let said = "";
    guest.#child.stderr!.on("data", (data) => said += data);
    try {
      await until("systemd", () => {
        if (guest.#child.exitCode !== null) throw new Error("it ended:");
        const file = join(guest.share, "pid");
        guest.#pid = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
        return guest.#pid > 0 && guest.run("systemctl", "is-system-running").stdout === "running\n" ||
          undefined;
      }, bootMsMax);
      return guest;
    } catch (error) {
      await guest.end();
      return `no guest with systemd: ${[(error as Error).message, said.trim()].join(" ")}`;
    }
  }

  /** A file of the guest as this machine sees it. */
  path(name: string): string {
    return join(`/proc/${this.#pid}/root`, name);
  }

  /** A command line that runs in the guest. */
  command(...words: readonly string[]): string[] {
    return ["nsenter", "--target", String(this.#pid), "--all", ...words];
  }

  /** Runs a command to its end. */
  run(...words: readonly string[]): Said {
    const [command, ...args] = this.command(...words);
    const done = spawnSync(command!, args, {
      encoding: "utf8",
      timeout: commandMsMax,
      env: { PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    });
    return { code: done.status ?? -1, stdout: done.stdout, stderr: done.stderr };
  }

  /** Runs a command that must succeed, and gives what it wrote. */
  do(...words: readonly string[]): string {
    const { code, stdout, stderr } = this.run(...words);
    if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Ends it with everything in it. */
  async end(): Promise<void> {
    this.#child.stdin!.end();
    await until("the end of the guest", () => this.#child.exitCode !== null || undefined, bootMsMax);
    rmSync(this.#work, { recursive: true, force: true });
  }
}
