/**
 * Outgoing stream connections, behind one interface: what `runtime.ts` is for listeners. The load generator uses it.
 *
 * `write` takes all bytes or keeps what the socket did not take, and then says false: the caller's buffer is its own
 * again in any case, and what waits here is at most what was written in one call.
 *
 * @module
 */

/** Where to connect to. */
export type DialAddress =
  | { readonly hostname: string; readonly port: number }
  | { readonly path: string };

/** How TLS is spoken. Texts are PEM. */
export interface DialTls {
  /** Name for SNI and for the certificate's check; an IP address is not sent as SNI. */
  readonly serverName: string;
  /** Whether a certificate that cannot be verified ends the connection. */
  readonly verify: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** An outgoing connection. All methods are safe at any time, before it opened and after it closed. */
export interface Dialled {
  /**
   * Writes `bytes[start..end)`. True: the socket took all. False: the rest is kept and written later, `drained`
   * follows; do not write before it.
   */
  write(bytes: Uint8Array, start: number, end: number): boolean;
  /** Stops reading. */
  pause(): void;
  resume(): void;
  /** Ends the writing side after what was written. */
  end(): void;
  /** Ends it at once. */
  destroy(): void;
}

/** What happens on a connection; `State` is the caller's own object. Must not throw. */
export interface DialHandler<State> {
  /** It is connected, TLS handshake included. */
  opened(state: State): void;
  /** Bytes in order; `chunk` is valid until this returns. */
  received(state: State, chunk: Uint8Array): void;
  /** All that was written has been taken by the socket. */
  drained(state: State): void;
  /** Once, for each dial, also for one that failed. `error` unless the peer ended it by FIN or the caller did. */
  closed(state: State, error?: Error): void;
}

/** Connects. Returns at once; `opened` or `closed` follows, never before `dial` has returned. */
export type Dial = <State>(
  address: DialAddress,
  tls: DialTls | undefined,
  handler: DialHandler<State>,
  state: State,
) => Dialled;

/** A copy of `bytes[start..end)`. Not `slice`, which for a Buffer is a view of the same memory. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}
