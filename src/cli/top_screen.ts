/**
 * The screen of `corndog top`: two answers of the admin API and the terminal's size in, lines of text out. Pure.
 *
 * @module
 */
import type { ConnectionList, ConnectionView } from "../admin/looks_view.ts";
import type { Percentiles, Stats, TopicStats } from "../admin/stats_view.ts";
import type { Inflight, StageWaits } from "../observe/inflight.ts";

/** What was answered at one moment. */
export interface TopSample {
  /** Monotonic milliseconds. */
  readonly atMs: number;
  readonly stats: Stats;
  readonly inflight: Inflight;
  readonly connections: ConnectionList;
}

/** What is shown. */
export interface TopView {
  readonly now: TopSample;
  /** The sample before; rates are between the two. */
  readonly before: TopSample | undefined;
  readonly width: number;
  readonly height: number;
  readonly paused: boolean;
  readonly stuckOnly: boolean;
  /** ANSI colours and bold type. */
  readonly colors: boolean;
}

const bold = "\x1b[1m";
const red = "\x1b[31m";
const plain = "\x1b[0m";
/** Rows of the tables between head and connections. */
const topicsMax = 5;

/** The lines of one screen: at most `height`, none wider than `width`. */
export function topScreen(view: TopView): string[] {
  const paint = painter(view.colors);
  const head = headLines(view, paint);
  const tables = [...stageTable(view, paint), ...topicTable(view, paint)];
  const left = view.height - head.length - tables.length - 1;
  const lines = [...head, ...tables, ...connectionTable(view, paint, Math.max(left, 3))];
  const keys = `q quit  space ${view.paused ? "go on" : "pause"}  s ${view.stuckOnly ? "all" : "stuck only"}`;
  return [...lines.slice(0, view.height - 1), paint(fit(keys, view.width), bold)];
}

type Paint = (text: string, code: string) => string;

function painter(colors: boolean): Paint {
  return (text, code) => colors ? `${code}${text}${plain}` : text;
}

function headLines({ now, before, width, paused }: TopView, paint: Paint): string[] {
  const { stats } = now;
  const { ledger, latency_ms: { receive_to_ack: since, recent = since }, totals, sink } = stats;
  const rate = (pick: (stats: Stats) => number) => {
    if (before === undefined || now.atMs <= before.atMs) return "-";
    return short((pick(stats) - pick(before.stats)) / (now.atMs - before.atMs) * 1000);
  };
  const dropped = (one: Stats) => Object.values(one.ledger.dropped).reduce((sum, count) => sum + count, 0);
  const state = `${stats.state}${paused ? ", paused" : ""}`;
  const plainLines = [
    `corndog ${stats.version}  ${state}  up ${duration(stats.uptime_s)}  ${stats.runtime}`,
    `lines/s   in ${rate((s) => s.ledger.received)}  out ${rate((s) => s.ledger.delivered)}  dead ${
      rate((s) => s.ledger.dead_lettered)
    }  dropped ${rate(dropped)}   ${rate((s) => s.totals.bytes_received)}B/s in`,
    `latency   p50 ${ms(recent.p50)}  p99 ${ms(recent.p99)}  p99.9 ${ms(recent.p999)}  max ${ms(recent.max)}`,
    `lines     in flight ${short(ledger.in_flight)}  spooled ${short(ledger.spooled)}  connections ${
      short(totals.connections_open)
    }  rules v${stats.rules.version}  ledger ${ledger.balanced ? "balanced" : "NOT BALANCED"}`,
    `sink      ${sink.name}, ${sink.ready ? "ready" : sink.problems.join("; ")}`,
  ];
  const isWrong = [false, false, false, !ledger.balanced, !sink.ready];
  return plainLines.map((line, index) => {
    const text = fit(line, width);
    return isWrong[index] ? paint(text, red) : index === 0 ? paint(text, bold) : text;
  });
}

