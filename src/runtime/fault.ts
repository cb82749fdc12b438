/**
 * Where errors go that have no owner: a handler that threw although it promised not to, an accept that failed, a
 * datagram socket that reported an ICMP error. The runtimes treat them all differently (end the process, print,
 * swallow), so nothing of ours may reach them. Worker start-up sets the reporter to its log.
 *
 * @module
 */

import process from "node:process";
import { messageOf } from "../core/errors.ts";

/** Takes what went wrong and where: `tcp.received`, `tcp.accept`, `udp.received`. */
export type FaultReporter = (where: string, error: unknown) => void;

/** One line to standard error, so that nothing is silent before the log exists. */
const toStandardError: FaultReporter = (where, error) => {
  process.stderr.write(`${JSON.stringify({ event: "io_fault", where, error: messageOf(error) })}\n`);
};

let reporter: FaultReporter = toStandardError;

/** Sets who hears of faults in this thread; `undefined` goes back to standard error. */
export function setFaultReporter(next: FaultReporter | undefined): void {
  reporter = next ?? toStandardError;
}

/** Reports a fault. Never throws. */
export function reportFault(where: string, error: unknown): void {
  try {
    reporter(where, error);
  } catch {
    // A reporter that throws has nobody above it to tell.
  }
}
