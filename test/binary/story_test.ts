/**
 * Each fault that makes lines wait, put in on purpose: `corndog why` names the stage, its share and the cause.
 *
 * @runtimes bun deno
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { describe, it } from "node:test";
import type { ConnectionList, StallList } from "../../src/admin/looks_view.ts";
import { whyText } from "../../src/cli/why_text.ts";
import type { Inflight } from "../../src/observe/inflight.ts";
import { Corndog, corndogCommand, dial } from "../support/corndog.ts";
import { NetworkNamespace } from "../support/network_namespace.ts";
import { until } from "../support/until.ts";
import { api, SocketBroker } from "../unit/kafka/socket_broker.ts";

/**
 * The promise: from the beginning of a trouble to an answer that names it. Held against the ages that corndog tells in
 * that answer, of which it knows the beginning: how late this machine starts a process that asks is not in them.
 */
const foundMsMax = 5_000;
/** Where the machine gave nobody time for seconds, the trouble is made again. */
const roundsMax = 3;

/** Why nothing is known of what a thread waits for. */
const noSchedstat = existsSync("/proc/thread-self/schedstat") ? false : "the kernel does not count it";

const topics = Array.from({ length: 20 }, (_, index) => `t${index}`);

const configOf = (port: number, durability: string) =>
  `listen: [{ syslog: "tcp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
kafka: { brokers: ["127.0.0.1:${port}"], topic: t0, linger: 1ms, topics: { allow: ["t*"] } }
spool: { durability: ${durability} }
workers: 1
drain_timeout: 1s
rules:
  - name: by-app
    field: appname
    prefix: t
    actions: [{ type: forward, topic: "{{appname}}" }]
`;

/** One line for each topic, so that each becomes a batch. */
const lines = topics.map((topic) => `<13>1 - h ${topic} - - - x\n`).join("");

interface Stage {
  readonly corndog: Corndog;
  readonly broker: SocketBroker;
  readonly socket: Socket;
  /** Runs `corndog why`. */
  why(): Promise<{ code: number | null; text: string }>;
}

async function withCorndog(
  chaos: string,
  durability: string,
  act: (stage: Stage) => Promise<void>,
): Promise<void> {
  const broker = await new SocketBroker().listen();
  for (const topic of topics) broker.create(topic, 1);
  const corndog = await Corndog.start(configOf(broker.port, durability), { env: { CORNDOG_CHAOS: chaos } });
  try {
    await corndog.started();
    // Nobody is to wonder about them.
    if (chaos !== "") assert.equal((await corndog.event("faults_on_purpose")).value, chaos);
    assert.ok(corndog.logs.every(({ event }) => event !== "config_warning"));
    const socket = await dial(corndog.port("tcp"));
    await act({ corndog, broker, socket, why: () => why(corndog) });
  } finally {
    await corndog.dispose();
    await broker.close();
  }
}

/** Not spawnSync: the broker lives in this process. */
async function why(corndog: Corndog): Promise<{ code: number | null; text: string }> {
  const [command, ...first] = corndogCommand();
  const child = spawn(command!, [...first, "why", "--admin", corndog.admin]);
  let text = "";
  child.stdout.on("data", (data) => text += data);
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, text };
}

/** Asks until `what` is in the answer. */
async function whyUntil(stage: Pick<Stage, "why">, what: RegExp): Promise<string> {
  let last = "";
  try {
    return await until(`"${what.source}" in the answer of corndog why`, async () => {
      const { code, text } = await stage.why();
      last = text;
      return what.test(text) && code === 1 ? text : undefined;
    }, 45_000);
  } catch (error) {
    throw new Error(`${(error as Error).message}; it said:\n${last}`);
  }
}

/** What `corndog why` would print, without the time that a process takes to start. */
async function page({ admin }: Corndog): Promise<string> {
  const ask = async (path: string) => await (await fetch(`${admin}${path}`)).json();
  const [stats, inflight, connections, stalls] = await Promise.all([
    ask("/admin/stats"),
    ask("/admin/inflight"),
    ask("/admin/connections?stuck=1&limit=1000"),
    ask("/admin/stalls"),
  ]);
  return whyText({ stats, inflight, connections, stalls }).text;
}

/** Milliseconds of an age as it is printed. */
function msOf(age: string): number {
  const [, value, unit] = /^([0-9.]+) (ms|s|min|h)$/.exec(age)!;
  return Number(value) * { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }[unit as "ms" | "s" | "min" | "h"];
}

/**
 * Asks until `what` is in the answer, and gives how old the trouble was when it was first named: the `age` groups of
 * `what`, the greatest of them.
 */
async function namedAfterMs(corndog: Corndog, what: RegExp): Promise<number> {
  let last = "";
  try {
    return await until("the cause in what corndog why would say", async () => {
      last = await page(corndog);
      const found = what.exec(last);
      return found === null ? undefined : Math.max(...found.slice(1).map(msOf));
    }, 45_000);
  } catch (error) {
    throw new Error(`${(error as Error).message} (${what.source}); it said:\n${last}`);
  }
}

