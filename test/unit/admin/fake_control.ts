/**
 * A `Control` whose figures move as those of a busy forwarder would, and which remembers what it was asked.
 *
 * @module
 */
import type { Control, UpgradeResult } from "../../../src/admin/control.ts";
import type { ConnectionFilter, ConnectionList, StallList } from "../../../src/admin/looks_view.ts";
import type {
  RollbackResult,
  RulesConflict,
  RulesView,
  SwapResult,
  TraceRequest,
  TraceResult,
} from "../../../src/admin/rules_view.ts";
import type { SpoolTotals, Stats } from "../../../src/admin/stats_view.ts";
import type { TapFilter, TapSink } from "../../../src/admin/tap_view.ts";
import type { Inflight } from "../../../src/observe/inflight.ts";
import type { EventList } from "../../../src/observe/recent_events.ts";
import { sampleBroker } from "../observe/stats_sample.ts";

/** Faults for a text that holds "bad". */
export const badText = "rules: bad";

/** See the module. */
export class FakeControl implements Control {
  readonly calls: unknown[][] = [];
  healthyProblems: string[] = [];
  readyProblems: string[] = [];
  sinkProblems: string[] = [];
  lastError: RulesView["last_error"];
  /** Makes `stats` fail or hang. */
  statsInstead: (() => Promise<Stats>) | undefined;
  /** Makes `traceRules` hang. */
  traceInstead: (() => Promise<TraceResult>) | undefined;
  rollbackConflict: { ok: false; conflict: string } | undefined;
  files: { path: string; text: string }[] = [{ path: "rules/main.yml", text: "rules: []\n" }];
  /** Lines that nobody can account for. */
  lost = 0;
  spool: SpoolTotals | undefined;
  linesPerSecond = 120_000;
  topics = 14;
  /** One line in so many goes to the dead letter. */
  lettersEvery = 40_000;
  readonly #startedAtMs: number;

  /** Began `ageMs` ago. */
  constructor(ageMs = 0) {
    this.#startedAtMs = performance.now() - ageMs;
  }

  healthy(): { ok: boolean; problems: readonly string[] } {
    return { ok: this.healthyProblems.length === 0, problems: this.healthyProblems };
  }

  ready(): { ok: boolean; problems: readonly string[] } {
    return { ok: this.readyProblems.length === 0, problems: this.readyProblems };
  }

