/**
 * Child processes that cannot outlive the test that started them.
 *
 * A broker is a heavy thing to leave behind, and test processes get killed. So each one runs under a small shell
 * that reads its standard input: when the test process ends in any way, the pipe closes, the shell kills the
 * broker and removes its directory. Should the shell itself be killed, the broker gets SIGKILL as parent-death
 * signal (`setpriv --pdeathsig`, where there is one).
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";

/** A process under guard. */
export interface GuardedProcess {
  /** The process itself, not its guard. */
  readonly pid: number;
  /** True until it ended. */
  readonly alive: boolean;
  /** Resolves when it ended. */
  readonly ended: Promise<void>;
  /** Its first lines of standard output, without newline, one per call, or undefined at its end. */
  line(): Promise<string | undefined>;
  /** Writes one line to its standard input. */
  say(text: string): void;
  /** Sends a signal; nothing happens if it ended already. */
  signal(name: "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void;
}

/** What to run and what to clean up after it. */
export interface GuardedCommand {
  readonly argv: readonly string[];
  /** Takes its standard error (and standard output too, unless it talks). */
  readonly logFile: string;
  /** Removed if the test process ends without stopping it. */
  readonly directory: string;
  /** True if it takes lines on standard input and answers on standard output. */
  readonly talks: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The guard. Descriptor 3 is the pipe from the test process, 4 the pipe to it. With talking processes the lines
 * pass through to the child; the end of the input is what kills it.
 */
const guardScript = `
log=$1; dir=$2; talks=$3; shift 3
exec 3<&0 4>&1
abandoned() {
  trap '' TERM # the guard, which sees the child end, must not end this before it is done
  kill -9 $child 2>/dev/null
  rm -rf "$dir" 2>/dev/null || { sleep 1; rm -rf "$dir"; } # a neighbour may still have been writing
}
if command -v setpriv >/dev/null 2>&1; then set -- setpriv --pdeathsig KILL "$@"; fi
if [ "$talks" = yes ]; then
  mkfifo "$dir/stdin"
  "$@" <"$dir/stdin" >&4 2>>"$log" 3<&- &
  child=$!
  echo "pid $child" >&4
  exec 4>&-
  ( exec 5>"$dir/stdin"; while read -r text; do echo "$text" >&5; done; abandoned ) <&3 3<&- &
else
  "$@" </dev/null >>"$log" 2>&1 3<&- 4>&- &
  child=$!
  echo "pid $child" >&4
  exec 4>&-
  ( while read -r text; do :; done; abandoned ) <&3 3<&- &
fi
reader=$!
wait $child
code=$?
kill $reader 2>/dev/null
exit $code
`;

/** Starts a process under guard and waits until its pid is known. */
export async function spawnGuarded(command: GuardedCommand): Promise<GuardedProcess> {
  const guard = spawn(
    "sh",
    [
      "-c",
      guardScript,
      "guard",
      command.logFile,
      command.directory,
      command.talks ? "yes" : "no",
      ...command.argv,
    ],
    { stdio: ["pipe", "pipe", "ignore"], env: { ...process.env, ...command.env } },
  );
  const lines: string[] = [];
  let rest = "";
  let atEnd = false;
  let wake = (): void => {};
  guard.stdout.setEncoding("utf8");
  guard.stdout.on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    lines.push(...parts);
    wake();
  });
  guard.stdout.on("error", () => {});
  guard.stdin.on("error", () => {}); // it ended; `ended` tells
  let alive = true;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      alive = false;
      atEnd = true;
      wake();
      resolve();
    };
    guard.on("exit", end);
    guard.on("error", end);
  });
  const line = async (): Promise<string | undefined> => {
    while (lines.length === 0 && !atEnd) await new Promise<void>((resolve) => wake = resolve);
    return lines.shift();
  };

  const first = await line();
  const pid = Number(first?.match(/^pid (\d+)$/)?.[1]);
  if (!Number.isInteger(pid)) {
    throw new Error(`Cannot start ${command.argv[0]}: its guard said "${first ?? ""}"`);
  }
  return {
    pid,
    get alive() {
      return alive;
    },
    ended,
    line,
    say: (text) => void guard.stdin.write(text + "\n"),
    signal(name) {
      if (!alive) return;
      try {
        process.kill(pid, name);
      } catch {
        // It ended between the check and the call.
      }
    },
  };
}

/** Output of a command that ended with 0. Throws with its standard error otherwise. */
export function run(
  argv: readonly string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
    });
    const out: Uint8Array[] = [];
    let complaint = "";
    child.stdout.on("data", (chunk: Uint8Array) => out.push(chunk));
    child.stderr.on("data", (chunk: Uint8Array) => complaint += new TextDecoder().decode(chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(concat(out));
      else reject(new Error(`${argv[0]} ended with ${code}: ${complaint.trim().slice(-2000)}`));
    });
  });
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** True if a program of this name is on the path. */
export async function onPath(program: string): Promise<boolean> {
  return await run(["sh", "-c", 'command -v "$1"', "sh", program]).then(() => true, () => false);
}

/** Calls `probe` until it gives something, or throws with `what` when the time is over. */
export async function until<T>(
  what: string,
  deadlineMs: number,
  probe: () => Promise<T | undefined>,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`Waited ${deadlineMs} ms in vain: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
