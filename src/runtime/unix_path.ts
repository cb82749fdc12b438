/**
 * Makes the path of a unix socket free to bind, and the bound socket open to senders. A process that was killed leaves its socket file behind and bind(2)
 * then fails for ever, so a socket that nobody answers on is removed; a live one, or a file that is no socket, never is.
 *
 * @module
 */

import { chmodSync } from "node:fs";
import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { ForwarderError, messageOf } from "../core/errors.ts";
import { errnoError } from "./address.ts";
import { sockaddrOf } from "./descriptor_datagrams.ts";
import { backlogMax } from "./globals.ts";
import { openLibc } from "./libc.ts";
import type { Listener } from "./runtime.ts";

/** A connect to a local socket answers at once, or its owner's backlog is full: then it is alive. */
const probeMs = 1000;

/**
 * Every local user may send, as to /dev/log: connect(2) needs the right to write, and a usual umask leaves it to the
 * owner alone. Who is to be kept out is kept out by the mode of the directory (unix(7)).
 */
const socketMode = 0o666;

/** Gives the bound socket at `path` its mode. Call it before the first accept. Throws what chmod(2) says. */
export function openToSenders(path: string): void {
  chmodSync(path, socketMode);
}

/**
 * Binds `path`, which nothing has, and listens there with `listen`; undefined without FFI. The runtimes' own sockets
 * remove their path when they are closed, although another process may have the socket by then; this one keeps it if
 * it is told so. Throws what bind(2) and chmod(2) say.
 */
export async function listenOwnPath(
  path: string,
  listen: (fd: number) => Promise<Listener>,
): Promise<Listener | undefined> {
  const libc = await openLibc();
  if (libc === undefined) return undefined;
  const fd = libc.listenStream(sockaddrOf(path), backlogMax);
  if (fd < 0) throw errnoError(-fd);
  try {
    openToSenders(path);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  const listener = await listen(fd);
  return {
    ...listener,
    async close(keepsPath) {
      await listener.close();
      if (keepsPath !== true) await unlink(path).catch(() => {});
    },
  };
}

/**
 * Removes a stale socket file at `path`, if there is one.
 *
 * Throws `address_in_use` when a process listens there or a file that is no socket lies there, and
 * `permission_denied` when the stale file cannot be removed.
 */
export async function removeStaleSocket(
  path: string,
  answersAt: (path: string) => Promise<boolean> = answers,
): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new ForwarderError(
      "address_in_use",
      `Cannot listen on "${path}": a file that is no socket lies there, remove it or choose another path`,
    );
  }
  if (await answersAt(path)) {
    throw new ForwarderError(
      "address_in_use",
      `Cannot listen on "${path}": address in use, another process listens on it`,
    );
  }
  await unlink(path).catch((cause) => {
    if (cause.code === "ENOENT") return;
    throw new ForwarderError(
      "permission_denied",
      `Cannot remove stale socket "${path}": ${messageOf(cause)}`,
      { cause },
    );
  });
}

/** Whether someone listens on `path`. Only a refused connect says no: when in doubt the socket is alive. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (alive: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(alive);
    };
    const timer = setTimeout(() => done(true), probeMs);
    socket.once("connect", () => done(true));
    socket.on("error", (error: Error & { code?: string }) => {
      done(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
  });
}
