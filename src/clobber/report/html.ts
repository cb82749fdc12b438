/**
 * A run as one HTML file: nothing is loaded, plots are SVG in the page. It opens with the verdict, so that nobody
 * quotes a number that is about the generator.
 *
 * @module
 */
import hdr from "hdr-histogram-js";
import { unitsPerMs } from "../measure/counts.ts";
import { failures as failureNames } from "../measure/row.ts";
import type { Percentiles, Result } from "../result.ts";
import { escape, type Line, plot } from "./svg.ts";
import { bytesText, countText, exactText, msText, secondsText, shareText } from "./text.ts";

const style = `
:root { color-scheme: light dark; --ink: #1d2327; --faint: #6a737b; --line: #d9dee2; --page: #fff; --card: #f6f7f8;
  --a: #2f6fde; --b: #d9622b; --c: #7a4fc9; --d: #8a949c; --good: #1f8a4c; --bad: #c62f2f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaec; --faint: #9aa4ac; --line: #333b42; --page: #14181b;
  --card: #1c2226; --a: #6ea2ff; --b: #ff9463; --c: #b595f5; --d: #7d8890; --good: #56c384; --bad: #ff7b72; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; } .faint, .none { color: var(--faint); } .good { color: var(--good); } .bad { color: var(--bad); }
.verdict { background: var(--card); border-left: 4px solid var(--good); padding: .6rem 1rem; margin: 1rem 0; }
.verdict.limited { border-color: var(--bad); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem; margin: 1rem 0; }
.card { background: var(--card); padding: .6rem .8rem; } .card b { display: block; font-size: 1.3rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } th { font-weight: 500; color: var(--faint); }
.wide { overflow-x: auto; } svg { width: 100%; height: auto; } .grid { stroke: var(--line); stroke-width: 1; }
.tick { fill: var(--faint); font-size: 11px; } .line { fill: none; stroke-width: 1.8; }
.a { stroke: var(--a); } .b { stroke: var(--b); } .c { stroke: var(--c); } .d { stroke: var(--d); stroke-dasharray: 5 4; }
circle { fill: var(--page); stroke-width: 1.8; }
`;

/** The page. */
export function htmlReport(result: Result): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>corndog clobber ${escape(result.target)}</title><style>${style}</style></head><body>
<h1>${escape(result.target)}</h1>
<p class="faint">${escape(modelText(result))}; ${escape(result.work)}</p>
<p class="faint">${escape(result.startedAt)}, ${secondsText(result.seconds)}, ${
    escape(result.program)
  }, seed ${result.seed}</p>
