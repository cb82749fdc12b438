/**
 * How many connections the operating system lets this process have, and what else of its settings hurts a listener
 * under load. At the limit of open files Bun's accept spins at full CPU and Deno's own start of a child aborts the
 * process, so it must not be reached: connections are refused before.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** Descriptors that are not for connections: listeners, Kafka, spool segments, the runtime's own. */
export const descriptorsReserved = 256;

/** Connections at once over all workers, and whether the open-files limit made them fewer than were wanted. */
export interface ConnectionsMax {
  readonly connections: number;
  readonly lowered: boolean;
}

/** How many connections `wanted` may be, given the open-files limit. */
export function connectionsMaxFor(wanted: number, openFiles: number | undefined): ConnectionsMax {
  if (openFiles === undefined) return { connections: wanted, lowered: false };
  const available = Math.max(1, openFiles - descriptorsReserved);
  return { connections: Math.min(wanted, available), lowered: available < wanted };
}

/** The open-files limit of this process (both runtimes raise the soft one at start); undefined if unknown. */
export function openFilesMax(): number | undefined {
  const match = /^Max open files\s+(\d+)/m.exec(read("/proc/self/limits"));
  return match === null ? undefined : Number(match[1]);
}

/** What the operating system allows, as the start-up log tells it. Undefined where it does not say. */
export interface SystemLimits {
  readonly openFiles: number | undefined;
  /** The longest queue of connections that wait for accept(2). */
  readonly somaxconn: number | undefined;
  /** The largest receive buffer of a datagram socket; undefined with CAP_NET_ADMIN, which knows no such limit. */
  readonly receiveBufferMax: number | undefined;
  /** Ports that outgoing connections take, first and last. */
  readonly portRange: readonly [number, number] | undefined;
}

/** Reads them from /proc. */
export function systemLimits(): SystemLimits {
  const [first, last] = read("/proc/sys/net/ipv4/ip_local_port_range").trim().split(/\s+/).map(Number);
  return {
    openFiles: openFilesMax(),
    somaxconn: number("/proc/sys/net/core/somaxconn"),
    receiveBufferMax: isNetAdmin() ? undefined : number("/proc/sys/net/core/rmem_max"),
    portRange: first !== undefined && last !== undefined && last > 0 ? [first, last] : undefined,
  };
}

/** What a configuration wants of the system. */
export interface SystemWants {
  readonly connections: number;
  /** The backlog that listeners ask for. */
  readonly backlog: number;
  /** Bytes of receive buffer that datagram sockets ask for; 0 where there is none. */
  readonly receiveBuffer: number;
  /** Ports that are listened to. */
  readonly ports: readonly number[];
}

/** What of `limits` falls short of `wants`: one sentence each, with its cure. */
export function systemProblems(limits: SystemLimits, wants: SystemWants): string[] {
  const problems: string[] = [];
  const { openFiles, somaxconn, receiveBufferMax, portRange } = limits;
  const { connections, lowered } = connectionsMaxFor(wants.connections, openFiles);
  if (lowered) {
    problems.push(
      `only ${connections} of ${wants.connections} connections (limits.connections) fit into ${openFiles} open files; ` +
        `raise them: LimitNOFILE=${wants.connections + descriptorsReserved} in the unit, or ulimit -n`,
    );
  }
  if (somaxconn !== undefined && somaxconn < wants.backlog) {
    problems.push(
      `at most ${somaxconn} connections may wait to be accepted; raise it: sysctl net.core.somaxconn=${wants.backlog}`,
    );
  }
  if (receiveBufferMax !== undefined && receiveBufferMax < wants.receiveBuffer) {
    problems.push(
      `a datagram socket may have ${receiveBufferMax} bytes of receive buffer; ` +
        `raise it: sysctl net.core.rmem_max=${wants.receiveBuffer}`,
    );
  }
  if (portRange !== undefined) {
    for (const port of wants.ports) {
      if (port < portRange[0] || port > portRange[1]) continue;
      problems.push(
        `port ${port} is one that outgoing connections take (${portRange[0]}-${
          portRange[1]
        }) and may be gone at the ` +
          `next start; reserve it: sysctl net.ipv4.ip_local_reserved_ports=${port}`,
      );
    }
  }
  return problems;
}

/** capabilities(7): bit 12 is CAP_NET_ADMIN. */
function isNetAdmin(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(read("/proc/self/status"))?.[1];
  return effective !== undefined && (BigInt(`0x${effective}`) >> 12n & 1n) === 1n;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function number(path: string): number | undefined {
  const text = read(path).trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}
