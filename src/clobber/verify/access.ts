/**
 * How a cluster is reached and logged in at, as the reader of lines sees it. Where certificates and secrets come from
 * is the business of who makes it: the reader knows no configuration.
 *
 * @module
 */
import type { Buffer } from "node:buffer";

/** What a new connection logs in with. */
export type Credentials =
  | {
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
    readonly username: string;
    readonly password: string;
  }
  | {
    /** Tokens: `authenticate` says what it has to say to the broker, and rejects where that refuses it. */
    readonly mechanism: "oauthbearer";
    authenticate(host: string, port: number, say: (message: Buffer) => Promise<Buffer>): Promise<void>;
  };

/** Access to one cluster. */
export interface KafkaAccess {
  /** `host:port`; used where `--verify` names none. */
  readonly brokers: readonly string[];
  readonly hasLogin: boolean;
  /** Options of `tls.connect` for a new connection; undefined for a plain one. */
  tls(): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** What a new connection logs in with; undefined where there is no login. Rejects where no token can be had. */
  credentials(): Promise<Credentials | undefined>;
  /** Renews nothing any more. */
  close(): void;
}

/** Neither TLS nor login. */
export const openAccess: KafkaAccess = {
  brokers: [],
  hasLogin: false,
  tls: () => Promise.resolve(undefined),
  credentials: () => Promise.resolve(undefined),
  close: () => {},
};
