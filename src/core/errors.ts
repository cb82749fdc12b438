/**
 * The one error class and the one shape of a fault.
 *
 * Bad input is a value (`Fault`), a broken invariant is a crash (`invariant`), a failed outside call is a
 * `ForwarderError` with a code from the closed list below. Messages read: action, quoted value, current
 * against wanted state; no full stop.
 *
 * @module
 */

/** Every code a `ForwarderError` may carry. The message names the cure. */
export type ErrorCode =
  | "address_in_use"
  | "address_not_available"
  | "certificate_unusable"
  | "config_invalid"
  | "deadline_exceeded"
  | "disk_failed"
  | "kafka_authentication_failed"
  | "kafka_protocol"
  | "kafka_rejected"
  | "kafka_unreachable"
  | "kernel_failed"
  | "not_supported"
  | "permission_denied"
  | "rules_invalid"
  | "spool_locked"
  | "stopped"
  | "upgrade_failed"
  | "worker_failed";

/** A failed outside call. `retryable` says whether trying again may help without a change by a person. */
export class ForwarderError extends Error {
  override readonly name = "ForwarderError";
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** One thing that is wrong in a file that a person wrote. Line and column count from 1; 0 means unknown. */
export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where in the document, `kafka.topics.allow.0`; empty for the whole document. */
  readonly path: string;
  readonly message: string;
}

/** `file:line:column: path: message`, the form that editors jump to. */
export function formatFault(fault: Fault): string {
  const place = fault.line > 0 ? `${fault.file}:${fault.line}:${fault.column}` : fault.file;
  return fault.path === "" ? `${place}: ${fault.message}` : `${place}: ${fault.path}: ${fault.message}`;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
