/**
 * Limits of this machine that a load would run into, looked at before it starts: descriptors and local ports.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** What the system allows; undefined where it does not say. */
export interface SystemLimits {
  readonly descriptors: number | undefined;
  readonly ports: number | undefined;
}

/** Descriptors that the program needs beside the connections. */
const descriptorsOfOurs = 64;
/** Seconds a closed port stays in TIME_WAIT on Linux. */
const timeWaitSeconds = 60;

/** Reads the limits of this process (Linux). */
export function systemLimits(): SystemLimits {
  return { descriptors: readDescriptors(), ports: readPorts() };
}

function readDescriptors(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    return soft === "unlimited" ? Infinity : soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

function readPorts(): number | undefined {
  try {
    const text = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1");
    const [low, high] = text.trim().split(/\s+/).map(Number);
    return high! - low! + 1;
  } catch {
    return undefined;
  }
}

/** What is wrong with opening `connections` to one address; undefined when it can be done. */
export function limitProblem(
  limits: SystemLimits,
  connections: number,
  usesPorts: boolean,
): string | undefined {
  const { descriptors, ports } = limits;
  if (descriptors !== undefined && connections + descriptorsOfOurs > descriptors) {
    return `${connections} connections need ${
      connections + descriptorsOfOurs
    } file descriptors and this process may ` +
      `have ${descriptors}; raise it (ulimit -n ${connections + descriptorsOfOurs}) or lower --connections`;
  }
  if (usesPorts && ports !== undefined && connections > ports) {
    return `${connections} connections to one address need as many local ports and there are ${ports}; widen ` +
      "net.ipv4.ip_local_port_range or lower --connections";
  }
  return undefined;
}

/** A warning where connections are opened so often that ports in TIME_WAIT may use up the range. */
export function churnWarning(limits: SystemLimits, connectsPerSecond: number): string | undefined {
  if (limits.ports === undefined || connectsPerSecond * timeWaitSeconds < limits.ports) return undefined;
  return `${
    Math.round(connectsPerSecond)
  } new connections per second for a minute use up the ${limits.ports} local ports; ` +
    "net.ipv4.tcp_tw_reuse=1 or a wider net.ipv4.ip_local_port_range helps";
}
