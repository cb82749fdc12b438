/**
 * What both runtimes share: the receive buffer of datagram sockets and the answer of a failed HTTP handler.
 *
 * @module
 */

import { reportFault } from "./fault.ts";

/** Room for a burst of about 13,000 datagrams of 200 bytes; the kernel cuts it to `net.core.rmem_max` unless it may not. */
export const receiveBufferBytes = 8 * 1024 * 1024;

/** The largest UDP payload over IPv4 and IPv6 is under it. */
export const datagramBytesMax = 64 * 1024;

/** Answers 500 without saying more to the client than that; the fault goes to the reporter. */
export function failedResponse(error: unknown): Response {
  reportFault("http", error);
  return new Response("internal error\n", { status: 500, headers: { "content-type": "text/plain" } });
}
