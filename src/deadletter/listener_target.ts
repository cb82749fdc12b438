/**
 * Sends letters as lines to a syslog listener of corndog, as any sender would: their rules run again.
 *
 * TCP says nothing of what was taken. So each group of letters has a connection of its own that is ended by us first:
 * when corndog ends its side too, it has read all of it. A group whose connection ends otherwise is sent again; so that
 * a connection which was closed at once (a limit, a sender that is not allowed) is not taken for one that was read, our
 * end waits a moment for such a close.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { ForwarderError, messageOf } from "../core/errors.ts";
import type { StoredLetter } from "./stored_letter.ts";

/** Where lines go: an address, or a unix socket. */
export interface ListenerAddress {
  readonly host: string;
  readonly port: number;
  /** Of a unix socket; empty for TCP. */
  readonly path: string;
  readonly framing: "auto" | "newline" | "octet" | "nul";
}

const connectTimeoutMs = 5000;
/** A close that comes at once is here by then, from anywhere near. */
const closeWaitMs = 100;
/** A corndog that waits for Kafka or its disk reads on some time; longer than this is said. */
const quietTimeoutMs = 120_000;

/** How a letter is framed on the wire. */
type Framing = "newline" | "octet" | "nul";

const [nul, newline, carriageReturn, lessThan] = [0, 10, 13, 0x3c];

/** How the bytes can be sent so that they arrive as they are; or why they cannot. */
export function framingOf(
  value: Uint8Array,
  framing: ListenerAddress["framing"],
): { readonly ok: true; readonly framing: Framing } | { readonly ok: false; readonly why: string } {
  if (value.length === 0) return { ok: false, why: "it is empty" };
  const hasPriority = value[0] === lessThan;
  if ((framing === "auto" || framing === "octet") && hasPriority) return { ok: true, framing: "octet" };
  if (framing === "octet") return { ok: false, why: "it has no priority, which octet counting wants" };
  if (framing === "nul") {
    return value.includes(nul)
      ? { ok: false, why: "it has a NUL in it, which ends lines there" }
      : { ok: true, framing: "nul" };
  }
  if (value.includes(newline) || value[value.length - 1] === carriageReturn) {
    return { ok: false, why: "it has an end of line in it" };
  }
  if (framing === "auto" && (looksCounted(value) || value.includes(nul))) {
    return { ok: false, why: "it would be taken for another framing" };
  }
  return { ok: true, framing: "newline" };
}

/** Digits, a space and "<" are the count of an octet-counted frame. */
function looksCounted(value: Uint8Array): boolean {
  return /^\d{1,9} </.test(Buffer.from(value.subarray(0, 16)).toString("latin1"));
}

/** The bytes on the wire. */
export function frame(value: Uint8Array, framing: Framing): Buffer {
  switch (framing) {
    case "octet":
      return Buffer.concat([Buffer.from(`${value.length} `), value]);
    case "newline":
      return Buffer.concat([value, Buffer.of(newline)]);
    case "nul":
      return Buffer.concat([value, Buffer.of(nul)]);
  }
}

/** Sends letters, all of which can be framed. Resolves when corndog has read them. @throws ForwarderError */
export async function sendLines(letters: readonly StoredLetter[], address: ListenerAddress): Promise<void> {
  const groups = new Map<Framing, Buffer[]>();
  for (const { value } of letters) {
    const framed = framingOf(value, address.framing);
    if (!framed.ok) continue;
    const frames = groups.get(framed.framing) ?? [];
    frames.push(frame(value, framed.framing));
    groups.set(framed.framing, frames);
  }
  for (const frames of groups.values()) await sendAll(Buffer.concat(frames), address);
}

/** `host:port` or the path of the socket. */
export function addressName({ host, port, path }: ListenerAddress): string {
  return path === "" ? `${host.includes(":") ? `[${host}]` : host}:${port}` : path;
}

function sendAll(bytes: Buffer, address: ListenerAddress): Promise<void> {
  const name = addressName(address);
  return new Promise((resolve, reject) => {
    let isConnected = false;
    let isEnded = false;
    let endTimer: ReturnType<typeof setTimeout> | undefined;
    const fail = (code: "deadline_exceeded" | "stopped", reason: string, cause?: unknown): void => {
      clearTimeout(endTimer);
      reject(new ForwarderError(code, `Cannot replay to "${name}": ${reason}`, { cause, retryable: true }));
      socket.destroy();
    };
    const to = address.path === "" ? { host: address.host, port: address.port } : { path: address.path };
    const socket: Socket = connect({ ...to, allowHalfOpen: true });
    socket.setTimeout(connectTimeoutMs, () => {
      const waitedMs = isConnected ? quietTimeoutMs : connectTimeoutMs;
      fail(
        "deadline_exceeded",
        isConnected ? `nothing was read for ${waitedMs} ms` : `no answer in ${waitedMs} ms`,
      );
    });
    socket.on("connect", () => {
      isConnected = true;
      socket.setTimeout(quietTimeoutMs);
      socket.write(bytes, () => {
        endTimer = setTimeout(() => {
          isEnded = true;
          socket.end();
        }, closeWaitMs);
      });
    });
    socket.on("end", () => {
      if (!isEnded) fail("stopped", "it closed the connection before the end of the lines");
    });
    socket.on(
      "error",
      (cause: Error & { code?: string }) => fail("stopped", cause.code ?? messageOf(cause), cause),
    );
    socket.on("close", () => {
      if (isEnded) resolve();
      else fail("stopped", "the connection was closed before all lines were sent");
    });
    socket.resume();
  });
}
