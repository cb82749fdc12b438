/**
 * Replays dead letters: from the file and the topic, to where each of them fell out, or to one place.
 *
 *     auto       a line goes to a listener, and through the rules again; a record goes straight to the topic that was meant
 *     listener   all go to the listener as lines
 *     topic      all go straight to the topic that was meant; those without one are left out
 *
 * Letters go in groups. A group is sent, then its end is written down: who starts again goes on there, and sends a
 * group twice at most. What was there when the replay began is replayed, so that letters which fall out again are for
 * the next one.
 *
 * @module
 */
import { framingOf, type ListenerAddress, sendLines } from "./listener_target.ts";
import type { Progress } from "./progress.ts";
import type { LetterSource, StoredLetter } from "./stored_letter.ts";
import type { TopicTarget } from "./topic_target.ts";

/** Letters and bytes of one group. */
const groupLettersMax = 5000;
const groupBytesMax = 4 * 1024 * 1024;
/** At a low rate a group is what may go in this time. */
const groupMs = 500;

/** Where letters go. */
export type Route = "auto" | "listener" | "topic";

/** How to replay. */
export interface ReplayOptions {
  readonly sources: readonly LetterSource[];
  readonly progress: Progress;
  readonly route: Route;
  /** undefined where no listener is known. */
  readonly listener: ListenerAddress | undefined;
  /** undefined where no cluster is known. */
  readonly topics: TopicTarget | undefined;
  /** Reasons to replay; all where it is undefined. */
  readonly reasons: readonly string[] | undefined;
  /** Also what was replayed before. */
  readonly again: boolean;
  /** Nothing is sent and nothing written down. */
  readonly dryRun: boolean;
  /** Letters per second. */
  readonly rate: number;
  /** Letters at most. */
  readonly limit: number;
  /** Told after each group. */
  progressed(state: ReplayState): void;
  /** Told of each letter of a dry run. */
  would?(letter: StoredLetter, where: string): void;
}

/** What a replay did. */
export interface ReplayState {
  /** Letters that were sent; in a dry run would be. */
  replayed: number;
  bytes: number;
  /** Left out because they were replayed before. */
  before: number;
  /** Left out, by why. */
  readonly skipped: Map<string, number>;
  /** Where it is now. */
  title: string;
  /** Part of the source at hand that is behind it. */
  part: number;
  /** The limit ended it. */
  isCut: boolean;
}

/** Replays. Rejects with a `ForwarderError` when a target fails; what was written down stays. */
export async function replay(options: ReplayOptions): Promise<ReplayState> {
  const state: ReplayState = {
    replayed: 0,
    bytes: 0,
    before: 0,
    skipped: new Map(),
    title: "",
    part: 0,
    isCut: false,
  };
  const pace = new Pace(options.rate);
  for (const source of options.sources) {
    state.title = source.title;
    for (const range of source.streams) {
      await new StreamReplay(options, source, range, state, pace).run();
      if (state.isCut) return state;
    }
  }
  return state;
}

/** One stream of a source. */
class StreamReplay {
  readonly #options: ReplayOptions;
  readonly #source: LetterSource;
  readonly #range: LetterSource["streams"][number];
  readonly #state: ReplayState;
  readonly #pace: Pace;
  #group: StoredLetter[] = [];
  #groupBytes = 0;
  /** Everything before it is done, or in the group. */
  #next = 0;

  constructor(
    options: ReplayOptions,
    source: LetterSource,
    range: LetterSource["streams"][number],
    state: ReplayState,
    pace: Pace,
  ) {
    this.#options = options;
    this.#source = source;
    this.#range = range;
    this.#state = state;
    this.#pace = pace;
  }

