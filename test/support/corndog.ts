/**
 * Starts corndog as a person would, as a process of its own: from source on this runtime, or the compiled binary
 * when CORNDOG_BINARY names one. Addresses are read from its log, so that all ports can be 0.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Stats } from "../../src/admin/stats_view.ts";
import { until } from "./until.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** The command that runs corndog, without arguments. */
export function corndogCommand(): string[] {
  const binary = process.env.CORNDOG_BINARY;
  if (binary !== undefined) return [binary];
  const bun = "Bun" in globalThis;
  return bun
    ? [process.execPath, join(root, "src/main.ts")]
    : [process.execPath, "run", "-A", "--config", join(root, "deno.json"), join(root, "src/main.ts")];
}

/** One line of corndog's log. */
export type LogLine = Record<string, unknown> & { event: string; level: string };

/** A running corndog. */
export class Corndog {
  readonly dir: string;
  readonly logs: LogLine[] = [];
  /** What it wrote to stdout, and to stderr besides the log. */
  stdout = "";
  stderr = "";
  exitCode: number | null | undefined;
  readonly #child: ChildProcess;

  private constructor(dir: string, child: ChildProcess) {
    this.dir = dir;
    this.#child = child;
    let half = "";
    child.stdout!.on("data", (data) => this.stdout += data);
    child.stderr!.on("data", (data) => {
      half += data;
      const lines = half.split("\n");
      half = lines.pop()!;
      for (const line of lines) this.#line(line);
    });
    child.on("close", (code) => {
      if (half !== "") this.#line(half);
      this.exitCode = code;
    });
  }

  /** Starts it with `config` as corndog.yml in a fresh directory; `args` are put behind `run -c corndog.yml`. */
  static async start(
    config: string,
    options: {
      args?: string[];
      env?: Record<string, string>;
      files?: Record<string, string>;
      file?: string;
      dir?: string;
      launcher?: readonly string[];
    } = {},
  ): Promise<Corndog> {
    const dir = options.dir ?? await mkdtemp(join(tmpdir(), "corndog-test-"));
    const file = options.file ?? "corndog.yml";
    await writeFile(join(dir, file), config);
    for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(join(dir, name), text);
    return Corndog.spawn(dir, ["run", "-c", file, ...options.args ?? []], options.env, options.launcher);
  }

  /** Starts it with exactly these arguments in `dir`, through `launcher`, which runs the command behind its own. */
  static spawn(
    dir: string,
    args: string[],
    env: Record<string, string> = {},
    launcher: readonly string[] = [],
  ): Corndog {
    const [command, ...first] = [...launcher, ...corndogCommand()];
    const child = spawn(command!, [...first, ...args], {
      cwd: dir,
      env: { ...process.env, CORNDOG_LOG: "json", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new Corndog(dir, child);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Waits for a log event. */
  async event(name: string, deadlineMs = 20_000): Promise<LogLine> {
    return await until(`event "${name}"`, () => {
      const found = this.logs.find((line) => line.event === name);
      if (found === undefined && this.exitCode !== undefined) {
        throw new Error(`corndog exited with ${this.exitCode} before "${name}":\n${this.#everything()}`);
      }
      return found;
    }, deadlineMs);
  }

  /** Waits until it listens. */
  async started(): Promise<this> {
    await this.event("started");
    return this;
  }

  /** Port of the first listener of this transport. */
  port(transport: string): number {
    const line = this.logs.find((one) => one.event === "listening" && one.transport === transport);
    if (line === undefined) throw new Error(`no ${transport} listener in the log:\n${this.#everything()}`);
    return Number(String(line.address).split(":").pop());
  }

  /** Base URL of the admin API. */
  get admin(): string {
    return String(this.logs.find((line) => line.event === "started")!.admin);
  }

  /** Rejects with a "TimeoutError" when there is no answer for ten seconds. */
  async stats(): Promise<Stats> {
    // A connection of its own: one that is kept may be to a process that ends at this moment (an upgrade).
    const options = { signal: AbortSignal.timeout(10_000), headers: { connection: "close" } };
    const response = await fetch(`${this.admin}/admin/stats`, options);
    if (!response.ok) throw new Error(`/admin/stats answered ${response.status}: ${await response.text()}`);
    return await response.json() as Stats;
  }

  /** Waits until the stats satisfy `condition`. */
  async statsWhen(what: string, condition: (stats: Stats) => boolean, deadlineMs = 30_000): Promise<Stats> {
    let last: Stats | undefined;
    try {
      return await until(what, async () => {
        const now = await this.stats().catch((error: Error) => {
          if (error.name === "TimeoutError") return undefined;
          throw error;
        });
        last = now ?? last;
        return now !== undefined && condition(now) ? now : undefined;
      }, deadlineMs);
    } catch (error) {
      throw new Error(
        `${(error as Error).message}; ledger ${JSON.stringify(last?.ledger)}, sink ${
          JSON.stringify(last?.sink)
        }; its log:\n${this.#everything()}`,
      );
    }
  }

  signal(signal: "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    // Not child.kill(): on Deno a second one does nothing.
    process.kill(this.pid, signal);
  }

  /** Waits for its end. */
  async ended(deadlineMs = 45_000): Promise<number | null> {
    try {
      await until("the end of corndog", () => this.exitCode !== undefined || undefined, deadlineMs);
    } catch (error) {
      throw new Error(`${(error as Error).message}; its log:\n${this.#everything()}`);
    }
    return this.exitCode!;
  }

  /** SIGTERM, then the end. */
  async stop(): Promise<number | null> {
    if (this.exitCode === undefined) this.signal("SIGTERM");
    return await this.ended();
  }

  /** Ends it whatever its state and removes its directory; for `finally`. */
  async dispose(): Promise<void> {
    if (this.exitCode === undefined) {
      this.signal("SIGKILL");
      await this.ended();
    }
    await rm(this.dir, { recursive: true, force: true });
  }

  #line(line: string): void {
    try {
      const parsed = JSON.parse(line) as LogLine;
      if (typeof parsed.event === "string") {
        this.logs.push(parsed);
        return;
      }
    } catch { /* no log line: kept as text below */ }
    this.stderr += `${line}\n`;
  }

  /** What it said last. */
  #everything(): string {
    return `${this.stderr}${
      this.logs.slice(-40).map((line) => JSON.stringify(line)).join("\n")
    }\n${this.stdout}`;
  }
}

/** Connects a client socket. */
export function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.on("error", () => {});
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Writes all of `text` and waits until the socket took it. */
export function write(socket: Socket, text: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => socket.write(text, (error) => error ? reject(error) : resolve()));
}

/** Ends the writing side and waits for the other. */
export function finish(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    socket.end();
    socket.resume();
  });
}
