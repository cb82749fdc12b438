/**
 * The connections of a load thread: opens them at their pace, opens them again when they end, watches their
 * deadlines, and closes them when their time or number is up. What is sent over them is the load's business.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Dial, DialHandler } from "../../runtime/dial.ts";
import { countMs } from "../measure/counts.ts";
import { at, type SharedRow } from "../measure/row.ts";
import type { Plan } from "../plan.ts";
import { type AnswerTaker, makeReader } from "../targets/answer.ts";
import { Random } from "../payload/random.ts";
import { DialPace, retryMsMax } from "./dial_pace.ts";
import { classOf } from "./failure.ts";
import { Link, type Role } from "./link.ts";
import { shareOf } from "./share.ts";

const relpOffers = "relp_version=0\nrelp_software=corndog-clobber\ncommands=syslog";
const relpOpen = Buffer.from(`1 open ${relpOffers.length} ${relpOffers}\n`);

/** What a load does with connections. */
export interface LinkUser {
  /** It can take messages. */
  ready(link: Link): void;
  received(link: Link, chunk: Uint8Array, now: number): void;
  drained(link: Link, now: number): void;
  /** It is gone; what was under way is lost. Called before the slot is reset. */
  lost(link: Link, now: number): void;
}

/** The sockets and the clock, given from outside. */
export interface Outside {
  readonly dial: Dial;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

/** One connection of a slot. What comes of it after the slot has given it up is nobody's. */
interface Attempt {
  readonly link: Link;
  live: boolean;
}

/** The slots of one thread. */
export class Connections {
  readonly links: Link[] = [];
  /** Slots that should be open, counted from the first. */
  wanted: number;
  readonly #plan: Plan;
  readonly #row: SharedRow;
  readonly #outside: Outside;
  readonly #user: LinkUser;
  readonly #random: Random;
  readonly #handler: DialHandler<Attempt>;
  readonly #attempts = new Map<Link, Attempt>();
  readonly #greeting: AnswerTaker;
  readonly #pace: DialPace;
  #greeted: Link | undefined;
  #loadLinks = 0;
  /** The run is over: no connection is opened any more. */
  #closing = false;

  constructor(plan: Plan, thread: number, row: SharedRow, outside: Outside, user: LinkUser) {
    this.#plan = plan;
    this.#row = row;
    this.#outside = outside;
    this.#user = user;
    this.#random = new Random(plan.seed, thread, 1);
    const { threads } = plan;
    const add = (role: Role, count: number): void => {
      for (let index = 0; index < count; index++) {
        this.links.push(new Link(thread + this.links.length * threads, role, plan.pipeline));
      }
    };
    this.#loadLinks = shareOf(plan.connections, thread, threads);
    add("load", this.#loadLinks);
    add("slow", shareOf(plan.slowReaders, thread, threads));
    add("idle", shareOf(plan.idleConnections, thread, threads));
    this.wanted = this.#loadLinks;
    this.#pace = new DialPace(plan.connectRate / plan.threads, this.links.length, this.#random);
    this.#handler = {
      opened: (attempt) => attempt.live && this.#opened(attempt.link),
      received: (attempt, chunk) => attempt.live && this.#received(attempt.link, chunk),
      drained: (attempt) => attempt.live && this.#drained(attempt.link),
      closed: (attempt, error) => attempt.live && this.#closed(attempt.link, error),
    };
    this.#greeting = {
      answered: (status) => this.#greetingAnswered(status),
      bad: () => this.fail(this.#greeted!, "badAnswer"),
      last: () => {},
    };
  }

  /** Whether every wanted slot is open or has failed at least once. */
  get settled(): boolean {
    return this.links.every((link) =>
      !this.#isWanted(link) || link.state === "open" || link.failuresInRow > 0
    );
  }

  /** Whether nothing is under way any more. */
  get quiet(): boolean {
    return this.links.every((link) => link.role !== "load" || (link.inFlight === 0 && !link.writing));
  }

