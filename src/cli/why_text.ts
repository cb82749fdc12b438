/**
 * What `corndog why` says: one page that names what is stuck, where and why. Pure.
 *
 * @module
 */
import type { ConnectionList, ConnectionView, StallFields, StallList } from "../admin/looks_view.ts";
import type { Stats } from "../admin/stats_view.ts";
import type { Inflight, OldestWait, StageWaits } from "../observe/inflight.ts";

/** The answers that it is made of. */
export interface WhyAnswers {
  readonly stats: Stats;
  readonly inflight: Inflight;
  readonly connections: ConnectionList;
  readonly stalls: StallList;
}

/** Connections that wait for longer are named. */
const longMs = 5_000;
/** Lines are at the disk and at Kafka for milliseconds; waits there that are older are named. */
const longStageMs = 2_000;
/** Connections that are shown one by one. */
const shownMax = 10;

/** What people call a verdict. */
const verdicts: Readonly<Record<string, string>> = {
  client_silent: "their senders have begun a line and not ended it",
  we_are_not_reading: "corndog does not read what they have sent",
  peer_not_reading: "they do not take corndog's answers",
  network_loss: "packets to them are lost",
  kafka: "there is no room until Kafka acknowledges lines",
  disk: "there is no room until the disk takes lines",
  cpu: "corndog has no time for them",
};

/** The same, of connections whose requests are not answered. */
const answers: Readonly<Record<string, string>> = {
  kafka: "their requests are answered when Kafka acknowledges their lines",
  disk: "their requests are answered when the disk takes their lines",
};

/** The page, and whether something is stuck. */
export function whyText(answers: WhyAnswers): { readonly text: string; readonly stuck: boolean } {
  const parts = [held(answers), connections(answers), waits(answers), sink(answers), ledger(answers)];
  const stuck = parts.some((part) => part.length > 0);
  const { stats, connections: { open } } = answers;
  const head =
    `corndog ${stats.version} on ${stats.runtime}, ${stats.state} for ${age(stats.uptime_s * 1000)}: ` +
    `${open} connections, ${stats.ledger.received} lines received, ${stats.ledger.delivered} delivered`;
  const body = stuck ? parts.flat() : ["Nothing is stuck."];
  return { text: `${[head, ...past(answers.stalls), ...body].join("\n")}\n`, stuck };
}

/** Why a worker is held, where it is not what it does itself. */
const reasons: Readonly<Record<StallFields["cause"], string>> = {
  rule: "",
  worker: "",
  machine: ", because this machine gives it no core",
  gc: ", collecting garbage",
  blocked: ", asleep in a call of the operating system",
};

function heldBy(cause: StallFields["cause"], rule: string | undefined): string {
  return `${rule === undefined ? "" : ` by rule "${rule}"`}${reasons[cause]}`;
}

/** Workers that are held now. */
function held({ stalls }: WhyAnswers): string[] {
  return stalls.stalls.filter(({ over }) => !over).map(({ worker, ms, rule, connection, bytes, cause }) => {
    const by = heldBy(cause, rule);
    const on = connection === undefined ? "" : `, on ${bytes} bytes of connection ${connection}`;
    return `Worker ${worker} is held for ${age(ms)}${by}${on}.`;
  });
}

/** Stalls that are over are worth a line, and no alarm. */
function past({ total, stalls }: StallList): string[] {
  const last = stalls.find(({ over }) => over);
  if (last === undefined) return [];
  const by = heldBy(last.cause, last.rule);
  return [
    `${total} ${total === 1 ? "stall" : "stalls"} since the start; the last took ${
      age(last.ms)
    }${by}, at ${last.at}.`,
  ];
}

function connections({ connections: list }: WhyAnswers): string[] {
  const stuck = list.connections.filter((connection) => connection.stuck);
  const { room, letters, turn, answer } = list.waiting;
  const long = room.long + letters.long + turn.long + answer.long + list.half_lines_long;
  const lines: string[] = [];
  if (list.workers_held.length > 0) {
    lines.push(
      `Workers ${list.workers_held.join(", ")} do not answer; their connections are not counted here.`,
    );
  }
  if (long === 0 && stuck.length === 0) return lines;
  lines.push(`${Math.max(long, stuck.length)} of ${list.open} connections wait for over ${age(longMs)}:`);
  const share = stuck.length < long ? "of those shown, " : "";
  const owed = stuck.filter(({ waits_for }) => waits_for === "answer");
  for (const [verdict, count] of counted(owed)) {
    lines.push(
      `  ${String(count).padStart(5)}  ${verdict}: ${share}${answers[verdict] ?? reasonOf(verdict)}`,
    );
  }
  for (const [verdict, count] of counted(stuck.filter(({ waits_for }) => waits_for !== "answer"))) {
    lines.push(`  ${String(count).padStart(5)}  ${verdict}: ${share}${reasonOf(verdict)}`);
  }
  for (const view of stuck.slice(0, shownMax)) lines.push(`         ${connectionLine(view)}`);
  return lines;
}

