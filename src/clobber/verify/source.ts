/**
 * A place where lines come out again.
 *
 * @module
 */
/** Reads marks into a tally, from the moment at which it was opened. */
export interface MarkSource {
  /** Why it cannot read at present; null while it can. */
  readonly problem: string | null;
  /** Reads what is there, and ends. */
  close(): Promise<void>;
}

/** Microseconds since 1970. */
export function nowMicros(): number {
  return (performance.timeOrigin + performance.now()) * 1000;
}