${verdict(result)}${cards(result)}${gates(result)}${searched(result)}
<h2>Rate</h2>${ratePlot(result)}
<h2>Latency over time</h2>${latencyPlot(result)}
<h2>Latency distribution</h2>${distribution(result)}${latencyTable(result)}
${troubles(result)}${endToEnd(result)}${targetView(result)}
</body></html>
`;
}

function modelText(result: Result): string {
  const { requested } = result;
  return requested.rate === null
    ? `closed loop, ${requested.connections} connections`
    : `open loop, ${countText(requested.rate)}/s wanted, ${requested.connections} connections`;
}

function verdict({ generator, gates }: Result): string {
  const broken = gates.filter(({ passed }) => !passed).length;
  if (generator.verdict !== "ok") {
    const reasons = generator.reasons.map((reason) => `<p>${escape(reason)}</p>`).join("");
    return `<div class="verdict limited"><b class="bad">Generator-limited: these numbers are about the generator, ` +
      `not about the target</b>${reasons}</div>`;
  }
  const late = generator.lateness === null ? "" : `, its lateness p99 was ${msText(generator.lateness.p99)}`;
  const text = `The generator kept up: ${generator.threads} threads used ${generator.cpu.toFixed(2)} of ` +
    `${generator.cores} processors${late}.`;
  const held = broken === 0
    ? ""
    : ` <b class="bad">${broken} of ${gates.length} thresholds did not hold.</b>`;
  return `<div class="verdict${broken > 0 ? " limited" : ""}">${escape(text)}${held}</div>`;
}

function cards(result: Result): string {
  const { achieved, latency, messages } = result;
  const failed = messages.due - messages.good;
  const all: [string, string][] = [
    [`${countText(achieved.answeredRate)}/s`, result.answers ? "answered" : "taken"],
    ...(achieved.ofRequested === null
      ? []
      : [[shareText(achieved.ofRequested), "of what was requested"] as [string, string]]),
    ...(latency.corrected === null ? [] : [
      [msText(latency.corrected.p50), "p50"] as [string, string],
      [msText(latency.corrected.p99), "p99"] as [string, string],
    ]),
    [exactText(messages.sent), "sent"],
    [exactText(failed), "not good"],
    [`${bytesText(achieved.bytesOutRate)}/s`, "out"],
  ];
  return `<div class="cards">${
    all.map(([value, name]) => `<div class="card"><b>${escape(value)}</b>${escape(name)}</div>`).join("")
  }</div>`;
}

function gates({ gates }: Result): string {
  if (gates.length === 0) return "";
  const rows = gates.map(({ text, measured, passed }) =>
    `<tr><td>${escape(text)}</td><td>${
      measured === undefined ? "not measured" : Number(measured.toPrecision(6))
    }</td>` +
    `<td class="${passed ? "good" : "bad"}">${passed ? "holds" : "broken"}</td></tr>`
  );
  return `<h2>Thresholds</h2><table><tr><th>threshold</th><th>measured</th><th></th></tr>${
    rows.join("")
  }</table>`;
}

function searched({ search }: Result): string {
  if (search === null) return "";
  const steps = [...search.steps].sort((a, b) => a.rate - b.rate);
  const rows = steps.map((step) =>
    `<tr><td>${step.kind}</td><td>${countText(step.rate)}</td><td>${countText(step.achieved)}</td>` +
    `<td>${msText(step.p50)}</td><td>${msText(step.p99)}</td>` +
    `<td class="${step.passed ? "good" : "bad"}">${
      step.passed ? "holds" : escape(step.why.join("; "))
    }</td></tr>`
  );
  const found = search.rate === 0
    ? "No rate held."
    : `${countText(search.rate)}/s held${
      search.confirmed ? " and was confirmed" : ", but not in the long run"
    }.` +
      (search.knee === undefined ? "" : ` Latency begins to rise at about ${countText(search.knee)}/s.`);
  const curve = plot(
    [
      { name: "p99", style: "b", dots: true, points: steps.map(({ rate, p99 }) => [rate, p99] as const) },
      { name: "p50", style: "a", dots: true, points: steps.map(({ rate, p50 }) => [rate, p50] as const) },
    ],
    { title: "messages/s", text: countText },
    { title: "latency", log: true, text: msText },
  );
  return `<h2>Highest rate</h2><p><b>${
    escape(found)
  }</b></p>${curve}<div class="wide"><table><tr><th>step</th>` +
    `<th>wanted/s</th><th>achieved/s</th><th>p50</th><th>p99</th><th></th></tr>${
      rows.join("")
    }</table></div>`;
}

function ratePlot({ answers, windows }: Result): string {
  return plot(
    [
      {
        name: "wanted",
        style: "d",
        points: windows.flatMap(({ t, wantedRate }) => wantedRate === null ? [] : [[t, wantedRate] as const]),
      },
      { name: "sent", style: "b", points: windows.map(({ t, sentRate }) => [t, sentRate] as const) },
      {
        name: answers ? "answered" : "taken",
        style: "a",
        points: windows.map(({ t, answeredRate }) => [t, answeredRate] as const),
      },
    ],
    { title: "seconds", text: String },
    { title: "messages/s", text: countText },
  );
}

function latencyPlot({ windows }: Result): string {
  const line = (
    name: string,
    lineStyle: string,
    get: (window: Result["windows"][number]) => number,
  ): Line => ({
    name,
    style: lineStyle,
    points: windows.map((window) => [window.t, get(window)] as const),
  });
  return plot(
    [
      line("max", "d", ({ max }) => max),
      line("p99", "b", ({ p99 }) => p99),
      line("p50", "a", ({ p50 }) => p50),
      line("generator's lateness p99", "c", ({ latenessP99 }) => latenessP99),
    ],
    { title: "seconds", text: String },
    { title: "latency", log: true, text: msText },
  );
}

/** Percentiles as HDR plots have them: by how many nines. */
function distribution({ endToEnd, latency, requested }: Result): string {
  const line = (name: string, lineStyle: string, percentiles: Percentiles | null): Line[] => {
    if (percentiles === null) return [];
    const histogram = hdr.decodeFromCompressedBase64(percentiles.hdr, 64, false);
    const points: [number, number][] = [];
    const most = Math.log10(Math.max(10, percentiles.count));
    for (let nines = 0; nines <= most; nines += 0.05) {
      const above = 10 ** nines;
      points.push([above, histogram.getValueAtPercentile(100 * (1 - 1 / above)) / unitsPerMs]);
    }
    return [{ name, style: lineStyle, points }];
  };
  return plot(
    [
      ...(requested.rate === null ? [] : line("from due time", "b", latency.corrected)),
      ...line("from sending", "a", latency.uncorrected),
      ...line("end to end", "c", endToEnd?.latency ?? null),
    ],
    { title: "percentile", log: true, text: nines },
    { title: "latency", log: true, text: msText },
  );
}

function nines(above: number): string {
  if (above <= 1) return "0 %";
  const percent = 100 * (1 - 1 / above);
  return `${percent.toFixed(Math.max(0, Math.round(Math.log10(above)) - 2))} %`;
}

function latencyTable({ endToEnd, latency, requested, generator }: Result): string {
  const row = (name: string, percentiles: Percentiles | null): string => {
    if (percentiles === null) return "";
    const { max, mean, p50, p90, p99, p999, p9999 } = percentiles;
    const cells = [p50, p90, p99, p999, p9999, max, mean].map((ms) => `<td>${msText(ms)}</td>`).join("");
    return `<tr><td>${name}</td>${cells}</tr>`;
  };
  return `<div class="wide"><table><tr><th></th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>p99.99</th>` +
    `<th>max</th><th>mean</th></tr>${
      requested.rate === null ? "" : row("from due time", latency.corrected)
    }` +
    `${row("from sending", latency.uncorrected)}${row("connect", latency.connect)}` +
    `${row("end to end", endToEnd?.latency ?? null)}` +
    `${requested.rate === null ? "" : row("generator's lateness", generator.lateness)}</table></div>`;
}

function troubles({ failures, messages, warnings }: Result): string {
  const rows = Object.entries(failures).map(([name, count]) =>
    `<tr><td>${escape(failureNames[name as keyof typeof failureNames] ?? name)}</td><td>${
      exactText(count)
    }</td></tr>`
  );
  const add = (name: string, count: number): void => {
    if (count > 0) rows.push(`<tr><td>${name}</td><td>${exactText(count)}</td></tr>`);
  };
  add("due and never sent", messages.unsent);
  add("sent and not answered", messages.unanswered);
  add("answered behind the deadline", messages.lateForDeadline);
  const said = warnings.map((warning) => `<p>${escape(warning)}</p>`).join("");
  if (rows.length === 0 && said === "") return "";
  return `<h2>Failures</h2>${said}<table>${rows.join("")}</table>`;
}

function endToEnd({ endToEnd }: Result): string {
  if (endToEnd === null) return "";
  const rows: [string, number][] = [
    ["sent", endToEnd.sent],
    ["arrived", endToEnd.arrived],
    ["lost", endToEnd.lost],
    ["duplicates", endToEnd.duplicates],
    ["out of order", endToEnd.reordered],
    ["marks that nobody sent", endToEnd.strange],
  ];
  return `<h2>Through to ${escape(endToEnd.source)}</h2><table>${
    rows.map(([name, count]) => `<tr><td>${name}</td><td>${exactText(count)}</td></tr>`).join("")
  }</table>${endToEnd.problem === null ? "" : `<p class="bad">${escape(endToEnd.problem)}</p>`}`;
}

function targetView({ targetView }: Result): string {
  if (targetView === null) return "";
  return `<h2>What the target said</h2>${
    targetView.findings.map((text) => `<p>${escape(text)}</p>`).join("")
  }`;
}
