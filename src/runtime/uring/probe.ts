/**
 * Whether io_uring can be used by this thread, found out by doing with it what a listener does: make a ring, give it
 * receive buffers in a WebAssembly memory, receive over a socket, cancel. A kernel, a container or a runtime in which
 * any of that does not work is told apart by what it said, in words that name who forbids it and what to do.
 *
 * What it takes: Linux 6.1 (multishot receive is of 6.0, DEFER_TASKRUN of 6.1), a seccomp profile that allows the calls
 * (those of Docker and containerd do not), `kernel.io_uring_disabled` 0 (or 1 and the right group), and FFI.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { messageOf } from "../../core/errors.ts";
import { sockaddrOf } from "../descriptor_datagrams.ts";
import { openUringCalls, type UringCalls } from "./calls.ts";
import { bufferGroup, ReceiveBuffers } from "./receive_buffers.ts";
import { completionFlag, operation, requestFlag, Ring, RingRefused } from "./ring.ts";

/** Why it cannot be used: a constant name, and a sentence for people. */
export interface UringRefusal {
  readonly ok: false;
  readonly code:
    | "not_linux"
    | "no_ffi"
    | "sysctl"
    | "seccomp"
    | "permission"
    | "kernel_too_old"
    | "no_memory"
    | "failed";
  readonly reason: string;
}

/** What a probe found. */
export type UringVerdict = { readonly ok: true } | UringRefusal;

/** What the probe asks the machine; tests answer in its place. */
export interface ProbeMachine {
  readonly platform: string;
  readonly release: () => string;
  /** A file's text, undefined where it cannot be read. */
  readonly read: (path: string) => string | undefined;
  readonly calls: () => Promise<UringCalls | undefined>;
}

const EPERM = 1;
const EAGAIN = 11;
const ENOMEM = 12;
const EACCES = 13;
const EINVAL = 22;
const ENOSYS = 38;

const probeBytes = 4096;
/** The kernel answers within the call; more tries mean that it does not. */
const triesMax = 8;

const thisMachine: ProbeMachine = {
  platform: process.platform,
  release: () => read("/proc/sys/kernel/osrelease")?.trim() ?? "unknown",
  read,
  calls: openUringCalls,
};

let probed: Promise<UringVerdict> | undefined;

/** Probes once per thread. Never rejects; leaves nothing open. */
export function probeUring(machine?: ProbeMachine): Promise<UringVerdict> {
  if (machine !== undefined) return probe(machine);
  probed ??= probe(thisMachine);
  return probed;
}

async function probe(machine: ProbeMachine): Promise<UringVerdict> {
  if (machine.platform !== "linux") {
    return refusal("not_linux", "io_uring is a part of Linux, and this is not Linux");
  }
  const calls = await machine.calls();
  if (calls === undefined) {
    return refusal(
      "no_ffi",
      "the runtime cannot call the C library (FFI): Deno needs --allow-ffi, and MemoryDenyWriteExecute forbids it",
    );
  }
  let ring: Ring;
  try {
    ring = new Ring(calls);
  } catch (error) {
    return error instanceof RingRefused
      ? explain(error.errno, machine)
      : refusal("failed", `the rings cannot be mapped: ${messageOf(error)}`);
  }
  try {
    const problem = receive(calls, ring) ?? accept(calls, ring);
    return problem === undefined ? { ok: true } : refusal("failed", problem);
  } catch (error) {
    return refusal("kernel_too_old", `${messageOf(error)}; Linux ${machine.release()}, 6.1 is the least`);
  } finally {
    ring.close();
  }
}

