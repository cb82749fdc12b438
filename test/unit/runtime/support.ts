/**
 * Helpers of the listener tests: a handler that writes down what happens, and waiting with a deadline.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Connection, ConnectionHandler } from "../../../src/runtime/runtime.ts";

/** Polls until `holds`; throws after `deadlineMs` with `what`. */
export async function until(what: string, holds: () => boolean, deadlineMs = 30_000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`Deadline passed, not reached: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Lets `turns` milliseconds of event loop pass, for "nothing happens" checks that have no condition to poll. */
export async function quiet(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** One connection as the recorder saw it. */
export interface Record {
  readonly connection: Connection;
  bytes: number;
  chunks: number;
  text: string;
  readonly sha1: ReturnType<typeof createHash>;
  closed: number;
  error: Error | undefined;
}

/** A handler that records; `onChunk` runs after each chunk was counted. */
export function recorder(
  onChunk: (record: Record, chunk: Uint8Array) => void = () => {},
): ConnectionHandler<Record> & { readonly records: Record[] } {
  const records: Record[] = [];
  return {
    records,
    opened(connection) {
      const record: Record = {
        connection,
        bytes: 0,
        chunks: 0,
        text: "",
        sha1: createHash("sha1"),
        closed: 0,
        error: undefined,
      };
      records.push(record);
      return record;
    },
    received(record, chunk) {
      record.bytes += chunk.length;
      record.chunks += 1;
      if (record.bytes <= 4096) record.text += new TextDecoder().decode(chunk);
      record.sha1.update(chunk);
      onChunk(record, chunk);
    },
    closed(record, error) {
      record.closed += 1;
      record.error = error;
    },
  };
}

/** Connects to a port of this host, or to a path. Errors are ignored: the tests look at the listener's side. */
export function dial(to: number | string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket: Socket = typeof to === "number" ? connect(to, "127.0.0.1") : connect(to);
    socket.once("connect", () => resolve(socket));
    socket.on("error", reject);
  });
}

/**
 * Writes `total` bytes of a pattern at the pace of the receiver, then FIN. Gives their SHA-1. `onBlock` hears how many
 * bytes the operating system, or the socket's own buffer, has taken.
 */
export async function sendPattern(
  socket: Socket,
  total: number,
  onBlock: (sent: number) => void = () => {},
): Promise<string> {
  const sha1 = createHash("sha1");
  const block = new Uint8Array(256 * 1024);
  for (let i = 0; i < block.length; i++) block[i] = (i * 31 + (i >> 8)) & 0xff;
  for (let sent = 0; sent < total; sent += block.length) {
    const part = block.slice(0, Math.min(block.length, total - sent));
    part[0] = (sent / block.length) & 0xff;
    sha1.update(part);
    if (!socket.write(part)) await new Promise((resolve) => socket.once("drain", resolve));
    onBlock(sent + part.length);
  }
  socket.end();
  return sha1.digest("hex");
}