/** Makes a trouble up to three times; once at least it is named in time. `act` gives how old it was then. */
async function namedInTime(act: () => Promise<number>): Promise<void> {
  const tookMs: number[] = [];
  while (tookMs.length < roundsMax) {
    tookMs.push(await act());
    if (tookMs.at(-1)! <= foundMsMax) return;
  }
  assert.fail(`named after ${tookMs.join(", ")} ms, each time later than ${foundMsMax} ms`);
}

/** The same where it comes again by itself: each time anew. */
async function namedEachTime(corndog: Corndog, what: RegExp): Promise<void> {
  await namedInTime(async () => {
    const tookMs = await namedAfterMs(corndog, what);
    if (tookMs > foundMsMax) {
      await until("its end", async () => !what.test(await page(corndog)) || undefined, 45_000);
    }
    return tookMs;
  });
}

describe("corndog why", () => {
  it("names lost wake-ups: 5 % of the acknowledgements, above 200 a second alone", async () => {
    await withCorndog("lost-wakeup=kafka:5%@200rps", "none", async (stage) => {
      const { corndog, socket } = stage;
      const inflight = async () => await (await fetch(`${corndog.admin}/admin/inflight`)).json() as Inflight;
      // One batch at a time: below the rate nothing is forgotten.
      for (let nth = 1; nth <= 10; nth++) {
        socket.write("<13>1 - h t0 - - - alone\n");
        await corndog.statsWhen("its delivery", ({ ledger }) => ledger.delivered === nth);
      }
      assert.equal((await inflight()).orphans, 0);
      // The wait itself is older than its loss: the acknowledgement that was forgotten had to come first.
      await until(`an orphan that is named before it is ${foundMsMax} ms old`, () => {
        socket.write(lines);
        return corndog.logs.find((line) => line.event === "orphan" && Number(line.age_ms) < foundMsMax);
      }, 45_000);
      // What was lost is made good after ten seconds; so that there is always some, lines keep coming.
      const traffic = setInterval(() => socket.write(lines), 20);
      const text = await whyUntil(
        stage,
        /Stage kafka: \d+ of \d+ waits, half of them over [^]*lost, topic t\d+ partition 0, broker 127\.0\.0\.1:\d+/,
      ).finally(() => clearInterval(traffic));
      assert.match(text, /Stage kafka: \d+ of \d+ waits since the start \([0-9.]+ %\) were lost/);
      const { lost = [] } = await inflight();
      assert.deepEqual(lost.map(({ stage }) => stage), ["kafka"]);
      // About one in twenty, of those above the rate.
      assert.ok(lost[0]!.lost / lost[0]!.waits < 0.2, JSON.stringify(lost));
    });
  });

  it("names a broker that takes requests and answers none, within 5 s", async () => {
    await namedInTime(async () => {
      let tookMs = Infinity;
      await withCorndog("", "os", async (stage) => {
        const { broker, corndog, socket } = stage;
        socket.write(lines);
        await corndog.statsWhen("deliveries", ({ ledger }) => ledger.delivered === topics.length);
        broker.hook = ({ apiKey }) => apiKey === api.produce ? { lateMs: 3_600_000 } : {};
        socket.write(lines);
        tookMs = await namedAfterMs(
          corndog,
          /Stage kafka: \d+ of \d+ waits, half of them over [0-9.]+ \S+, the oldest ([0-9.]+ \S+):\n(?: .*\n)*? +\d+ of the oldest: topic t\d+ partition 0, broker 127\.0\.0\.1:\d+, .*\n(?: .*\n)*? +Broker \S+ does not answer for ([0-9.]+ \S+): \d+ requests, \d+ bytes/,
        );
        await whyUntil(stage, /Broker \S+ does not answer for [0-9.]+ (s|min): \d+ requests, \d+ bytes/);
      });
      return tookMs;
    });
  });

  it("names a disk that is slow, within 5 s", async () => {
    await namedInTime(async () => {
      let tookMs = Infinity;
      await withCorndog("slow-disk=4s", "os", async (stage) => {
        const { corndog, socket } = stage;
        socket.write(lines);
        tookMs = await namedAfterMs(
          corndog,
          /Stage spool: \d+ of \d+ waits, half of them over [0-9.]+ \S+, the oldest ([0-9.]+ \S+):\n(?: .*\n)*? +The disk of \S+ is (?:slow|failing|full)/,
        );
        const text = await whyUntil(stage, /Stage spool: \d+ of \d+ waits, half of them over [0-9.]+ /);
        assert.match(text, /The disk of \S+ is (slow|failing|full)/);
      });
      return tookMs;
    });
  });

  it(
    "names a call in which a worker sleeps, within 5 s and while it does",
    { skip: noSchedstat },
    async () => {
      // It sleeps for longer than the promise.
      await withCorndog("blocked-loop=6000ms:3s", "none", async (stage) => {
        const { corndog } = stage;
        const held = /Worker 0 is held for ([0-9.]+ \S+), asleep in a call of the operating system/;
        // Each sleep is a trouble of its own.
        await namedEachTime(corndog, held);
        await whyUntil(
          stage,
          /Worker 0 is held for [0-9.]+ (ms|s), asleep in a call of the operating system/,
        );
        const found = await until("a stall by a call that is over", async () => {
          const { stalls } = await (await fetch(`${corndog.admin}/admin/stalls`)).json() as StallList;
          return stalls.find(({ cause, over }) => cause === "blocked" && over);
        }, 45_000);
        assert.ok(found.evidence!.cpu_ms! < found.ms / 2, JSON.stringify(found));
      });
    },
  );

  it("names the collection of garbage that holds a worker, within 5 s", { skip: noSchedstat }, async () => {
    await withCorndog("gc-storm=100MiB:2s", "none", async (stage) => {
      const garbage = /(is held for|the last took) [0-9.]+ (ms|s), collecting garbage/;
      // One of the storms: where others take the cores, a stall is the machine's, and told with both.
      const starved = ({ cause, ms, evidence }: StallList["stalls"][number]) =>
        cause === "machine" && evidence!.queued_ms! >= ms / 2 && (evidence!.paused_ms ?? 0) >= ms / 2;
      let named = false;
      // Judged anew until it is over; and told with its whole length.
      const { ms, evidence } = await until("a stall by garbage that is over", async () => {
        named ||= garbage.test(await page(stage.corndog));
        const { stalls } = await (await fetch(`${stage.corndog.admin}/admin/stalls`)).json() as StallList;
        return stalls.find((stall) =>
          stall.over && stall.ms <= foundMsMax &&
          (stall.evidence?.collector_ms ?? stall.evidence?.paused_ms ?? 0) > 0 &&
          (stall.cause === "gc" && named || starved(stall))
        );
      }, 50_000);
      // V8 collects on the thread itself, JavaScriptCore beside it.
      if (evidence!.paused_ms === undefined) assert.ok(evidence!.cpu_ms! < ms, JSON.stringify(evidence));
      else assert.ok(evidence!.paused_ms >= ms / 2, JSON.stringify(evidence));
    });
  });

  it("names the rule that holds a worker, within 5 s and while it does", async () => {
    await withCorndog("held-rule=by-app:8000ms:1s", "none", async (stage) => {
      const held = /Worker 0 is held for ([0-9.]+ \S+) by rule "by-app"/;
      await namedEachTime(stage.corndog, held);
      const text = await whyUntil(stage, /Worker 0 is held for [0-9.]+ (ms|s) by rule "by-app"/);
      assert.match(text, /^corndog \S+ on/);
      const { stalls } = await (await fetch(`${stage.corndog.admin}/admin/stalls`)).json() as StallList;
      assert.equal(stalls[0]!.rule, "by-app");
    });
  });
});

