/**
 * The summary that stands in the terminal when a run is over. The first lines say what kind of load it was, because
 * without that a latency means nothing; the last says whether the numbers can be believed.
 *
 * @module
 */
import { failures as failureNames } from "../measure/row.ts";
import type { Percentiles, Result, SearchStep } from "../result.ts";
import {
  bytesText,
  countText,
  exactText,
  gateText,
  limitedText,
  msText,
  secondsText,
  shareText,
  unconfirmedText,
} from "./text.ts";

/** Paints text; without colours it gives it back. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly faint: (text: string) => string;
}

/** Paint for a terminal, or for none. */
export function paintFor(colors: boolean): Paint {
  const code = (on: number) => (text: string): string => colors ? `\x1b[${on}m${text}\x1b[0m` : text;
  return { bold: code(1), good: code(32), bad: code(31), faint: code(2) };
}

/** The summary. */
export function summaryText(result: Result, colors: boolean): string {
  const paint = paintFor(colors);
  return [
    ...head(result, paint),
    ...search(result, paint),
    ...throughput(result, paint),
    ...latency(result, paint),
    ...troubles(result, paint),
    ...farEnd(result, paint),
    ...target(result, paint),
    ...generator(result, paint),
    ...gates(result, paint),
  ].join("\n") + "\n";
}

const width = 15;
/** Columns of a search. */
const columnWidth = 12;
const columnNames = ["p50", "p90", "p99", "p99.9", "p99.99", "max"];

function row(name: string, text: string): string {
  return `  ${name.padEnd(width)}${text}`;
}

function head(result: Result, paint: Paint): string[] {
  const { requested } = result;
  const done = result.answers ? "answered" : "taken";
  const asked = requested.rate === null
    ? `closed loop: each of ${requested.connections} connections sends on when its last message was ${done}`
    : `open loop: ${countText(requested.rate)}/s on a fixed schedule, whatever the target does`;
  const amount = requested.messages === null ? "" : `, ${exactText(requested.messages)} messages at most`;
  return [
    "",
    `${paint.bold(result.target)}  ${secondsText(result.seconds)}${amount}${
      result.interrupted ? ", interrupted" : ""
    }`,
    paint.faint(`${asked}`),
    paint.faint(`${result.work}; seed ${result.seed}`),
    "",
  ];
}

function throughput(result: Result, paint: Paint): string[] {
  const { achieved, messages, requested, connections } = result;
  const done = result.answers ? "answered" : "taken by the sockets";
  const share = achieved.ofRequested;
  const of = share === null ? "" : `, ${shareText(share)} of what was requested`;
  const rate = share !== null && share < 0.99 ? paint.bad : paint.bold;
  const rows = [
    row("rate", `${rate(`${countText(achieved.answeredRate)}/s`)}${of}`),
    row(
      "messages",
      `${exactText(messages.sent)} sent, ${exactText(messages.answered)} ${done}` +
        (messages.good === messages.answered ? "" : `, ${exactText(messages.good)} of them good`),
    ),
    row("bytes", `${bytesText(achieved.bytesOutRate)}/s out, ${bytesText(achieved.bytesInRate)}/s in`),
  ];
  const settled = achieved.settledOn === null ? "" : `, settled on ${achieved.settledOn}`;
  const more = connections.opened > achieved.connections
    ? `, ${exactText(connections.opened)} opened in all`
    : "";
  const few = achieved.connections < requested.connections;
  rows.push(
    row(
      "connections",
      (few ? paint.bad : String)(`${achieved.connections} of ${requested.connections}`) + settled + more,
    ),
  );
  const statuses = Object.entries(result.statuses);
  if (statuses.length > 0) {
    rows.push(row("status", statuses.map(([name, count]) => `${name} ${exactText(count)}`).join(", ")));
  }
  return [...rows, ""];
}

