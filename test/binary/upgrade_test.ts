/**
 * A new process takes the old one's place while senders send: `corndog clobber` finds no line missing and no connection
 * refused. Before Kafka with a spool; without a broker before files.
 *
 *     TEST_LONG=1       20 upgrades at 50,000 lines per second instead of 2 at 2,000
 *     UPGRADE_RATE=n    another rate
 *
 * @runtimes bun deno
 * @module
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import type { Stats } from "../../src/admin/stats_view.ts";
import { needs, sharedKafka } from "../kafka/harness/kafka.ts";
import { Corndog, corndogCommand, dial, finish, write } from "../support/corndog.ts";
import { freePort } from "../support/free_port.ts";
import { Generations } from "../support/generations.ts";
import { until } from "../support/until.ts";
import { makeCertificates } from "../unit/io/certificates.ts";

const isLong = process.env.TEST_LONG === "1";
const upgrades = isLong ? 20 : 2;
const linesPerS = Number(process.env.UPGRADE_RATE ?? (isLong ? 50_000 : 2_000));
/** The load ends when the upgrades are done. */
const secondsMax = 600;
const timeout = isLong ? 900_000 : 240_000;
/** Nobody answers there. */
const nowhere = "127.0.0.1:1";

/**
 * Sends over TLS, waits for the end of what it never reads, and sends what it still has. With a second word it waits
 * for a line on standard input before the handshake.
 */
const tlsSender = `import select, socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
if len(sys.argv) > 2: sys.stdin.readline()
s = context.wrap_socket(s)
s.sendall(b"<13>1 - h a - - - before\\n<13>1 - h a - - - ha")
ends = select.poll()
ends.register(s, select.POLLRDHUP)
if ends.poll(40000): print("end", flush=True)
s.sendall(b"lf\\n<13>1 - h a - - - after\\n")
s.close()
`;

/** Sends datagrams as fast as it can. */
const flood = `import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", int(sys.argv[1])))
for _ in range(int(sys.argv[2])): s.send(b"<13>1 - h a - - - flood")
`;

/** What of a result of clobber is looked at. */
interface LoadResult {
  readonly failures: Readonly<Record<string, number>>;
  readonly messages: { readonly unanswered: number };
  readonly endToEnd: { readonly sent: number; readonly lost: number; readonly strange: number };
}

/** The load generator, until it is told to stop. */
class Load {
  readonly name: string;
  readonly #path: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #said = "";

