/**
 * Unix datagram sockets (`/dev/log`): through FFI on both runtimes, so that each datagram names its sender.
 *
 * @module
 */
import { unlink } from "node:fs/promises";
import { ForwarderError } from "../core/errors.ts";
import { bindPathError, errnoError } from "./address.ts";
import { DescriptorDatagrams, sockaddrOf } from "./descriptor_datagrams.ts";
import { openLibc } from "./libc.ts";
import { receiveBufferBytes } from "./limits.ts";
import { Readiness } from "./readiness.ts";
import type { DatagramHandler, Listener } from "./runtime.ts";
import { openToSenders, removeStaleSocket } from "./unix_path.ts";

/** Binds `path`, or takes over the inherited descriptor `fd`. Throws as `Runtime.listenUnix` does. */
export async function listenUnixgram(path: string, handler: DatagramHandler, fd?: number): Promise<Listener> {
  const [libc, readiness] = await Promise.all([openLibc(), Readiness.ofThread()]);
  if (libc === undefined || readiness === undefined) {
    throw new ForwarderError(
      "not_supported",
      `Cannot listen on "${path}": unix datagrams need FFI, which is not allowed here`,
    );
  }
  let own = fd;
  if (own === undefined) {
    await removeStaleSocket(path, () => Promise.resolve(libc.answersDatagrams(sockaddrOf(path))));
    own = libc.bindDatagram(sockaddrOf(path), false);
    if (own < 0) throw bindPathError(path, errnoError(-own));
    try {
      openToSenders(path);
    } catch (error) {
      libc.close(own);
      throw bindPathError(path, error);
    }
  } else libc.setNonBlocking(own);
  libc.receiveCredentials(own);
  libc.setReceiveBuffer(own, receiveBufferBytes);
  const datagrams = new DescriptorDatagrams(libc, readiness, own, handler);
  return {
    address: path,
    port: 0,
    drops: () => datagrams.drops(),
    async close(keepsPath) {
      await datagrams.close();
      if (fd === undefined && keepsPath !== true) await unlink(path).catch(() => {});
    },
  };
}