  async run(): Promise<void> {
    const { progress, reasons, again, limit } = this.#options;
    const { stream, first, end } = this.#range;
    const noted = again ? 0 : progress.startOf(this.#source.name, stream, reasons);
    // A topic that was made anew begins below what was noted of the former one.
    if (noted > end) progress.forget(this.#source.name, stream);
    this.#next = noted > end ? first : Math.max(first, noted);
    for await (const letters of this.#source.read(stream, this.#next)) {
      for (const letter of letters) {
        if (this.#state.replayed + this.#group.length >= limit) {
          this.#state.isCut = true;
          break;
        }
        this.#take(letter);
        if (this.#group.length >= this.#groupMax || this.#groupBytes >= groupBytesMax) await this.#flush();
      }
      if (this.#state.isCut) break;
    }
    if (!this.#state.isCut) this.#next = Math.max(this.#next, end);
    await this.#flush();
  }

  get #groupMax(): number {
    return Math.max(1, Math.min(groupLettersMax, Math.floor(this.#options.rate * groupMs / 1000)));
  }

  #take(letter: StoredLetter): void {
    const { progress, reasons, again } = this.#options;
    this.#next = letter.next;
    if (reasons !== undefined && !reasons.includes(letter.reason)) return;
    if (!again && progress.isDone(this.#source.name, letter)) {
      this.#state.before++;
      return;
    }
    const why = this.#whyNot(letter);
    if (why !== undefined) {
      this.#state.skipped.set(why, (this.#state.skipped.get(why) ?? 0) + 1);
      return;
    }
    this.#group.push(letter);
    this.#groupBytes += letter.value.length;
  }

  /** Why the letter cannot be replayed. */
  #whyNot(letter: StoredLetter): string | undefined {
    const { listener, topics } = this.#options;
    if (letter.reason === "batch_undecodable") return "it is a batch that could not be read";
    if (this.#isLine(letter)) {
      if (listener === undefined) return "no listener is known: name one with --to tcp://HOST:PORT";
      const framed = framingOf(letter.value, listener.framing);
      return framed.ok ? undefined : framed.why;
    }
    if (topics === undefined) return "no cluster is known: kafka.brokers is not written";
    if (letter.topic === undefined) return "no topic was meant";
    return topics.fits(letter) ? undefined : "it is too large for a batch";
  }

  #isLine({ kind }: StoredLetter): boolean {
    const { route } = this.#options;
    return route === "listener" || route === "auto" && kind === "line";
  }

  /** Sends the group, then writes down how far it came. */
  async #flush(): Promise<void> {
    const { listener, topics, progress, reasons, dryRun, progressed, would } = this.#options;
    const group = this.#group;
    const state = this.#state;
    this.#group = [];
    if (dryRun) {
      for (const letter of group) {
        would?.(letter, this.#isLine(letter) ? "the listener" : `topic ${letter.topic}`);
      }
    } else if (group.length > 0) {
      await this.#pace.before(group.length);
      const lines = group.filter((letter) => this.#isLine(letter));
      const records = group.filter((letter) => !this.#isLine(letter));
      if (lines.length > 0) await sendLines(lines, listener!);
      if (records.length > 0) await topics!.send(records);
    }
    state.replayed += group.length;
    state.bytes += this.#groupBytes;
    this.#groupBytes = 0;
    const { stream, first, end } = this.#range;
    state.part = end === first ? 1 : (this.#next - first) / (end - first);
    if (!dryRun) {
      progress.moved(this.#source.name, stream, reasons, this.#next);
      await progress.save();
    }
    progressed(state);
  }
}

/** Keeps the rate. */
class Pace {
  readonly #rate: number;
  #startedMs = performance.now();
  #gone = 0;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Waits until `letters` more may go. */
  async before(letters: number): Promise<void> {
    const dueMs = this.#startedMs + this.#gone / this.#rate * 1000;
    const nowMs = performance.now();
    if (dueMs > nowMs) await new Promise((resolve) => setTimeout(resolve, dueMs - nowMs));
    // What was late is not made up for: a target that stood still is not flooded.
    else [this.#startedMs, this.#gone] = [nowMs, 0];
    this.#gone += letters;
  }
}