/** One step of a search, while it goes on. */
export function stepText({ endToEndP99, kind, p99, passed, rate, why }: SearchStep): string {
  const through = endToEndP99 === null ? "" : `, ${msText(endToEndP99)} through`;
  const verdict = passed ? "holds" : `breaks (${why.join("; ")})`;
  return `${kind} ${countText(Math.round(rate))}/s: p99 ${msText(p99)}${through}, ${verdict}`;
}

/** The curve of a search, by rate; the figures below it are those of the best step. */
function search({ requested, search }: Result, paint: Paint): string[] {
  if (search === null) return [];
  const steps = [...search.steps].sort((a, b) => a.rate - b.rate || (a.kind < b.kind ? 1 : -1));
  const through = steps.some(({ lost }) => lost !== null);
  const rows = steps.map(({ achieved, endToEndP99, failed, kind, lost, p50, p99, passed, rate, why }) => {
    const cells = [
      countText(rate),
      countText(achieved),
      msText(p50),
      msText(p99),
      countText(failed),
      ...(through ? [endToEndP99 === null ? "-" : msText(endToEndP99), countText(lost ?? 0)] : []),
    ];
    const mark = passed ? paint.good("holds") : paint.bad("breaks");
    const text = cells.map((cell) => cell.padStart(columnWidth)).join("");
    return `  ${kind.padEnd(8)}${text}  ${mark}${why.length === 0 ? "" : `  ${why.join("; ")}`}`;
  });
  const found = search.confirmed
    ? `${paint.bold(`${countText(search.rate)}/s`)} held for ${secondsText(search.confirmSeconds)}`
    : paint.bad(unconfirmedText(search));
  const knee = search.knee === undefined
    ? ""
    : `; latency begins to rise at about ${countText(search.knee)}/s`;
  const names = [
    "wanted/s",
    "achieved/s",
    "p50",
    "p99",
    "failed",
    ...(through ? ["p99 through", "lost"] : []),
  ];
  const titles = names.map((name) => name.padStart(columnWidth)).join("");
  return [
    paint.faint(`  ${"step".padEnd(8)}${titles}`),
    ...rows,
    "",
    row("highest rate", found + knee),
    ...(requested.rate === null
      ? []
      : [row("", `what stands below is of the step at ${countText(requested.rate)}/s`)]),
    "",
  ];
}

function latency(result: Result, paint: Paint): string[] {
  const { corrected, uncorrected, connect } = result.latency;
  if (corrected === null && uncorrected === null) {
    const why = result.answers
      ? "no message was answered"
      : "nothing answers on this target (--verify reads lines back)";
    return [row("latency", `not measured: ${why}`), ""];
  }
  const table: string[][] = [["", ...columnNames]];
  const add = (name: string, percentiles: Percentiles | null): void => {
    if (percentiles === null) return;
    const { p50, p90, p99, p999, p9999, max } = percentiles;
    table.push([name, ...[p50, p90, p99, p999, p9999, max].map(msText)]);
  };
  const open = result.requested.rate !== null;
  if (open) {
    add("from due time", corrected);
    add("from sending", uncorrected);
  } else {
    add("from sending", uncorrected);
  }
  add("connect", connect);
  const lines = table.map((cells, index) => {
    const line = cells.map((cell, at) => at === 0 ? cell.padEnd(width) : cell.padStart(10)).join("");
    return index === 0 ? paint.faint(`  ${line}`) : `  ${line}`;
  });
  // What the generator itself was late by is no wait for a connection.
  const explained = (uncorrected?.p99 ?? 0) + (result.generator.lateness?.p99 ?? 0);
  if (open && corrected !== null && corrected.p99 > 2 * explained && corrected.p99 > 1) {
    lines.push(
      paint.faint(
        "  Messages waited for a free connection: that wait is in the first row and not in the second.",
      ),
    );
  }
  return [...lines, ""];
}

