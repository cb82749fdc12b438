/**
 * What a load thread counts, in shared memory: one row of numbers and four histograms. The thread writes, the main
 * thread reads; nothing is posted while the load runs.
 *
 * @module
 */
import { countsLength } from "./counts.ts";

/** Columns of a row. Counters only grow; gauges say what is now. */
export const columns = [
  // Messages.
  "due", // by the schedule so far
  "sent", // handed to the socket
  "bytesOut",
  "bytesIn",
  "answered", // a complete answer came, or the socket took it where none is expected
  "good", // answered, with no error status, and within the deadline
  "lateForDeadline", // answered later than --deadline after the intended time
  "unsent", // due, but never sent before the end
  // Answers of HTTP by class.
  "status1xx",
  "status2xx",
  "status3xx",
  "status4xx",
  "status5xx",
  // Connections.
  "connectsTried",
  "connectsDone",
  "closedByPeer", // between two messages, without harm
  "open", // gauge
  "busy", // gauge: waiting for an answer, or for the socket
  "wanted", // gauge: connections that should be open
  "backlog", // gauge: due and not sent
  // Failures by class.
  "refused",
  "reset",
  "connectTimeout",
  "readTimeout",
  "noPorts",
  "noDescriptors",
  "unreachable",
  "tls",
  "closedEarly", // by the peer, while an answer was awaited
  "badAnswer", // bytes that are no answer of the protocol
  "otherError",
  // The generator itself.
  "turns",
  "cpuMs",
  "cpuWaitMs", // ready to run, and no processor
  "stalledMs", // no connection could take a message although one was due: the target was the limit
] as const;

/** Name of a column. */
export type Column = typeof columns[number];

/** Index of each column. */
export const at: Readonly<Record<Column, number>> = Object.fromEntries(
  columns.map((name, index) => [name, index]),
) as Record<Column, number>;

/** Columns that are failures, with what to call them. */
export const failures: Readonly<Partial<Record<Column, string>>> = {
  refused: "connection refused",
  reset: "connection reset",
  connectTimeout: "connect timeout",
  readTimeout: "answer timeout",
  noPorts: "no local ports left",
  noDescriptors: "no file descriptors left",
  unreachable: "host or network unreachable",
  tls: "TLS handshake failed",
  closedEarly: "closed before the answer",
  badAnswer: "not an answer of the protocol",
  otherError: "other error",
};

/** Histograms of a thread. */
export const histogramNames = ["corrected", "uncorrected", "lateness", "connect"] as const;

/** Name of a histogram. */
export type HistogramName = typeof histogramNames[number];

/** Words by which the main thread steers a thread while it runs. */
export const controls = { connections: 0, halt: 1, words: 2 } as const;

/** The shared memory of one thread. */
export interface SharedRow {
  readonly numbers: Float64Array;
  readonly histograms: Readonly<Record<HistogramName, Float64Array>>;
  readonly control: Int32Array;
}

const headBytes = 8 * 64;
const controlBytes = 64;

/** Makes the memory of one thread. */
export function makeRowMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(headBytes + controlBytes + histogramNames.length * countsLength * 8);
}

/** A view of it. */
export function viewRow(memory: SharedArrayBuffer): SharedRow {
  const start = headBytes + controlBytes;
  const histograms = Object.fromEntries(
    histogramNames.map((name, index) =>
      [name, new Float64Array(memory, start + index * countsLength * 8, countsLength)] as const
    ),
  ) as Record<HistogramName, Float64Array>;
  return {
    numbers: new Float64Array(memory, 0, columns.length),
    histograms,
    control: new Int32Array(memory, headBytes, controls.words),
  };
}