  constructor(dir: string, name: string, args: readonly string[]) {
    const [command, ...first] = corndogCommand();
    this.name = name;
    this.#path = join(dir, `${name}.json`);
    const words = ["clobber", ...args, "-d", `${secondsMax}s`, "-q", "--threads", "1", "--json", this.#path];
    // A handshake or an answer that nobody works on, and not one on a machine without time.
    words.push("--connect-timeout", "60s", "--read-timeout", "60s");
    this.#child = spawn(command!, [...first, ...words], { stdio: ["ignore", "ignore", "pipe"] });
    this.#child.stderr!.on("data", (data) => this.#said += data);
    this.#ended = new Promise((resolve) => this.#child.on("close", resolve));
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends the load; it reads back what it has sent. */
  async stop(): Promise<LoadResult> {
    if (this.running) process.kill(this.#child.pid!, "SIGINT");
    const code = await this.#ended;
    // 130: it was told to. 98: the generator was late, which says nothing about corndog.
    assert.ok([0, 98, 130].includes(code!), `${this.name} ended with ${code}: ${this.#said}`);
    return JSON.parse(readFileSync(this.#path, "utf8"));
  }

  kill(): void {
    if (this.running) process.kill(this.#child.pid!, "SIGKILL");
  }
}

/** Datagrams that the kernel has dropped at a port since it was bound, proc_pid_net(5). */
function droppedAt(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return readFileSync("/proc/net/udp", "utf8").split("\n").map((row) => row.trim().split(/\s+/))
    .filter((row) => row[1]?.endsWith(`:${hex}`)).reduce((sum, row) => sum + Number(row.at(-1)), 0);
}

/** Descriptors of a process, by what they are. */
function descriptors(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
}

describe("corndog upgrade", () => {
  it("loses no line and refuses no connection, over TCP, TLS, RELP, HTTP and UDP", { timeout }, async () => {
    const [tcp, tls, relp, http, udp, admin] = await Promise.all(Array.from({ length: 6 }, () => freePort()));
    const certificates = makeCertificates();
    const kafka = needs.broker ? undefined : await sharedKafka();
    const topic = await kafka?.createTopic("upgrade", { partitions: 2 });
    const sink = kafka === undefined
      ? "sink: file\nfile: { dir: out }"
      : `kafka: { brokers: ["${kafka.bootstrap.split(",").join('", "')}"], topic: "${topic}" }
spool: { dir: spool, free_min: 0B }`;
    const site = await Generations.start(`listen:
  - { syslog: "tcp://127.0.0.1:${tcp}" }
  - syslog: "tls://127.0.0.1:${tls}"
    tls: { cert: ${certificates.file("server.crt")}, key: ${certificates.file("server.key")} }
  - { relp: "tcp://127.0.0.1:${relp}" }
  - { http: "http://127.0.0.1:${http}" }
  - { syslog: "udp://127.0.0.1:${udp}" }
admin: { listen: "127.0.0.1:${admin}" }
${sink}
workers: 2
drain_timeout: 10s
`);
    const { dir } = site.corndog;
    let loads: Load[] = [];
    try {
      const verify = kafka === undefined
        ? `file:${join(dir, "out")}`
        : `kafka://${kafka.bootstrap.split(",")[0]}/${topic}`;
      const rate = (share: number) => ["--rate", String(linesPerS * share), "--verify", verify];
      loads = [
        new Load(dir, "tcp", [`tcp://127.0.0.1:${tcp}`, ...rate(0.4), "-c", "8", "--lifetime", "500ms..2s"]),
        new Load(dir, "tls", [
          `tls://127.0.0.1:${tls}`,
          ...rate(0.1),
          "-c",
          "4",
          "-k",
          "--lifetime",
          "1s..3s",
        ]),
        new Load(dir, "relp", [`relp://127.0.0.1:${relp}`, ...rate(0.1), "-c", "4", "--lifetime", "1s..3s"]),
        // Requests of ten lines each.
        new Load(dir, "http", [
          `http://127.0.0.1:${http}/v1/ingest`,
          ...rate(0.03),
          ...["--syslog", "5424", "--batch", "10", "-c", "8"],
        ]),
        new Load(dir, "udp", [`udp://127.0.0.1:${udp}`, ...rate(0.1), "-c", "2"]),
      ];
      const lines = () =>
        site.corndog.statsWhen("lines at the one that serves", ({ ledger }) => ledger.received > 500, 60_000);
      const excuses: Readonly<Record<string, (unanswered: number) => number>> = {
        // Datagrams that a machine without time let the kernel drop are no matter of the upgrade.
        udp: () => droppedAt(udp!),
        // A sender of RELP sends again what was not answered when its connection ended; clobber only counts it.
        relp: (unanswered) => unanswered,
      };
      for (let upgrade = 0; upgrade < upgrades; upgrade++) {
        await lines();
        await site.upgrade();
      }
      await lines();
      assert.ok(loads.every((load) => load.running), "the load went on through all upgrades");
      for (const load of loads) {
        const { failures, endToEnd, messages } = await load.stop();
        // Lines of RELP that were on their way when the server closed: clobber counts each of them so.
        const unsaid = load.name === "relp" ? { closedEarly: 0, reset: 0 } : {};
        assert.deepEqual({ ...failures, ...unsaid }, unsaid, load.name);
        assert.ok(endToEnd.sent > 0, load.name);
        const excused = excuses[load.name]?.(messages.unanswered) ?? 0;
        const text = `${load.name}: ${endToEnd.sent} sent, ${endToEnd.lost} lost, ${excused} of them excused`;
        if (isLong) console.log(text, failures);
        assert.deepEqual([Math.max(0, endToEnd.lost - excused), endToEnd.strange], [0, 0], text);
      }
      await site.oldOnesEnded();
      // Nothing adds up over generations: connections and pipes of the former ones are gone.
      const kinds = descriptors(site.pid);
      assert.ok(kinds.length < 200, `${kinds.length} descriptors`);
      await site.stop();
      const ends = site.corndog.logs.filter(({ event }) =>
        event === "drained" || event === "drain_incomplete"
      );
      assert.equal(ends.length, upgrades + 1);
      for (const { event, ledger } of ends) {
        assert.deepEqual([event, (ledger as Stats["ledger"]).balanced], ["drained", true]);
      }
    } finally {
      for (const load of loads) load.kill();
      await site.dispose();
      rmSync(certificates.dir, { recursive: true });
    }
  });

  it("leaves datagrams that the kernel has dropped to who has told of them", async () => {
    const [udp, admin] = await Promise.all([freePort(), freePort()]);
    const site = await Generations.start(`listen: [{ syslog: "udp://127.0.0.1:${udp}" }]
admin: { listen: "127.0.0.1:${admin}" }
sink: blackhole
workers: 1
drain_timeout: 1s
`);
    // More than its receive buffer takes while it stands still.
    const overflow = async (datagrams: number) => {
      process.kill(site.pid, "SIGSTOP");
      const before = droppedAt(udp!);
      try {
        await until("a dropped datagram", () => {
          const done = spawnSync("python3", ["-c", flood, String(udp), String(datagrams)]);
          assert.equal(done.status, 0, String(done.stderr));
          return droppedAt(udp!) > before || undefined;
        }, 30_000);
      } finally {
        process.kill(site.pid, "SIGCONT");
      }
    };
    try {
      await overflow(10_000);
      const told = droppedAt(udp!);
      await site.corndog.statsWhen("what was dropped", ({ totals }) => totals.datagrams_lost === told);
      await site.upgrade();
      await site.oldOnesEnded();
      // Another number, so that the two cannot be taken for each other.
      await overflow(35_000);
      const more = droppedAt(udp!) - told;
      assert.notEqual(more, told);
      await site.corndog.statsWhen("what was dropped since", ({ totals }) => totals.datagrams_lost === more);
      await site.stop();
    } finally {
      await site.dispose();
    }
  });

  it("lets a connection that stays on go on to its end, and senders that look go over at once", async () => {
    const [tcp, admin] = await Promise.all([freePort(), freePort()]);
    const site = await Generations.start(`listen: [{ syslog: "tcp://127.0.0.1:${tcp}" }]
admin: { listen: "127.0.0.1:${admin}" }
sink: file
file: { dir: out }
workers: 2
drain_timeout: 30s
`);
    try {
      // It never looks at what comes back, and sends on.
      const deaf = createConnection({ port: tcp, host: "127.0.0.1", allowHalfOpen: true });
      let saw = false;
      deaf.on("end", () => saw = true);
      deaf.resume();
      await write(deaf, "<13>1 - h a - - - before\n<13>1 - h a - - - ha");
      await site.corndog.statsWhen("the first line", ({ ledger }) => ledger.received === 1);
      await site.upgrade();
      await until("the end of what it never read", () => saw || undefined);
      await write(deaf, "lf\n<13>1 - h a - - - after\n");
      await finish(deaf);
      await site.oldOnesEnded();
      await site.stop();
      const [first, last] = site.corndog.logs.filter(({ event }) => event === "drained")
        .map(({ ledger }) => ledger as Stats["ledger"]);
      assert.deepEqual([first!.received, first!.delivered, last!.received], [3, 3, 0]);
    } finally {
      await site.dispose();
    }
  });

  it("tells the end to senders over TLS too, and reads what they send after it", async () => {
    const [tls, admin] = await Promise.all([freePort(), freePort()]);
    const { dir, file } = makeCertificates();
    const site = await Generations.start(`listen:
  - syslog: "tls://127.0.0.1:${tls}"
    tls: { cert: ${file("server.crt")}, key: ${file("server.key")} }
admin: { listen: "127.0.0.1:${admin}" }
sink: file
file: { dir: out }
limits: { handshake: 60s }
workers: 2
drain_timeout: 60s
`);
    const senders = [[], ["late"]].map((words) =>
      spawn("python3", ["-c", tlsSender, String(tls), ...words], { stdio: ["pipe", "pipe", "inherit"] })
    );
    let said = "";
    for (const { stdout } of senders) stdout.on("data", (data) => said += data);
    try {
      await site.corndog.statsWhen(
        "the first line, and a connection without a handshake",
        ({ ledger, totals }) => ledger.received === 1 && totals.connections_open === 2,
      );
      await site.upgrade();
      senders[1]!.stdin.end("\n");
      await until("the end that both saw", () => said === "end\nend\n" || undefined, 40_000);
      await site.oldOnesEnded();
      await site.stop();
      const [first, last] = site.corndog.logs.filter(({ event }) => event === "drained")
        .map(({ ledger }) => ledger as Stats["ledger"]);
      assert.deepEqual([first!.received, first!.delivered, last!.received], [6, 6, 0]);
    } finally {
      for (const sender of senders) if (sender.exitCode === null) process.kill(sender.pid!, "SIGKILL");
      await site.dispose();
      rmSync(dir, { recursive: true });
    }
  });

  it("hands over what the spool holds, and keeps it at an end in a hurry", async () => {
    const [tcp, admin] = await Promise.all([freePort(), freePort()]);
    const text = `listen: [{ syslog: "tcp://127.0.0.1:${tcp}" }]
admin: { listen: "127.0.0.1:${admin}" }
kafka: { brokers: ["${nowhere}"] }
spool: { dir: spool, free_min: 0B }
workers: 1
drain_timeout: 20s
`;
    const lines = 500;
    const send = async () => {
      const socket = await dial(tcp);
      await write(socket, Array.from({ length: lines }, (_, n) => `<13>1 - h a - - - ${n}\n`).join(""));
      await finish(socket);
    };
    const site = await Generations.start(text);
    try {
      await send();
      await site.corndog.statsWhen("all on the disk", ({ spool }) => spool?.lines === lines);
      await site.upgrade();
      await send();
      await site.oldOnesEnded();
      const { ledger } = await site.corndog.statsWhen(
        "what the former left",
        // The former one may still have taken the second lot.
        ({ ledger, spool }) =>
          ledger.replayed >= lines && ledger.replayed + ledger.received === 2 * lines &&
          spool?.lines === 2 * lines,
      );
      assert.ok(ledger.balanced);
      // Twice, so that it ends at once.
      process.kill(site.pid, "SIGTERM");
      await until("a drain", () => site.corndog.logs.some(({ event }) => event === "draining") || undefined);
      try {
        process.kill(site.pid, "SIGTERM");
      } catch { /* it has ended already, with nothing to wait for */ }
      await site.corndog.ended();
      const ends = site.corndog.logs.filter(({ event }) => /^drain(ed|_incomplete)$/.test(event));
      const end = ends.at(-1)!;
      const { spooled, dropped } = end.ledger as Stats["ledger"];
      assert.deepEqual([end.event, spooled, dropped.shutdown], ["drained", 2 * lines, 0]);
      const again = await (await Corndog.start(text, { dir: site.corndog.dir })).started();
      try {
        await again.statsWhen("all lines again", ({ ledger }) => ledger.replayed === 2 * lines);
      } finally {
        again.signal("SIGKILL");
        await again.ended();
      }
    } finally {
      await site.dispose();
    }
  });

  it("that fails changes nothing, and says why", async () => {
    const [tcp, admin] = await Promise.all([freePort(), freePort()]);
    const site = await Generations.start(`listen: [{ syslog: "tcp://127.0.0.1:${tcp}" }]
admin: { listen: "127.0.0.1:${admin}" }
sink: blackhole
workers: 1
`);
    const { corndog } = site;
    try {
      const socket = await dial(tcp);
      writeFileSync(join(corndog.dir, "corndog.yml"), "listen: nonsense\n");
      const answer = await fetch(`${corndog.admin}/admin/upgrade`, { method: "POST" });
      assert.equal(answer.status, 409);
      const { code, detail } = await answer.json() as { code: string; detail: string };
      assert.equal(code, "upgrade_failed");
      assert.match(detail, /exit code 78/);
      assert.match(String((await corndog.event("upgrade_failed")).problem), /this one goes on/);
      await write(socket, "<13>1 - h a - - - still here\n");
      await corndog.statsWhen("a line", ({ ledger }) => ledger.delivered === 1);
      await finish(socket);
      await site.stop();
    } finally {
      await site.dispose();
    }
  });
});
