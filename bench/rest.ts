/**
 * What corndog costs while nothing happens, and how soon it takes lines while Kafka is away:
 *
 *     bun bench/rest.ts [--binary bin/corndog] [--seconds 60] [--starts 21] [--only idle|start]
 *
 * Idle: three brokers of Apache Kafka (test/kafka/harness starts them; Java and Maven are needed), all of them
 * connected, one line delivered before. CPU is user and system time of the process (/proc/PID/stat), wake-ups are the
 * voluntary switches of its threads. Nobody asks it anything meanwhile.
 *
 * Start: from the start of the process to the first TCP connection that its listener takes, with a broker's address
 * at which nobody listens; the configuration has rules and a spool. CPU is that of the process at this moment.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { startKafka } from "../test/kafka/harness/kafka.ts";
import { Corndog, dial, finish, write } from "../test/support/corndog.ts";
import { freePort } from "../test/support/free_port.ts";
import { until } from "../test/support/until.ts";

/** Compilers and collectors have their say after a start; the runtime's collector turns slow after half a minute. */
const settleMs = 40_000;
/** A connection that is open for so long was not one to the probe of the port. */
const staysMs = 60;
/** USER_HZ, the same on every Linux that runs this. */
const tickMs = 10;

const { values } = parseArgs({
  options: {
    binary: { type: "string", default: "bin/corndog" },
    seconds: { type: "string", default: "60" },
    starts: { type: "string", default: "21" },
    only: { type: "string" },
  },
});
const binary = resolve(values.binary);

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** User and system time of a process, milliseconds. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/** One thread. */
interface Thread {
  readonly name: string;
  readonly ms: number;
  readonly wakes: number;
}

function threadsOf(pid: number): Map<string, Thread> {
  const folder = `/proc/${pid}/task`;
  return new Map(
    readdirSync(folder).map((tid) => {
      const text = (name: string) => readFileSync(`${folder}/${tid}/${name}`, "latin1");
      const wakes = Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(text("status"))![1]);
      return [tid, { name: text("comm").trim(), ms: Number(text("schedstat").split(" ")[0]) / 1e6, wakes }];
    }),
  );
}

async function idle(): Promise<void> {
  await using kafka = await startKafka({ brokers: 3 });
  const topic = await kafka.createTopic("rest", { partitions: 6, replicas: 3 });
  process.env.CORNDOG_BINARY = binary;
  const brokers = kafka.addresses.map((address) => `"${address}"`).join(", ");
  const corndog = await (await Corndog.start(`
listen: [{ syslog: "tcp://127.0.0.1:0" }, { syslog: "udp://127.0.0.1:0" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: [${brokers}], topic: "${topic}" }
spool: { dir: spool }
workers: 2
`)).started();
  try {
    const socket = await dial(corndog.port("tcp"));
    await write(socket, "<13>1 - edge rest - - - one line\n");
    await finish(socket);
    await corndog.statsWhen(
      "three brokers",
      ({ ledger, kafka: { brokers } }) =>
        ledger.delivered === 1 && brokers.length === 3 && brokers.every(({ connected }) => connected),
    );
    await sleep(settleMs);
    const seconds = Number(values.seconds);
    const before = { cpu: cpuMs(corndog.pid), threads: threadsOf(corndog.pid), atMs: performance.now() };
    await sleep(seconds * 1000);
    const took = (performance.now() - before.atMs) / 1000;
    const cpu = (cpuMs(corndog.pid) - before.cpu) / took / 10;
    const rows = [...threadsOf(corndog.pid)].map(([tid, { name, ms, wakes }]) => {
      const former = before.threads.get(tid);
      return { name, ms: (ms - (former?.ms ?? 0)) / took, wakes: (wakes - (former?.wakes ?? 0)) / took };
    }).filter(({ wakes, ms }) => wakes >= 0.05 || ms >= 0.01).sort((a, b) => b.ms - a.ms);
    const rss = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${corndog.pid}/status`, "latin1"))![1]);
    console.log(`idle, three brokers, ${took.toFixed(0)} s: ${cpu.toFixed(2)} % of a core`);
    const wakes = rows.reduce((sum, row) => sum + row.wakes, 0);
    console.log(`${wakes.toFixed(1)} wake-ups a second, ${(rss / 1024).toFixed(0)} MiB resident`);
    for (const row of rows) {
      console.log(`  ${row.name.padEnd(16)} ${row.ms.toFixed(3)} ms/s  ${row.wakes.toFixed(1)} wake-ups/s`);
    }
  } finally {
    await corndog.stop();
    await corndog.dispose();
  }
}

/**
 * True if the port takes a connection now, and keeps it: corndog probes its ports before it shares them, and closes what
 * comes in that instant. `connected` is called for each attempt that came through.
 */
function takes(port: number, connected: () => void): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (isTaken: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      done(isTaken);
    };
    socket.once("connect", () => {
      connected();
      timer = setTimeout(() => end(true), staysMs);
    });
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
    socket.resume();
  });
}

async function start(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "corndog-rest-"));
  const port = await freePort();
  writeFileSync(
    join(dir, "corndog.yml"),
    `
listen: [{ syslog: "tcp://127.0.0.1:${port}" }, { syslog: "udp://127.0.0.1:${port}" }]
admin: { listen: "127.0.0.1:0" }
sink: kafka
kafka: { brokers: ["127.0.0.1:1"], topic: logs }
spool: { dir: spool }
workers: 2
rules:
  - name: by-host
    field: hostname
    regex: "^web-(?P<number>\\\\d+)"
    actions: [{ type: forward, topic: web }]
`,
  );
  const walls: number[] = [];
  const cpus: number[] = [];
  for (let nth = 0; nth < Number(values.starts); nth++) {
    const startedMs = performance.now();
    const child = spawn(binary, ["run", "-c", "corndog.yml"], { cwd: dir, stdio: "ignore" });
    const ended = new Promise((done) => child.once("close", done));
    let [wall, cpu] = [0, 0];
    const connected = () => [wall, cpu] = [performance.now() - startedMs, cpuMs(child.pid!)];
    await until("a connection", async () => await takes(port, connected) || undefined, 20_000, 1);
    walls.push(wall);
    cpus.push(cpu);
    process.kill(child.pid!, "SIGKILL");
    await ended;
  }
  rmSync(dir, { recursive: true });
  const told = (list: number[]): string => {
    const sorted = list.slice(1).sort((a, b) => a - b);
    const at = (part: number) => sorted[Math.floor((sorted.length - 1) * part)]!.toFixed(0);
    return `${at(0.5)} ms (${at(0)} to ${at(1)})`;
  };
  console.log(`start without Kafka, to the first connection: ${told(walls)}, CPU ${told(cpus)}`);
}

if (values.only !== "idle") await start();
if (values.only !== "start") await idle();