function troubles(result: Result, paint: Paint): string[] {
  const rows: string[] = [];
  for (const [name, count] of Object.entries(result.failures)) {
    const text = failureNames[name as keyof typeof failureNames] ?? name;
    rows.push(row("failed", paint.bad(`${exactText(count)} x ${text}`)));
  }
  const { lateForDeadline, unsent, unanswered } = result.messages;
  if (unsent > 0) {
    rows.push(row("unsent", paint.bad(`${exactText(unsent)} messages were due and never sent`)));
  }
  if (unanswered > 0 && result.survived !== null) {
    rows.push(
      row("unfinished", `${exactText(unanswered)} messages, most of them cut off or held back on purpose`),
    );
  } else if (unanswered > 0) {
    rows.push(
      row(
        "unanswered",
        paint.bad(`${exactText(unanswered)} messages sent and not ${result.answers ? "answered" : "taken"}`),
      ),
    );
  }
  if (lateForDeadline > 0) {
    rows.push(row("too late", paint.bad(`${exactText(lateForDeadline)} answers behind the deadline`)));
  }
  if (result.survived !== null) {
    rows.push(
      row("target", result.survived ? "still takes connections" : paint.bad("takes no connection any more")),
    );
  }
  for (const warning of result.warnings) rows.push(row("warning", warning));
  return rows.length === 0 ? [] : [...rows, ""];
}

function farEnd({ endToEnd, requested, search }: Result, paint: Paint): string[] {
  if (endToEnd === null) return [];
  const { arrived, duplicates, lost, reordered, sent, strange, worst } = endToEnd;
  const rows = [
    paint.bold(`  through to ${endToEnd.source}`),
    row(
      "arrived",
      `${exactText(arrived)} of ${exactText(sent)} lines${search === null ? "" : ", of all steps"}`,
    ),
    row("lost", lost === 0 ? paint.good("0") : paint.bad(`${exactText(lost)} (${shareText(lost / sent)})`)),
    row("duplicates", `${exactText(duplicates)}, ${exactText(reordered)} out of order`),
  ];
  if (strange > 0) rows.push(row("strange", paint.bad(`${exactText(strange)} marks that nobody sent`)));
  if (lost > 0) {
    rows.push(row("", worst.map((one) => `sender ${one.sender}: ${one.lost} of ${one.sent}`).join(", ")));
  }
  if (endToEnd.latency !== null) {
    const { p50, p90, p99, p999, p9999, max } = endToEnd.latency;
    rows.push(
      paint.faint(`  ${"".padEnd(width)}${columnNames.map((name) => name.padStart(10)).join("")}`),
      `  ${(requested.rate === null ? "from sending" : "from due time").padEnd(width)}${
        [p50, p90, p99, p999, p9999, max].map((ms) => msText(ms).padStart(10)).join("")
      }`,
    );
  }
  if (endToEnd.problem !== null) rows.push(row("reading", paint.bad(endToEnd.problem)));
  return [...rows, ""];
}

function target({ targetView }: Result, paint: Paint): string[] {
  if (targetView === null) return [];
  return [
    paint.bold(`  the target says (${targetView.url})`),
    ...targetView.findings.map((text) => `  - ${text}`),
    "",
  ];
}

function generator(result: Result, paint: Paint): string[] {
  const { cores, cpu, lateness, reasons, threads, verdict } = result.generator;
  const late = lateness === null || result.requested.rate === null
    ? ""
    : `, lateness p99 ${msText(lateness.p99)}`;
  return [
    row(
      "generator",
      `${threads} ${threads === 1 ? "thread" : "threads"}, ${cpu.toFixed(2)} of ${cores} processors${late}`,
    ),
    ...(verdict === "ok" ? [] : [
      `  ${paint.bad("GENERATOR-LIMITED")}: ${limitedText(result)}:`,
      ...reasons.map((reason) => `    ${reason}`),
    ]),
  ];
}

function gates(result: Result, paint: Paint): string[] {
  return result.gates.map(({ text, measured, passed }) => {
    const value = measured === undefined ? gateText(text, measured) : `measured ${gateText(text, measured)}`;
    return `  ${passed ? paint.good("pass") : paint.bad("FAIL")} ${text}  (${value})`;
  });
}
