/**
 * Asks the corndog behind the target, while the load runs, what waits in it and for how long (`--admin URL`). Whatever
 * it answers is only read; a target that does not answer is said and does not end the run.
 *
 * @module
 */
import { messageOf } from "../../core/errors.ts";

/** The longest wait of one stage at one look. */
export interface SeenWait {
  readonly stage: string;
  readonly ageMs: number;
  readonly count: number;
  /** Topic and partition, rule, connection: whatever the oldest one is known by; empty for nothing. */
  readonly who: string;
}

/** One look. */
export interface Look {
  readonly atMs: number;
  readonly waits: readonly SeenWait[];
}

/** A worker that was held. */
export interface SeenStall {
  readonly ms: number;
  readonly cause: string;
  readonly rule: string;
}

/** All that was seen. */
export interface Watched {
  readonly url: string;
  readonly looks: readonly Look[];
  readonly failures: number;
  /** Why the last look failed, if it did. */
  readonly problem: string | undefined;
  readonly stalls: readonly SeenStall[];
  /** Changes of the ledger's counters over the run. */
  readonly ledger: Readonly<Record<string, number>>;
}

/** Waits shorter than this pass between two looks. */
const lookMs = 200;
const answerMs = 2000;
/** Looks of a run that are kept: two hours; then every second one is dropped. */
const looksMax = 36_000;

/** The watch. */
export class TargetWatch {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #fetch: typeof fetch;
  #looks: Look[] = [];
  #failures = 0;
  #problem: string | undefined;
  #before: Readonly<Record<string, number>> = {};
  #startedAt = 0;
  #ending = false;
  #loop: Promise<void> | undefined;

  constructor(url: string, token: string | undefined, fetchWith: typeof fetch = fetch) {
    this.#url = url;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#fetch = fetchWith;
  }

  /** Begins to look. */
  async start(): Promise<void> {
    this.#startedAt = Date.now();
    this.#before = await this.#ledger();
    this.#loop = this.#run();
  }

  /** Ends it, and gives what was seen. */
  async finish(): Promise<Watched> {
    this.#ending = true;
    await this.#loop;
    const after = await this.#ledger();
    const ledger = Object.fromEntries(
      Object.entries(after).map(([name, value]) => [name, value - (this.#before[name] ?? 0)]),
    );
    return {
      url: this.#url,
      looks: this.#looks,
      failures: this.#failures,
      problem: this.#problem,
      stalls: await this.#stalls(),
      ledger,
    };
  }

  async #run(): Promise<void> {
    while (!this.#ending) {
      const answer = await this.#ask("/admin/inflight");
      if (answer !== undefined) {
        this.#looks.push({ atMs: performance.now(), waits: waitsOf(answer) });
        if (this.#looks.length > looksMax) this.#looks = this.#looks.filter((_, index) => index % 2 === 0);
      }
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }

  async #ask(path: string): Promise<unknown> {
    try {
      const response = await this.#fetch(this.#url + path, {
        headers: this.#headers,
        signal: AbortSignal.timeout(answerMs),
      });
      if (!response.ok) {
        await response.body?.cancel();
        throw new Error(`${path} answered ${response.status}`);
      }
      return await response.json();
    } catch (error) {
      this.#failures++;
      this.#problem = messageOf(error);
      return undefined;
    }
  }

  async #ledger(): Promise<Record<string, number>> {
    const ledger = member(await this.#ask("/admin/stats"), "ledger");
    const flat: Record<string, number> = {};
    for (const [name, value] of Object.entries(ledger)) {
      if (typeof value === "number") flat[name] = value;
      if (name === "dropped") {
        for (const [reason, count] of Object.entries(value ?? {})) flat[`dropped ${reason}`] = Number(count);
      }
    }
    return flat;
  }

  async #stalls(): Promise<SeenStall[]> {
    const stalls = member(await this.#ask("/admin/stalls"), "stalls");
    return listOf(stalls).filter(({ at }) => Date.parse(String(at)) >= this.#startedAt).map((
      { cause, ms, rule },
    ) => ({
      ms: Number(ms),
      cause: String(cause),
      rule: rule === undefined ? "" : String(rule),
    }));
  }
}

function waitsOf(answer: unknown): SeenWait[] {
  return listOf(member(answer, "stages")).map((stage) => {
    const [oldest] = listOf(stage.oldest);
    return {
      stage: String(stage.stage),
      ageMs: Number(stage.max_ms) || 0,
      count: Number(stage.count) || 0,
      who: whoOf(oldest ?? {}),
    };
  });
}

function whoOf({ broker, listener, partition, rule, topic }: Readonly<Record<string, unknown>>): string {
  if (rule !== undefined) return `rule ${rule}`;
  if (topic !== undefined) {
    return `topic ${topic}${partition === undefined ? "" : `, partition ${partition}`}`;
  }
  if (broker !== undefined) return `broker ${broker}`;
  return listener === undefined ? "" : `listener ${listener}`;
}

function member(value: unknown, name: string): Readonly<Record<string, unknown>> {
  const found = typeof value === "object" && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
  return typeof found === "object" && found !== null ? found as Record<string, unknown> : {};
}

function listOf(value: unknown): Readonly<Record<string, unknown>>[] {
  return Object.values(value ?? {}).filter((one) => typeof one === "object" && one !== null);
}
