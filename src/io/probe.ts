/**
 * Finds out whether a port is taken before it is shared. With SO_REUSEPORT a second process of the same user binds a
 * port silently and gets a part of the connections, so two forwarders by mistake would look fine. A bind without
 * SO_REUSEPORT fails then, and that is the probe: the main thread does it once per address, before the first worker.
 *
 * A TCP probe listens for an instant; a connection that arrives in it is closed again.
 *
 * @module
 */

import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import { bindError } from "../runtime/address.ts";

/** What to probe. */
export interface ProbeAddress {
  readonly transport: "tcp" | "udp";
  readonly hostname: string;
  readonly port: number;
}

/**
 * Resolves when `address` can be bound by this process alone. Throws `address_in_use`, `address_not_available` or
 * `permission_denied`. Port 0 is always free.
 */
export function probeAddress(address: ProbeAddress): Promise<void> {
  if (address.port === 0) return Promise.resolve();
  return address.transport === "tcp" ? probeTcp(address) : probeUdp(address);
}

function probeTcp({ hostname, port }: ProbeAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket: Socket) => socket.destroy());
    server.once("error", (error: Error) => reject(bindError(hostname, port, error)));
    server.listen({ host: hostname, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

function probeUdp({ hostname, port }: ProbeAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(hostname.includes(":") ? "udp6" : "udp4");
    socket.once("error", (error: Error) => {
      socket.close();
      reject(bindError(hostname, port, error));
    });
    socket.bind({ address: hostname, port, exclusive: true }, () => socket.close(() => resolve()));
  });
}
