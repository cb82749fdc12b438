/**
 * `corndog top`: a running corndog, live.
 *
 * @module
 */
import type { ConnectionList } from "../admin/looks_view.ts";
import type { Stats } from "../admin/stats_view.ts";
import type { Inflight } from "../observe/inflight.ts";
import { adminOptions, askAdmin } from "./admin_client.ts";
import { type Call, type Command, exitCode } from "./command.ts";
import { reportError } from "./report.ts";
import { openScreen, type Screen } from "./terminal.ts";
import { type TopSample, topScreen } from "./top_screen.ts";

const intervalMsDefault = 1000;
const intervalMsMin = 200;
/** Where the output is no terminal. */
const plainSize = { width: 120, height: 40 };

/** `corndog top`. */
export const topCommand: Command = {
  name: "top",
  usage: "[--interval SECONDS] [--admin URL] [--token-file FILE]",
  summary: "a running corndog, live",
  details:
    `Rates, latency, what waits in which stage, the busiest topics, and the connections that somebody should
look at. Keys: q ends it, space pauses, s shows stuck connections only. Into a pipe it writes one picture and ends.`,
  options: [
    { name: "interval", value: "SECONDS", description: "time between two pictures; default: 1" },
    ...adminOptions.filter(({ name }) => name !== "json"),
  ],
  examples: [["corndog top --admin http://edge-7:8585 --token-file token", "another host's"]],
  restMax: 0,
  async act(call: Call): Promise<number> {
    const { given, io } = call;
    const written = given.values.get("interval")?.[0];
    const intervalMs = written === undefined ? intervalMsDefault : Number(written) * 1000;
    if (!(intervalMs >= intervalMsMin && intervalMs <= 3_600_000)) {
      reportError(io, `--interval: expected seconds from 0.2 to 3600, got "${written}"`);
      return exitCode.usage;
    }
    // The first answer comes before the screen is taken, so that a fault stays to be read.
    const first = await sample(call);
    if (first === undefined) return exitCode.faults;
    return await new Top(call, first, intervalMs).run();
  },
};

async function sample(call: Call): Promise<TopSample | undefined> {
  const answers = await askAdmin<[Stats, Inflight, ConnectionList]>(call, [
    "/admin/stats",
    "/admin/inflight",
    "/admin/connections?limit=200",
  ]);
  if (answers === undefined) return undefined;
  const [stats, inflight, connections] = answers;
  return { atMs: performance.now(), stats, inflight, connections };
}

/** One run of it. */
class Top {
  readonly #call: Call;
  readonly #intervalMs: number;
  #now: TopSample;
  #before: TopSample | undefined;
  #paused = false;
  #stuckOnly = false;
  #ended = false;
  #screen: Screen | undefined;
  #wake: () => void = () => {};

  constructor(call: Call, first: TopSample, intervalMs: number) {
    this.#call = call;
    this.#now = first;
    this.#intervalMs = intervalMs;
  }

  async run(): Promise<number> {
    this.#screen = openScreen({ key: (key) => this.#key(key), resized: () => this.#draw() });
    if (this.#screen === undefined) return await this.#plain();
    try {
      for (;;) {
        this.#draw();
        await this.#pause();
        if (this.#ended) return exitCode.fine;
        if (this.#paused) continue;
        const next = await sample(this.#call);
        if (next === undefined) return exitCode.faults;
        [this.#before, this.#now] = [this.#now, next];
      }
    } finally {
      this.#screen.close();
    }
  }

  /** One picture with rates, for a pipe. */
  async #plain(): Promise<number> {
    await this.#pause();
    const next = await sample(this.#call);
    if (next === undefined) return exitCode.faults;
    const view = {
      now: next,
      before: this.#now,
      ...plainSize,
      paused: false,
      stuckOnly: false,
      colors: false,
    };
    this.#call.io.out(`${topScreen(view).slice(0, -1).join("\n")}\n`);
    return exitCode.fine;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#intervalMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #key(key: string): void {
    if (key === "q" || key === "\x03" || key === "\x04") {
      this.#ended = true;
      this.#wake();
    } else if (key === " ") this.#paused = !this.#paused;
    else if (key === "s") this.#stuckOnly = !this.#stuckOnly;
    this.#draw();
  }

  #draw(): void {
    if (this.#ended || this.#screen === undefined) return;
    const { width, height } = this.#screen;
    this.#screen.draw(topScreen({
      now: this.#now,
      before: this.#before,
      width,
      height,
      paused: this.#paused,
      stuckOnly: this.#stuckOnly,
      colors: this.#call.io.colors,
    }));
  }
}