/** How long lines took in each stage in the last seconds, and what waits there now. */
function stageTable({ now, width }: TopView, paint: Paint): string[] {
  const waits = new Map(now.inflight.stages.map((stage) => [stage.stage as string, stage]));
  const took = now.stats.latency_ms.stages ?? {};
  const names = [...new Set([...Object.keys(took), ...waits.keys()])];
  const rows = names.flatMap((name) => {
    const recent = took[name]?.recent;
    const waiting: StageWaits | undefined = waits.get(name);
    if ((recent?.count ?? 0) === 0 && waiting === undefined) return [];
    const percentile = (pick: (of: Percentiles) => number) =>
      recent === undefined || recent.count === 0 ? "-" : String(Number(pick(recent).toPrecision(3)));
    return [[
      name,
      percentile(({ p50 }) => p50),
      percentile(({ p99 }) => p99),
      percentile(({ p999 }) => p999),
      String(waiting?.count ?? 0),
      waiting === undefined ? "-" : String(waiting.max_ms),
    ]];
  });
  return rows.length === 0
    ? []
    : table(["STAGE", "P50 MS", "P99 MS", "P99.9 MS", "WAIT NOW", "OLDEST MS"], rows, width, paint);
}

function topicTable({ now, before, width }: TopView, paint: Paint): string[] {
  const rate = (topic: string, pick: (topic: TopicStats) => number) => {
    const [later, earlier] = [now.stats.kafka.topics[topic], before?.stats.kafka.topics[topic]];
    if (before === undefined || later === undefined || now.atMs <= before.atMs) return 0;
    return (pick(later) - (earlier === undefined ? 0 : pick(earlier))) / (now.atMs - before.atMs) * 1000;
  };
  const rows = Object.entries(now.stats.kafka.topics)
    .map(([topic, counts]) => ({ topic, counts, perSecond: rate(topic, ({ delivered }) => delivered) }))
    .sort((a, b) => b.perSecond - a.perSecond || b.counts.delivered - a.counts.delivered)
    .slice(0, topicsMax)
    .map(({ topic, counts, perSecond }) => [
      topic,
      short(perSecond),
      short(counts.delivered),
      short(Math.max(0, counts.submitted - counts.delivered - counts.dead_lettered)),
    ]);
  return rows.length === 0 ? [] : table(["TOPIC", "LINES/S", "DELIVERED", "UNDER WAY"], rows, width, paint);
}

function connectionTable({ now, width, stuckOnly }: TopView, paint: Paint, height: number): string[] {
  const views = now.connections.connections.filter(({ stuck }) => !stuckOnly || stuck);
  const head = ["CONNECTION", "PEER", "AGE", "IDLE", "LINES", "BYTES", "VERDICT"];
  const rows = views.slice(0, height - 2).map((view: ConnectionView) => [
    view.id,
    view.peer,
    duration(view.age_ms / 1000),
    duration(view.idle_ms / 1000),
    short(view.lines),
    short(view.bytes),
    view.waits_ms === undefined ? view.verdict : `${view.verdict}, ${duration(view.waits_ms / 1000)}`,
  ]);
  return rows.length === 0 ? ["", stuckOnly ? "no connection is stuck" : "no connections"] : table(
    head,
    rows,
    width,
    paint,
    (row) => views[row]!.stuck,
  );
}

function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  paint: Paint,
  isWrong: (row: number) => boolean = () => false,
): string[] {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) =>
    fit(cells.map((cell, i) => cell.padEnd(widths[i]!)).join("  "), width);
  return [
    "",
    paint(line(head), bold),
    ...rows.map((row, index) => isWrong(index) ? paint(line(row), red) : line(row)),
  ];
}

/** Cut to the screen; control characters in what others have named do nothing to it. */
function fit(text: string, width: number): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, "?").slice(0, width).trimEnd();
}

/** 1234567 as 1.2M. */
function short(count: number): string {
  const size = Math.abs(count);
  if (size < 1000) return String(Math.round(count));
  for (const [unit, letter] of [[1e3, "k"], [1e6, "M"], [1e9, "G"], [1e12, "T"]] as const) {
    const value = count / unit;
    if (Math.abs(value) < 1000) return `${value.toFixed(Math.abs(value) < 10 ? 1 : 0)}${letter}`;
  }
  return `${(count / 1e12).toFixed(0)}T`;
}

function ms(value: number): string {
  return `${Number(value.toPrecision(3))} ms`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${Math.floor(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${Math.floor(seconds % 3600 / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${Math.floor(seconds % 86_400 / 3600)}h`;
}