  /** Opens what is missing, ends what is over its time. Called often. */
  keep(now: number): void {
    let open = 0;
    let busy = 0;
    let wanted = 0;
    for (let index = 0; index < this.links.length; index++) {
      const link = this.links[index]!;
      if (this.#isWanted(link)) {
        wanted++;
        if (link.state === "closed") {
          if (!this.#closing && now >= link.retryAtMs && this.#pace.may(now)) this.#dial(link, now);
        } else if (link.state === "open") {
          this.#watch(link, now);
          if (link.inFlight > 0 || link.writing) busy++;
        } else if (now - link.dialledAtMs > this.#plan.connectTimeoutMs) {
          this.fail(link, "connectTimeout");
        }
      } else if (link.state !== "closed") {
        this.retire(link);
      }
      // Between two connections that end as they should, a slot counts as open.
      if (
        this.#isWanted(link) && (link.state === "open" || (link.readyAtMs > 0 && link.failuresInRow === 0))
      ) open++;
    }
    const { numbers } = this.#row;
    numbers[at.open] = open;
    numbers[at.busy] = busy;
    numbers[at.wanted] = wanted;
  }

  /** Closes a connection as soon as nothing is under way on it. */
  retire(link: Link): void {
    link.retiring = true;
    if (link.inFlight > 0 || link.writing) return;
    // A stream is ended in order: what the kernel holds must still reach the peer.
    if (this.#plan.answer.kind === "none") link.dialled?.end();
    else link.dialled?.destroy();
    if (this.#plan.answer.kind === "none") this.#forget(link);
  }

  /** Ends a connection for a reason that is counted once, or once for each message under way. */
  fail(link: Link, column: "connectTimeout" | "readTimeout" | "badAnswer" | "closedEarly"): void {
    this.#row.numbers[at[column]]! += Math.max(1, link.inFlight);
    this.#failed(link);
    const { dialled } = link;
    this.#forget(link);
    dialled?.destroy();
  }

  /** Ends a connection in the middle of what is under way, on purpose. */
  drop(link: Link): void {
    const { dialled } = link;
    this.#forget(link);
    dialled?.end();
  }

  /** Ends all, in order where a stream still has bytes to deliver. */
  close(): void {
    this.#closing = true;
    for (const link of this.links) {
      if (link.state === "closed") continue;
      if (this.#plan.answer.kind === "none" && link.state === "open") link.dialled?.end();
      else link.dialled?.destroy();
    }
  }

  /** Whether every connection is closed. */
  get closed(): boolean {
    return this.links.every((link) => link.state === "closed");
  }

  /** Ends at once what `close` could not end. */
  destroy(): void {
    for (const link of this.links) link.dialled?.destroy();
  }

  #isWanted(link: Link): boolean {
    if (link.role !== "load") return true;
    return Math.floor(link.sender / this.#plan.threads) < this.wanted;
  }

  #dial(link: Link, now: number): void {
    link.reset();
    link.state = "connecting";
    link.dialledAtMs = now;
    this.#pace.began();
    this.#row.numbers[at.connectsTried]!++;
    const { address, tls } = this.#plan;
    const attempt: Attempt = { link, live: true };
    this.#attempts.set(link, attempt);
    link.dialled = this.#outside.dial(address, tls, this.#handler, attempt);
  }

  #opened(link: Link): void {
    this.#pace.ended();
    const now = this.#outside.now();
    link.reader = makeReader(this.#plan.answer, this.#plan.http?.method ?? "GET");
    if (this.#plan.target.scheme === "relp") {
      link.state = "greeting";
      link.dialled!.write(relpOpen, 0, relpOpen.length);
      return;
    }
    this.#ready(link, now);
  }

  #ready(link: Link, now: number): void {
    link.state = "open";
    link.readyAtMs = now;
    this.#row.numbers[at.connectsDone]!++;
    countMs(this.#row.histograms.connect, now - link.dialledAtMs);
    const [low, high] = this.#plan.lifetimeMs;
    if (high > 0) link.retireAtMs = now + low + this.#random.fraction() * (high - low);
    if (link.role === "slow") link.dialled!.pause();
    if (link.role !== "idle") this.#user.ready(link);
  }

  #received(link: Link, chunk: Uint8Array): void {
    this.#row.numbers[at.bytesIn]! += chunk.length;
    if (link.state === "greeting") {
      this.#greeted = link;
      link.reader!.read(chunk, this.#greeting);
      return;
    }
    if (link.state === "open") this.#user.received(link, chunk, this.#outside.now());
  }

  #greetingAnswered(status: number): void {
    const link = this.#greeted!;
    if (link.state !== "greeting") return;
    if (status === 200) this.#ready(link, this.#outside.now());
    else this.fail(link, "badAnswer");
  }

  #drained(link: Link): void {
    if (link.state !== "open") return;
    link.writing = false;
    this.#user.drained(link, this.#outside.now());
    if (link.retiring) this.retire(link);
  }

  #closed(link: Link, error: Error | undefined): void {
    const { numbers } = this.#row;
    if (error !== undefined && !this.#closing) {
      numbers[at[classOf(error)]]! += Math.max(1, link.inFlight);
      this.#failed(link);
    } else if (!this.#closing && !link.retiring) {
      if (link.reader?.ended() && link.inFlight > 0) {
        link.retiring = true; // it answers this once more and takes nothing new
        this.#user.received(link, nothing, this.#outside.now());
      }
      if (link.state !== "open") {
        numbers[at.closedEarly]!++;
        this.#failed(link);
      } else if (link.inFlight > 0) {
        numbers[at.closedEarly]! += link.inFlight;
        this.#failed(link);
      } else {
        numbers[at.closedByPeer]!++;
        link.failuresInRow = 0;
      }
    }
    this.#forget(link);
  }

  /** A connection that was of use for a while does not count against the next one, nor one that was sent nonsense. */
  #failed(link: Link): void {
    if (this.#plan.fuzz.length > 0 && link.state === "open") {
      link.failuresInRow = 0;
      return;
    }
    const useful = link.state === "open" && this.#outside.now() - link.readyAtMs > retryMsMax;
    link.failuresInRow = useful ? 1 : link.failuresInRow + 1;
  }

  /** The slot has no connection any more. */
  #forget(link: Link): void {
    const now = this.#outside.now();
    if (link.state === "connecting") this.#pace.ended();
    this.#attempts.get(link)!.live = false;
    const before = link.state;
    link.state = "closed";
    if (before === "open" && link.role !== "idle") this.#user.lost(link, now);
    link.inFlight = 0;
    link.writing = false;
    link.retryAtMs = now + this.#pace.waitMs(link.failuresInRow);
    link.dialled = undefined;
    // Churn must not wait for the housekeeping.
    const again = link.failuresInRow === 0 && !this.#closing && this.#isWanted(link);
    if (again && this.#pace.may(now)) this.#dial(link, now);
  }

  #watch(link: Link, now: number): void {
    if (now >= link.retireAtMs) {
      this.retire(link);
      return;
    }
    if (link.role !== "load" || link.reader === undefined || link.inFlight === 0) return;
    if (now - link.started[link.oldest]! > this.#plan.readTimeoutMs) this.fail(link, "readTimeout");
  }
}

const nothing = new Uint8Array(0);