  stats(): Promise<Stats> {
    return this.statsInstead?.() ?? Promise.resolve(this.#stats());
  }

  rules(): RulesView {
    return {
      version: 4,
      hash: "3f2a91c04d17",
      loaded_at: "2026-01-02T03:04:05.000Z",
      source: this.files.map(({ path }) => path).join(", "),
      names: ["by-topic"],
      files: this.files.map((file) => ({ ...file, etag: file.text })),
      last_error: this.lastError,
    };
  }

  putConflict: RulesConflict | undefined;

  putRules(text: string, file?: string, base?: string): Promise<SwapResult | RulesConflict> {
    this.calls.push(["putRules", text, file, ...(base === undefined ? [] : [base])]);
    if (this.putConflict !== undefined) return Promise.resolve(this.putConflict);
    return Promise.resolve(this.#swap(text, 5));
  }

  checkRules(text: string, file?: string): Promise<SwapResult> {
    this.calls.push(["checkRules", text, file]);
    return Promise.resolve(this.#swap(text, 4));
  }

  rollbackRules(file?: string): Promise<RollbackResult> {
    this.calls.push(["rollbackRules", file]);
    return Promise.resolve(this.rollbackConflict ?? this.#swap(this.files[0].text, 5));
  }

  traceRules(request: TraceRequest): Promise<TraceResult> {
    this.calls.push(["traceRules", request]);
    if (request.rules?.includes("bad")) return Promise.resolve({ ok: false, version: 4, faults: [] });
    return this.traceInstead?.() ?? Promise.resolve({ ok: true, version: 4, truncated: false, trace: {} });
  }

  stallsNow: StallList = { total: 0, stalls: [] };
  inflightNow: Inflight = { waits: 0, stages: [], orphans: 0, overflows: 0 };
  connectionsNow: ConnectionList = {
    open: 812,
    waiting: {
      room: { count: 0, long: 0 },
      letters: { count: 0, long: 0 },
      turn: { count: 0, long: 0 },
      answer: { count: 0, long: 0 },
    },
    half_lines_long: 0,
    workers_held: [],
    connections: [],
  };

  /** Taps that are open, and the filter of the last. */
  tapSinks: TapSink[] = [];
  tapsMax = 1;

  tap(filter: TapFilter, sink: TapSink): (() => void) | undefined {
    this.calls.push(["tap", filter]);
    if (this.tapSinks.length >= this.tapsMax) return undefined;
    this.tapSinks.push(sink);
    return () => this.tapSinks = this.tapSinks.filter((one) => one !== sink);
  }

  flight(seconds: number): object {
    this.calls.push(["flight", seconds]);
    return { traceEvents: [], displayTimeUnit: "ms" };
  }

  stalls(): StallList {
    return this.stallsNow;
  }

  eventsNow: EventList = { total: 0, events: [] };

  events(): EventList {
    return this.eventsNow;
  }

  inflight(): Promise<Inflight> {
    return Promise.resolve(this.inflightNow);
  }

  connections(filter: ConnectionFilter): Promise<ConnectionList> {
    this.calls.push(["connections", filter]);
    return Promise.resolve(this.connectionsNow);
  }

  endConnection(id: string): Promise<boolean | undefined> {
    this.calls.push(["endConnection", id]);
    return Promise.resolve(id === "0-1" ? true : id === "1-1" ? undefined : false);
  }

  config(): unknown {
    return { sink: "kafka" };
  }

  reload(): Promise<SwapResult> {
    this.calls.push(["reload"]);
    return Promise.resolve(this.#swap(this.files[0].text, 5));
  }

  drain(): void {
    this.calls.push(["drain"]);
  }

  /** What `upgrade` answers. */
  upgraded: UpgradeResult = { ok: true, pid: 4711 };

  upgrade(): Promise<UpgradeResult> {
    this.calls.push(["upgrade"]);
    return Promise.resolve(this.upgraded);
  }

  #swap(text: string, version: number): SwapResult {
    if (!text.includes("bad")) return { ok: true, version, rules: 3, tests: 2 };
    return {
      ok: false,
      version: 4,
      faults: [{
        file: "rules/main.yml",
        line: 1,
        column: 8,
        path: "rules",
        message: 'expected a list, got "bad"',
      }],
    };
  }

  #stats(): Stats {
    const seconds = (performance.now() - this.#startedAtMs) / 1000;
    // A wave around the mean, integrated, so that the counters rise and the rates swing.
    const received = Math.round(this.linesPerSecond * (seconds + 1.2 * Math.sin(seconds / 3)));
    const stopped = Math.floor(received / 9);
    const dead = Math.floor(received / this.lettersEvery);
    const inFlight = received === 0 ? 0 : Math.round(900 + 600 * Math.sin(seconds));
    const fanOut = Math.floor(received / 50);
    const delivered = received + fanOut - stopped - dead - inFlight - 12;
    const p50 = 3.2 + Math.sin(seconds / 2);
    const names = Array.from(
      { length: this.topics },
      (_, index) => index === 0 ? "orders" : `edge-site-${index}.events`,
    );
    const weights = names.map((_, index) => 1 / (index + 1) ** 1.5);
    const whole = weights.reduce((sum, one) => sum + one, 0);
    return {
      ledger: {
        received: received + this.lost,
        fan_out: fanOut,
        split: 0,
        replayed: 0,
        delivered,
        spooled: 0,
        in_flight: inFlight,
        dead_lettered: dead,
        joined: 0,
        dropped: {
          rule_stop: stopped,
          rule_drop: 0,
          empty_frame: 12,
          no_memory_udp: 0,
          shutdown: 0,
        },
        balanced: this.lost === 0,
      },
      totals: {
        bytes_received: received * 214,
        connections_open: 812 + Math.round(20 * Math.sin(seconds / 5)),
        connections_accepted: 4021,
        connections_refused: 3,
        connections_refused_by: { connections: 3 },
        handshakes_failed: 0,
        connections_idled: 0,
        connections_partial: 0,
        connections_held: 0,
        datagrams_refused: 0,
        datagrams_lost: 0,
        frames_empty: 12,
        frames_truncated: 2,
        frames_damaged: 3,
        connections_foreign: 1,
        unparsed: 341,
        datagrams: Math.floor(received / 12),
        pauses: 17,
        http_requests: 100,
        http_failures: 3,
        http_timeouts: 1,
      },
      spool: this.spool,
      latency_ms: {
        receive_to_ack: { count: delivered, p50: 3.4, p99: 9.1, p999: 31, max: 212 },
        recent: { count: 1000, p50, p99: p50 * 2.8, p999: p50 * (seconds % 40 < 4 ? 22 : 6), max: p50 * 30 },
        stages: stagesAt(p50),
      },
      rules: {
        version: 4,
        hash: "3f2a91c04d17",
        loaded_at: new Date(Date.now() - seconds * 1000).toISOString(),
        source: this.rules().source,
        hits: [
          { rule: "by-meta-topic", hits: Math.floor(received / 2) },
          { rule: "health-checks", hits: stopped },
          { rule: "everything-else", hits: Math.floor(received / 3) },
        ],
        last_error: this.lastError,
      },
      workers: [0, 1].map((worker) => ({
        worker,
        received: Math.floor(received / 2),
        delivered: Math.floor(delivered / 2),
        in_flight: Math.floor(inFlight / 2),
        connections_open: 406,
        pauses: 8 + worker,
        rules_version: 4,
        heartbeat_age_ms: 120,
      })),
      io: { wanted: "auto", used: "native", reason: "a fake" },
      listeners: [
        {
          kind: "syslog",
          transport: "tcp",
          address: "0.0.0.0:1514",
          framing: "auto",
          lines: Math.floor(received * 0.7),
        },
        {
          kind: "syslog",
          transport: "udp",
          address: "0.0.0.0:1514",
          framing: "datagram",
          lines: Math.floor(received * 0.1),
        },
        {
          kind: "syslog",
          transport: "tls",
          address: "0.0.0.0:6514",
          framing: "auto",
          lines: Math.floor(received * 0.2),
        },
      ],
      sink: { name: "kafka", ready: this.sinkProblems.length === 0, problems: this.sinkProblems },
      kafka: {
        brokers: [
          sampleBroker(1, "kafka-1:9092"),
          sampleBroker(2, "kafka-2:9092"),
        ],
        topics: Object.fromEntries(names.map((name, index) => {
          const share = weights[index] / whole;
          const topicDelivered = Math.floor(delivered * share);
          return [name, {
            submitted: topicDelivered + Math.floor(inFlight * share),
            delivered: topicDelivered,
            dead_lettered: 0,
          }];
        })),
      },
      uptime_s: seconds,
      version: "0.1.0",
      runtime: "bun 1.4.5",
      state: "running",
    };
  }
}

/** Where `p50` milliseconds of a line's way go. */
function stagesAt(p50: number): NonNullable<Stats["latency_ms"]["stages"]> {
  const shares = { work: 0.02, batch: 0.3, spool: 0.1, kafka: 0.6, http_reply: 0 };
  const none = { upper_bounds_ms: [], cumulative: [], sum_ms: 0, count: 0 };
  return Object.fromEntries(
    Object.entries(shares).map(([name, share]) => {
      const own = p50 * share;
      const recent = { count: share === 0 ? 0 : 500, p50: own, p99: own * 2.5, p999: own * 5, max: own * 9 };
      return [name, { ...recent, recent, buckets: none }];
    }),
  );
}