/** Receives a few bytes into WebAssembly memory; says what did not work. */
function receive(calls: UringCalls, ring: Ring): string | undefined {
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const bytes = new Uint8Array(buffer);
  const memory = { bytes, at: 0, count: 2, headBytes: 0, bufferBytes: probeBytes };
  const buffers = new ReceiveBuffers(calls, ring, memory);
  const pair = new Int32Array(2);
  const made = calls.socketPair(pair);
  if (made < 0) {
    buffers.close();
    return `socketpair failed with errno ${-made}`;
  }
  const [reader, writer] = pair as unknown as [number, number];
  try {
    ring.request({
      op: operation.recv,
      fd: reader,
      slot: 1,
      kind: 1,
      ioprio: requestFlag.recvMultishot,
      flags: requestFlag.bufferSelect,
      bufferGroup,
    });
    ring.enter();
    calls.send(writer, new Uint8Array([0x63, 0x6f, 0x72, 0x6e]));
    if (!completed(ring)) return "a receive did not complete";
    const { result, flags } = ring;
    ring.next();
    if (result !== 4) return `a receive failed with errno ${-result}`;
    if ((flags & completionFlag.more) === 0) return "a multishot receive ended after one";
    const text = buffers.taken(flags >>> 16, result);
    if (text[0] !== 0x63 || text[3] !== 0x6e) return "received bytes are not in the memory of WebAssembly";
    ring.request({ op: operation.asyncCancel, fd: -1, slot: 1, kind: 0, addr: [1, 1] });
    for (let ended = 0; ended < 2; ended++) {
      if (!completed(ring)) return "a cancelled receive did not end";
      ring.next();
    }
    return undefined;
  } finally {
    calls.close(reader);
    calls.close(writer);
    buffers.close();
  }
}

/** An accept must wait where nobody connects, also from a socket that does not block. */
function accept(calls: UringCalls, ring: Ring): string | undefined {
  const fd = calls.listen(sockaddrOf({ bytes: new Uint8Array([127, 0, 0, 1]), port: 0 }), false, 1);
  if (fd < 0) return `a socket cannot listen on 127.0.0.1: errno ${-fd}`;
  try {
    const ioprio = requestFlag.acceptMultishot;
    ring.request({ op: operation.accept, fd, slot: 2, kind: 1, ioprio });
    ring.enter();
    if (ring.ready) return `an accept does not wait: errno ${-ring.result}`;
    ring.request({ op: operation.asyncCancel, fd: -1, slot: 2, kind: 0, addr: [2, 1] });
    for (let ended = 0; ended < 2; ended++) {
      if (!completed(ring)) return "a cancelled accept did not end";
      ring.next();
    }
    return undefined;
  } finally {
    calls.close(fd);
  }
}

function completed(ring: Ring): boolean {
  for (let tries = 0; tries < triesMax && !ring.ready; tries++) ring.enter();
  return ring.ready;
}

/** What a refused io_uring_setup(2) means on this machine. */
function explain(errno: number, machine: ProbeMachine): UringRefusal {
  switch (errno) {
    case EPERM:
    case EACCES: {
      const disabled = machine.read("/proc/sys/kernel/io_uring_disabled")?.trim();
      if (disabled === "2") {
        return refusal("sysctl", "kernel.io_uring_disabled is 2: the administrator forbids io_uring to all");
      }
      if (disabled === "1") {
        return refusal(
          "sysctl",
          "kernel.io_uring_disabled is 1: only root (CAP_SYS_ADMIN) and the group of kernel.io_uring_group may use it",
        );
      }
      if (underSeccomp(machine)) {
        return refusal(
          "seccomp",
          "a seccomp filter forbids io_uring_setup, as the default profiles of Docker and containerd do",
        );
      }
      return refusal(
        "permission",
        "io_uring_setup: permission denied (a security module, SELinux or AppArmor)",
      );
    }
    case ENOSYS:
      return underSeccomp(machine)
        ? refusal("seccomp", "a seccomp filter hides io_uring_setup, or the kernel was built without it")
        : refusal("kernel_too_old", `Linux ${machine.release()} has no io_uring`);
    case EINVAL:
      return refusal("kernel_too_old", `Linux ${machine.release()} is too old for this, 6.1 is the least`);
    case ENOMEM:
    case EAGAIN:
      return refusal(
        "no_memory",
        "io_uring_setup: no memory; LimitMEMLOCK of the service, or its memory limit",
      );
    default:
      return refusal("failed", `io_uring_setup failed with errno ${errno}`);
  }
}

/** proc_pid_status(5): 2 is filter mode. */
function underSeccomp(machine: ProbeMachine): boolean {
  return /^Seccomp:\s*2$/m.test(machine.read("/proc/self/status") ?? "");
}

function refusal(code: UringRefusal["code"], reason: string): UringRefusal {
  return { ok: false, code, reason };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
