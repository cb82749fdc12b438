/**
 * Tells systemd how the service is (sd_notify(3)): ready, reloading, stopping, its state in words, and that it lives.
 *
 * The watchdog is fed only while every worker's heartbeat moves: a worker that is held for longer than
 * `WatchdogSec` ends in a restart by systemd, as if the process had died.
 *
 * @module
 */
import type { Stats } from "../admin/stats_view.ts";
import type { NotifySocket } from "../runtime/notify_socket.ts";

/** How often the state in words is told. */
const statusMs = 5000;

/** What the service manager is told about. */
export interface Service {
  healthy(): { readonly ok: boolean };
  stats(): Promise<Pick<Stats, "ledger" | "state" | "sink">>;
}

/** What a service manager is told through, and about. */
export interface ServiceManagerOptions {
  readonly socket: NotifySocket;
  /** `WATCHDOG_USEC`, in milliseconds; undefined where systemd does not watch. */
  readonly watchdogMs: number | undefined;
  readonly service: Service;
}

/** The watchdog's time that systemd set for this process, sd_watchdog_enabled(3). */
export function watchdogMsOf(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  const { WATCHDOG_USEC: micros, WATCHDOG_PID: forPid } = environment;
  if (micros === undefined || (forPid !== undefined && forPid !== String(pid))) return undefined;
  const ms = Number(micros) / 1000;
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

/** The line to systemd. */
export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #isOver = false;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
  }

  /** All listeners are bound. Tells so and begins to feed the watchdog. */
  ready(): void {
    this.#options.socket.send("READY=1");
    void this.#tellStatus();
    this.#timers.push(setInterval(() => void this.#tellStatus(), statusMs));
    const { watchdogMs, service } = this.#options;
    if (watchdogMs === undefined) return;
    const feed = () => {
      if (service.healthy().ok) this.#options.socket.send("WATCHDOG=1");
    };
    feed();
    // Half of the time, as sd_watchdog_enabled(3) recommends.
    this.#timers.push(setInterval(feed, watchdogMs / 2));
  }

  /** A reload from its beginning to its end; `Type=notify-reload` wants both. */
  async reloading<Result>(reload: () => Promise<Result>): Promise<Result> {
    this.#options.socket.send(`RELOADING=1\nMONOTONIC_USEC=${this.#options.socket.monotonicMicros()}`);
    try {
      return await reload();
    } finally {
      this.#options.socket.send("READY=1");
    }
  }

  /** A drain began; it may take until `drain_timeout`. */
  stopping(): void {
    if (this.#isOver) return;
    this.#options.socket.send("STOPPING=1\nSTATUS=Draining");
  }

  /**
   * The process `pid` is the service from now on: only it is heard. What it said before this was not, so that its
   * first food comes half of the watchdog's time later, and the time begins anew here.
   */
  handedOver(pid: number): void {
    this.#options.socket.send(`MAINPID=${pid}\nWATCHDOG=1`);
    this.stop();
    this.#isOver = true;
  }

  /** An upgrade came to nothing: the state in words says so until the next look, for who asked for it by signal. */
  upgradeFailed(problem: string): void {
    this.#options.socket.send(`STATUS=Upgrade failed: ${problem.replaceAll("\n", " ")}`);
  }

  /** Tells nothing any more. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #tellStatus(): Promise<void> {
    const { ledger, state, sink } = await this.#options.service.stats();
    const problem = sink.problems[0];
    const status = [
      `${capital(state)}: ${ledger.received} received, ${ledger.delivered} delivered`,
      `${ledger.in_flight + ledger.spooled} under way`,
      ...(problem === undefined ? [] : [problem]),
    ].join(", ").replaceAll("\n", " ");
    // Again also when it is the same: what a successor says before it is the service is not heard.
    this.#options.socket.send(`STATUS=${status}`);
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