function reasonOf(verdict: string): string {
  return verdicts[verdict] ?? `${verdict.replace("rule:", 'rule "')}" holds their worker`;
}

function counted(views: readonly ConnectionView[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { verdict } of views) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

function connectionLine(view: ConnectionView): string {
  const wait = view.waits_ms ?? view.partial_ms ?? view.idle_ms;
  const partial = view.partial_bytes > 0 ? `, ${view.partial_bytes} bytes of a line` : "";
  const queue = (view.recv_q ?? 0) > 0 ? `, ${view.recv_q} bytes unread` : "";
  const lost = view.verdict === "network_loss" && view.tcp !== undefined
    ? `, ${view.tcp.lost} segments lost, ${view.tcp.retransmitted} sent again, round trip ${view.tcp.rtt_ms} ms`
    : "";
  return `${view.id.padEnd(8)} ${view.peer.padEnd(22)} ${view.listener}  ${
    age(wait)
  }${partial}${queue}${lost}`;
}

/** Stages in which something waits for long; what connections wait for is told above. */
function waits({ inflight, stats }: WhyAnswers): string[] {
  const lost = new Set(inflight.lost?.map(({ stage }) => stage));
  const lines = inflight.stages
    .filter(({ stage, max_ms }) =>
      lost.has(stage) || max_ms > longStageMs && stage !== "frame" && stage !== "memory"
    )
    .flatMap((stage) => [...stageLines(stage, inflight.waits), ...causes(stage, stats)]);
  for (const { stage, lost, waits } of inflight.lost ?? []) {
    const share = `${lost} of ${waits} waits since the start (${percent(lost / waits)}) were lost`;
    lines.push(
      `Stage ${stage}: ${share}: nothing in corndog would have woken them. It ends them by itself; please report it.`,
    );
  }
  return lines;
}

/** What is behind the waits of a stage, as far as it is known. */
function causes({ stage, max_ms }: StageWaits, { kafka, spool }: Stats): string[] {
  if (stage === "kafka") {
    return kafka.brokers.filter(({ silent_ms }) => silent_ms >= longStageMs)
      .map(({ host, silent_ms, inFlight, bytesInFlight }) =>
        `  Broker ${host} does not answer for ${
          age(silent_ms)
        }: ${inFlight} requests, ${bytesInFlight} bytes.`
      );
  }
  if (stage !== "spool" || max_ms <= longStageMs || spool === undefined) return [];
  const problem = spool.problem === undefined ? "" : ` (${spool.problem})`;
  return [
    `  The disk of ${spool.dir} is ${
      spool.state === "ready" ? "slow" : spool.state
    }${problem}: half of its commits took ${age(spool.commit_ms.p50)}, the longest ${
      age(spool.commit_ms.max)
    }.`,
  ];
}

function stageLines({ stage, count, p50_ms, max_ms, oldest }: StageWaits, all: number): string[] {
  const lines = [
    `Stage ${stage}: ${count} of ${all} waits, half of them over ${age(p50_ms)}, the oldest ${age(max_ms)}:`,
  ];
  const groups = new Map<string, { count: number; ageMs: number }>();
  for (const wait of oldest) {
    const name = `${wait.lost === true ? "lost, " : ""}${ownerOf(wait)}`;
    const group = groups.get(name) ?? { count: 0, ageMs: 0 };
    groups.set(name, { count: group.count + 1, ageMs: Math.max(group.ageMs, wait.age_ms) });
  }
  for (const [name, group] of groups) {
    lines.push(`  ${String(group.count).padStart(5)} of the oldest: ${name}, ${age(group.ageMs)}`);
  }
  return lines;
}

function ownerOf({ described, worker, topic, partition, broker, peer, connection }: OldestWait): string {
  if (!described) return `worker ${worker}, which is held and cannot say`;
  if (topic !== undefined) {
    const place = partition === undefined || partition < 0 ? "" : ` partition ${partition}`;
    return `topic ${topic}${place}${broker === undefined ? "" : `, broker ${broker}`}`;
  }
  return [connection, peer].filter((part) => part !== undefined).join(" ");
}

function sink({ stats }: WhyAnswers): string[] {
  const { name, ready, problems, troubles = [] } = stats.sink;
  const some = troubles.filter((trouble) => !problems.includes(trouble));
  return [
    ...(ready ? [] : [`Sink ${name} is not ready:`, ...problems.map((problem) => `  ${problem}`)]),
    ...(some.length === 0
      ? []
      : [`Sink ${name} is held up in part:`, ...some.map((trouble) => `  ${trouble}`)]),
  ];
}

function ledger({ stats }: WhyAnswers): string[] {
  return stats.ledger.balanced
    ? []
    : ["The ledger does not balance: lines were lost or doubled within corndog, please report it."];
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

/** A duration for people. */
function age(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 100) / 10} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}