/** Sends one request and waits for its answer. */
const client = `
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
body = b"<13>1 - h a - - - a line\\n"
s.sendall(b"POST /v1/ingest?ack=kafka HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
s.recv(4096)
`;

const lossConfig = (host: string, broker: number) =>
  `listen: [{ http: "http://${host}:0", ack_timeout: 1m }]
admin: { listen: "127.0.0.1:0" }
kafka: { brokers: ["127.0.0.1:${broker}"], topic: logs, linger: 1ms }
spool: { durability: none }
workers: 1
drain_timeout: 1s
`;

/** Made and given back at once: whether it can be. */
const probe = NetworkNamespace.make();
if (typeof probe !== "string") probe[Symbol.dispose]();

describe("corndog on a network that loses packets", () => {
  const skip = typeof probe === "string" && probe;
  it("names network_loss when its answer does not arrive", { skip }, async () => {
    const network = NetworkNamespace.make();
    assert.ok(typeof network !== "string", String(network));
    const broker = await new SocketBroker().listen();
    broker.create("logs", 1);
    // The line is read by then, and not answered.
    broker.hook = ({ apiKey }) => {
      if (apiKey === api.produce) network.lose();
      return {};
    };
    const corndog = await Corndog.start(lossConfig(network.here, broker.port));
    let sender: ReturnType<typeof spawn> | undefined;
    try {
      await corndog.started();
      const port = corndog.port("http");
      const [command, ...first] = [...network.command, "python3", "-c", client, network.here, String(port)];
      sender = spawn(command!, first, { stdio: "ignore" });
      const list = async (query: string) =>
        await (await fetch(`${corndog.admin}/admin/connections${query}`)).json() as ConnectionList;
      const lost = await until("the verdict", async () => {
        const { connections } = await list("");
        return connections.find(({ verdict }) => verdict === "network_loss");
      }, 30_000);
      assert.match(lost.peer, new RegExp(`^${network.there.replaceAll(".", "\\.")}:`));
      assert.ok(lost.tcp!.retransmitted > 0 && lost.tcp!.unacked > 0, JSON.stringify(lost));
      // Somebody should look when it stays so.
      await until("a stuck connection", async () => (await list("?stuck=1")).connections[0], 30_000);
      const text = await whyUntil({ why: () => why(corndog) }, /network_loss: packets to them are lost/);
      assert.match(text, /segments lost, \d+ sent again, round trip [\d.]+ ms/);
    } finally {
      sender?.kill("SIGKILL");
      network[Symbol.dispose]();
      await corndog.dispose();
      await broker.close();
    }
  });
});
