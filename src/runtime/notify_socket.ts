/**
 * The socket through which systemd hears of a service (sd_notify(3)): one datagram per message to the unix socket
 * that `NOTIFY_SOCKET` names. Neither runtime has unix datagrams, so calls of the C library do it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { openCLibrary } from "./c_library.ts";

// Linux on x86-64 and ARM64.
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0x80002;
const MSG_DONTWAIT_NOSIGNAL = 0x4040;
const CLOCK_MONOTONIC = 1;
/** Bytes of `sun_path`, unix(7). */
const pathBytesMax = 108;

const shapes = { socket: "iii", sendto: "ipuipu", clock_gettime: "ip" };

/** Sends messages to the service manager. */
export interface NotifySocket {
  /** False when the manager did not take it; there is nothing to do about that but to say so. */
  send(message: string): boolean;
  /** CLOCK_MONOTONIC in microseconds, which systemd compares with; the runtimes' own clocks begin with the process. */
  monotonicMicros(): bigint;
}

/**
 * Opens the socket at `path` (`NOTIFY_SOCKET`; `@` begins an abstract name).
 *
 * @throws Error when the path is not one, or where the C library cannot be called (`--allow-ffi` is missing)
 */
export async function openNotifySocket(path: string): Promise<NotifySocket> {
  const address = addressOf(path);
  const { calls } = await openCLibrary(shapes);
  const fd = calls.socket!(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) throw new Error("no unix socket can be made");
  return {
    send(message) {
      const bytes = Buffer.from(message);
      return calls.sendto!(fd, bytes, bytes.length, MSG_DONTWAIT_NOSIGNAL, address, address.length) ===
        bytes.length;
    },
    monotonicMicros() {
      const time = new BigInt64Array(2);
      calls.clock_gettime!(CLOCK_MONOTONIC, time);
      return time[0]! * 1_000_000n + time[1]! / 1000n;
    },
  };
}

/** `struct sockaddr_un`, as long as its path. */
function addressOf(path: string): Uint8Array {
  if (!path.startsWith("/") && !path.startsWith("@")) {
    throw new Error(`NOTIFY_SOCKET "${path}" is neither a path nor an abstract name`);
  }
  const isAbstract = path.startsWith("@");
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > pathBytesMax) throw new Error(`NOTIFY_SOCKET "${path}" is too long`);
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}
