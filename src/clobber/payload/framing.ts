/**
 * A message as it stands on a stream (RFC 6587): behind its length, or before a line feed or NUL.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Framing } from "../plan.ts";

/** Puts a message into its frame. Datagrams and HTTP bodies use `none`. */
export function frame(message: Buffer, framing: Framing): Buffer {
  switch (framing) {
    case "newline":
      return Buffer.concat([message, Buffer.from("\n")]);
    case "nul":
      return Buffer.concat([message, Buffer.from("\0")]);
    case "octet":
      return Buffer.concat([Buffer.from(`${message.length} `), message]);
    case "none":
      return message;
  }
}
