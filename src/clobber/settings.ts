/**
 * One call of the load generator, as data: the plan for the threads and all that only the main thread needs.
 *
 * @module
 */
import type { Gate } from "./measure/gate.ts";
import type { Concurrency, Pace, Plan } from "./plan.ts";
import type { Result } from "./result.ts";
import type { KafkaPlace } from "./verify/kafka_source.ts";

/** What the user asked for. */
export interface Settings {
  /** All of the plan that is known before names are resolved. */
  readonly plan: Omit<Plan, "address" | "tls">;
  readonly tls: {
    readonly verify: boolean;
    readonly ca: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
  };
  readonly pace: Pace;
  readonly durationMs: number;
  readonly concurrency: Concurrency;
  readonly gates: readonly Gate[];
  readonly verify: VerifySource | undefined;
  /** How long lines are awaited at the far end after the load. */
  readonly verifyMs: number;
  readonly admin: { readonly url: string; readonly token: string | undefined } | undefined;
  readonly output: {
    readonly quiet: boolean;
    readonly json: string | undefined;
    readonly hgrm: string | undefined;
    readonly series: string | undefined;
    readonly html: string | undefined;
  };
  /** The earlier run to compare with. */
  readonly base: Result | undefined;
}

/** Where marked lines come out again. */
export type VerifySource =
  | ({ readonly kind: "kafka" } & KafkaPlace)
  | { readonly kind: "file"; readonly dir: string };
