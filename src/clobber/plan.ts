/**
 * What is to be done, as data: made of the flags by `options.ts`, read by the main thread and by the load threads,
 * to which it is posted.
 *
 * @module
 */
import type { DialTls } from "../runtime/dial.ts";
import type { FuzzKind } from "./payload/fuzz.ts";
import type { SizeSpec } from "./payload/sizes.ts";
import type { Segment } from "./schedule/schedule.ts";

/** How the target is spoken to. */
export type Scheme = "tcp" | "tls" | "udp" | "unix" | "http" | "https" | "relp";

/** Where the load goes. */
export interface Target {
  readonly scheme: Scheme;
  /** As it was written, for reports. */
  readonly url: string;
  /** Host name or address, without brackets; empty for unix. */
  readonly host: string;
  readonly port: number;
  /** Path of a unix socket, or path and query of a URL. */
  readonly path: string;
}

/** What one message is made of. */
export type Work =
  | {
    readonly kind: "syslog";
    readonly format: "5424" | "3164";
    readonly framing: Framing;
    readonly size: SizeSpec;
    readonly json: boolean;
    readonly marks: boolean;
  }
  | {
    /** Lines with fields, framed. */
    readonly kind: "template";
    readonly lines: readonly string[];
    readonly framing: Framing;
    readonly marks: boolean;
  }
  | {
    /** These bytes, as they are, each time. */
    readonly kind: "payload";
    readonly bytes: Uint8Array;
  }
  | {
    /** Messages of a file, one after the other, from the start again at its end. */
    readonly kind: "messages";
    readonly messages: readonly Uint8Array[];
    readonly framing: Framing;
  };

/** How messages are told apart on a stream. */
export type Framing = "newline" | "octet" | "nul" | "none";

/** What of HTTP stands around a message. */
export interface HttpShape {
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Messages in the body of a request; 0 is no body. */
  readonly batch: number;
}

/** When a reading connection has its answer. */
export type Answer =
  | { readonly kind: "none" }
  | { readonly kind: "any" }
  | { readonly kind: "line" }
  | { readonly kind: "bytes"; readonly count: number }
  | { readonly kind: "close" }
  | { readonly kind: "http" }
  | { readonly kind: "relp" };

/** How much at what time. */
export type Pace =
  | { readonly kind: "closed" }
  | { readonly kind: "open"; readonly segments: readonly Segment[] }
  | {
    readonly kind: "find";
    readonly gates: readonly string[];
    readonly from: number;
    readonly stepMs: number;
    readonly confirmMs: number;
  };

/** How the number of connections is found. */
export type Concurrency = "fixed" | "aimd" | "pid";

/** Everything a load thread needs to know. */
export interface Plan {
  readonly target: Target;
  /** Address after name resolution. */
  readonly address: { readonly hostname: string; readonly port: number } | { readonly path: string };
  readonly tls: DialTls | undefined;
  readonly work: Work;
  readonly http: HttpShape | undefined;
  readonly answer: Answer;
  /** Connections over all threads; with a controller the most that it may open. */
  readonly connections: number;
  /** Messages in one write, at most; 0 lets the generator choose. */
  readonly bundle: number;
  /** Requests under way on one connection. */
  readonly pipeline: number;
  /** Messages until a connection is closed and opened anew; 0 is never. */
  readonly repeat: number;
  /** Time until then; each connection takes one between both. 0 is never. */
  readonly lifetimeMs: readonly [number, number];
  /** New connections per second at the start, over all threads; 0 is all at once. */
  readonly connectRate: number;
  /** Connections that only stay open. */
  readonly idleConnections: number;
  /** Connections that send and never read. */
  readonly slowReaders: number;
  /** Messages over all threads; 0 is no limit. */
  readonly limit: number;
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** An answer later than this after the intended time is none; 0 is no deadline. */
  readonly deadlineMs: number;
  /** How long the end waits for answers. */
  readonly drainMs: number;
  readonly fuzz: readonly FuzzKind[];
  readonly seed: number;
  /** Four hex digits that tell this run's marks from others'. */
  readonly run: string;
  /** Turns without a pause: lateness of microseconds, for a whole core per thread. */
  readonly precise: boolean;
  readonly threads: number;
}
