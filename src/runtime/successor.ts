/**
 * Starts a process that inherits descriptors: the successor of this one at an upgrade. Neither runtime's child process
 * can pass any descriptor, so posix_spawn(3) does it; it is safe in a process with threads, as fork(2) is not.
 *
 * The child finds the descriptors from 3 on, as with systemd's socket activation, and behind them the writing end of a
 * pipe. It writes `s` there when it serves, and the number of the process that does, which may be a child of its own;
 * the pipe's end without a byte says that it failed.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { readdir } from "node:fs/promises";
import { ForwarderError } from "../core/errors.ts";
import { type CLibrary, openCLibrary } from "./c_library.ts";

/** Where inherited descriptors begin. */
export const firstInheritedFd = 3;

// Linux on x86-64 and ARM64.
const O_CLOEXEC_NONBLOCK = 0o2004000;
const F_DUPFD_CLOEXEC = 1030;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const WNOHANG = 1;
/** posix_spawn_file_actions_t takes 80 bytes in glibc and musl. */
const actionsBytes = 512;

/** A process that was started and may not serve yet. */
export interface Successor {
  /** The process that was started; once it serves, the one that does. */
  readonly pid: number;
  /** What it said so far. */
  state(): "starting" | "serving" | "ended";
  /** Exit code of the process that was started, or the signal that ended it; undefined while it has not ended. */
  end(): string | undefined;
  /** Gives the pipe back. */
  close(): void;
}

type Calls = CLibrary["calls"];

const shapes = {
  posix_spawnp: "pppppp",
  posix_spawn_file_actions_init: "p",
  posix_spawn_file_actions_adddup2: "pii",
  posix_spawn_file_actions_destroy: "p",
  pipe2: "pi",
  fcntl: "iii",
  close: "i",
  read: "ipu",
  waitpid: "ipi",
};

/**
 * Starts `command` (its first word is looked up as a shell would) with `environment`, which is asked for once the
 * number of the pipe's descriptor in the child is known.
 *
 * @throws ForwarderError `not_supported` without FFI, `upgrade_failed` where the system refuses
 */
export async function startSuccessor(
  command: readonly string[],
  descriptors: readonly number[],
  environment: (pipeFd: number) => Readonly<Record<string, string>>,
): Promise<Successor> {
  const { calls: c, addressOf } = await openLibrary();
  const ends = new Int32Array(2);
  if (c.pipe2!(bytesOf(ends), O_CLOEXEC_NONBLOCK) !== 0) throw failed("no pipe can be made");
  const [readEnd, writeEnd] = [ends[0]!, ends[1]!];
  const passed = [...descriptors, writeEnd];
  // Above all places in the child, so that no dup2 there takes away what a later one needs.
  const above = firstInheritedFd + passed.length;
  const sources = passed.map((fd) => c.fcntl!(fd, F_DUPFD_CLOEXEC, above));
  try {
    if (sources.some((fd) => fd < 0)) throw failed("there are too few descriptors");
    await keepOwn(c);
    const pid = spawn(c, addressOf, command, environment(firstInheritedFd + descriptors.length), sources);
    return watch(c, pid, readEnd);
  } catch (error) {
    c.close!(readEnd);
    throw error;
  } finally {
    for (const fd of [...sources, writeEnd]) if (fd >= 0) c.close!(fd);
  }
}

/** What the runtimes left inheritable, and what was inherited, stays here: else it would add up over generations. */
async function keepOwn(c: Calls): Promise<void> {
  for (const name of await readdir("/proc/self/fd").catch(() => [])) {
    const fd = Number(name);
    if (fd >= firstInheritedFd) c.fcntl!(fd, F_SETFD, FD_CLOEXEC);
  }
}

function spawn(
  c: Calls,
  addressOf: (bytes: Uint8Array) => number,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  sources: readonly number[],
): number {
  const texts = [...command, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)]
    .map((text) => Buffer.from(`${text}\0`));
  // One block for everything that is pointed to: small arrays may lie in memory that moves.
  const pointersAt = actionsBytes;
  const pointerBytes = (texts.length + 2) * 8;
  const textsAt = pointersAt + pointerBytes;
  const block = Buffer.alloc(Math.max(4096, textsAt + texts.reduce((sum, { length }) => sum + length, 0)));
  const base = BigInt(addressOf(block));
  let at = textsAt;
  texts.forEach((text, index) => {
    // Each of the two lists ends with a null pointer.
    const place = index < command.length ? index : index + 1;
    block.writeBigUInt64LE(base + BigInt(at), pointersAt + place * 8);
    at += text.copy(block, at);
  });
  const actions = block.subarray(0, actionsBytes);
  const argv = block.subarray(pointersAt);
  const envp = block.subarray(pointersAt + (command.length + 1) * 8);
  const pid = new Int32Array(1);
  if (c.posix_spawn_file_actions_init!(actions) !== 0) throw failed("no memory");
  try {
    sources.forEach((fd, index) => {
      const refused = c.posix_spawn_file_actions_adddup2!(actions, fd, firstInheritedFd + index) !== 0;
      if (refused) throw failed("there are too few descriptors");
    });
    const errno = c.posix_spawnp!(bytesOf(pid), block.subarray(textsAt), actions, null, argv, envp);
    if (errno !== 0) throw failed(`"${command[0]}" cannot be started (errno ${errno})`);
  } finally {
    c.posix_spawn_file_actions_destroy!(actions);
  }
  return pid[0]!;
}

function watch(c: Calls, child: number, readEnd: number): Successor {
  const word = new Uint8Array(16);
  const status = new Int32Array(1);
  let state: ReturnType<Successor["state"]> = "starting";
  let open = true;
  let serving = child;
  let end: string | undefined;
  return {
    get pid() {
      return serving;
    },
    state() {
      if (!open || state !== "starting") return state;
      const got = Number(c.read!(readEnd, word, word.length));
      if (got > 0) {
        state = "serving";
        serving = Number(new TextDecoder().decode(word.subarray(1, got))) || child;
      } else if (got === 0) state = "ended";
      return state;
    },
    end() {
      if (end === undefined && c.waitpid!(child, bytesOf(status), WNOHANG) === child) {
        const value = status[0]!;
        end = (value & 0x7f) === 0 ? `exit code ${(value >> 8) & 0xff}` : `signal ${value & 0x7f}`;
      }
      return end;
    },
    close() {
      if (open) c.close!(readEnd);
      open = false;
    },
  };
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer);
}

function failed(message: string): ForwarderError {
  return new ForwarderError("upgrade_failed", `Cannot start a successor: ${message}`);
}

async function openLibrary(): Promise<CLibrary> {
  try {
    return await openCLibrary(shapes);
  } catch (cause) {
    throw new ForwarderError(
      "not_supported",
      "Cannot start a successor: that needs Linux and FFI, which is not allowed here",
      { cause },
    );
  }
}
