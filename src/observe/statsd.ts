/**
 * Sends hotdog's metrics to a statsd server, once a second, as differences between two `Stats`.
 *
 *     hotdog.connections:12|g
 *     hotdog.lines:400|c
 *     hotdog.kafka.submitted.orders:7|c
 *     hotdog.kafka.producer.sent:3.1|ms
 *
 * Several metrics share a datagram, one per line. A server that is away costs nothing and is not an error: statsd
 * is fire and forget.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import type { Stats } from "../admin/stats_view.ts";
import { messageOf } from "../core/errors.ts";
import { hotdogCounters, sentMicroseconds } from "./hotdog_stats.ts";
import type { Logger } from "./log.ts";

const prefix = "hotdog.";

/** Fits an Ethernet frame with IPv6 and room for a tunnel, as statsd's own documentation advises. */
const datagramBytesMax = 1432;

const intervalMs = 1000;

/** Turns a series of `Stats` into statsd lines. */
export class StatsdDifferences {
  #former: Record<string, number> = {};

  /** Lines for what happened since the last call; the first call counts from the start of the process. */
  next(stats: Stats): string[] {
    const counters = hotdogCounters(stats);
    const lines = [`${prefix}connections:${stats.totals.connections_open}|g`];
    for (const [name, value] of Object.entries(counters)) {
      const more = value - (this.#former[name] ?? 0);
      if (more > 0) lines.push(`${prefix}${metricName(name)}:${more}|c`);
    }
    if (counters["kafka.submitted"] > (this.#former["kafka.submitted"] ?? 0)) {
      lines.push(`${prefix}kafka.producer.sent:${sentMicroseconds(stats) / 1000}|ms`);
    }
    this.#former = counters;
    return lines;
  }
}

/** Joins lines into datagrams of at most `bytesMax`. */
export function packDatagrams(lines: readonly string[], bytesMax: number = datagramBytesMax): Buffer[] {
  const datagrams: Buffer[] = [];
  let text = "";
  for (const line of lines) {
    if (text !== "" && text.length + 1 + line.length > bytesMax) {
      datagrams.push(Buffer.from(text, "latin1"));
      text = "";
    }
    text = text === "" ? line : `${text}\n${line}`;
  }
  if (text !== "") datagrams.push(Buffer.from(text, "latin1"));
  return datagrams;
}

/** Only ASCII without the characters that mean something to statsd; Kafka's topic names pass unchanged. */
function metricName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9._-]/g, "_");
}

/** A running sender. */
export interface StatsdSender {
  /** Sends what happened since the last second and closes the socket. */
  stop(): Promise<void>;
}

/** Sends `stats()` to `address` every second until stopped. */
export function startStatsd(
  address: { readonly hostname: string; readonly port: number },
  stats: () => Promise<Stats>,
  log: Logger,
): StatsdSender {
  const socket = createSocket(address.hostname.includes(":") ? "udp6" : "udp4");
  const differences = new StatsdDifferences();
  const failed = (error: unknown) =>
    log.warn("statsd_failed", { host: address.hostname, port: address.port, problem: messageOf(error) });
  // Without a listener an ICMP "port unreachable" would end the process.
  socket.on("error", failed);
  socket.unref();

  let sending = Promise.resolve();
  const tick = async () => {
    try {
      await sendAll(packDatagrams(differences.next(await stats())));
    } catch (error) {
      failed(error);
    }
  };
  const sendAll = async (datagrams: readonly Buffer[]) => {
    for (const datagram of datagrams) {
      await new Promise<void>((resolve) =>
        socket.send(datagram, address.port, address.hostname, (error) => {
          if (error) failed(error);
          resolve();
        })
      );
    }
  };
  let waiting = false;
  const timer = setInterval(() => {
    // A slow `stats()` skips a turn instead of queueing another; the difference is sent with the next.
    if (waiting) return;
    waiting = true;
    sending = tick().finally(() => waiting = false);
  }, intervalMs);

  return {
    async stop() {
      clearInterval(timer);
      await sending;
      await tick();
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}
