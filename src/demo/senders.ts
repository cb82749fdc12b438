/**
 * The senders of `corndog demo`: a handful of connections and one datagram socket on loopback, at a steady rate.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { Traffic } from "./traffic.ts";

/** Lines are sent in bundles this often; fine enough that the dashboard looks like traffic. */
const tickMs = 20;
/** Every so many lines goes out as a datagram. */
const datagramEvery = 50;

const hosts = ["web-1", "web-2", "app-1", "db-1"];

/** Running senders. */
export interface Senders {
  /** Lines handed to the sockets so far. */
  readonly sent: () => number;
  /** Ends the connections after what was written. */
  stop(): Promise<void>;
}

/** Sends `rate` lines/s to the TCP and UDP port until stopped. Half of the connections count octets (RFC 6587). */
export async function startSenders(
  tcpPort: number,
  udpPort: number | undefined,
  rate: number,
): Promise<Senders> {
  const sockets = await Promise.all(hosts.map(() => open(tcpPort)));
  const datagrams = createSocket("udp4");
  datagrams.on("error", () => {});
  const traffic = hosts.map((host, index) => new Traffic(index + 1, host));
  const started = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.floor((performance.now() - started) / 1000 * rate);
    const nowMs = Date.now();
    const texts = hosts.map(() => "");
    for (; sent < due; sent++) {
      const sender = sent % hosts.length;
      const frame = traffic[sender]!.next(nowMs);
      // A count is believed only before a "<", so what is no syslog goes over the connections with newlines.
      const counted = sender % 2 === 1 && frame.startsWith("<");
      if (udpPort !== undefined && sent % datagramEvery === 0) datagrams.send(frame, udpPort, "127.0.0.1");
      else if (counted) texts[sender] += `${Buffer.byteLength(frame)} ${frame}`;
      else texts[sender - sender % 2] += `${frame}\n`;
    }
    sockets.forEach((socket, index) => {
      if (texts[index] !== "" && !socket.destroyed) socket.write(texts[index]!);
    });
  }, tickMs);
  return {
    sent: () => sent,
    async stop() {
      clearInterval(timer);
      await Promise.all(sockets.map(finish));
      await new Promise<void>((resolve) => datagrams.close(() => resolve()));
    },
  };
}

/** Ends a connection after what was written; one that is gone already has nothing to end. */
function finish(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", () => resolve());
    if (socket.destroyed) resolve();
    else socket.end(() => resolve());
  });
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.removeListener("error", reject);
      // The forwarder may end first (Ctrl-C); then there is nothing left to say.
      socket.on("error", () => {});
      resolve(socket);
    });
    socket.once("error", reject);
  });
}
