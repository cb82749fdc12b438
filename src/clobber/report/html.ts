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
import { style } from "./html_style.ts";
import { escape, type Line, plot } from "./svg.ts";
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

/** The page. */
export function htmlReport(result: Result): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>corndog clobber ${escape(result.target)}</title><style>${style}</style></head><body><main>
<p class="brand">corndog clobber</p>
<h1>${escape(result.target)}</h1>
<p>${escape(modelText(result))}; ${escape(result.work)}</p>
<p class="faint">${escape(result.startedAt.slice(0, 19).replace("T", " "))} UTC, ${
    secondsText(result.seconds)
  }${result.interrupted ? ", interrupted" : ""}, ${escape(result.program)}, seed ${result.seed}</p>
${verdict(result)}${cards(result)}${gates(result)}${searched(result)}${endToEnd(result)}${targetView(result)}
${troubles(result)}${section("Rate", ratePlot(result))}${section("Latency over time", latencyPlot(result))}
${section("Latency distribution", distribution(result) + latencyTable(result))}
</main></body></html>
`;
}

function section(title: string, inside: string): string {
  return `<section><h2>${escape(title)}</h2>${inside}</section>`;
}

function modelText(result: Result): string {
  const { requested } = result;
  return requested.rate === null
    ? `closed loop, ${requested.connections} connections`
    : `open loop, ${countText(requested.rate)}/s wanted, ${requested.connections} connections`;
}

function verdict({ generator, gates, search }: Result): string {
  const broken = gates.filter(({ passed }) => !passed).length;
  if (generator.verdict !== "ok") {
    const reasons = generator.reasons.map((reason) => `<p>${escape(reason)}</p>`).join("");
    return `<div class="verdict limited"><b class="bad">Generator-limited: ${
      limitedText({ search })
    }</b>${reasons}</div>`;
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
  const all: [string, string, string?][] = [
    [`${countText(achieved.answeredRate)}/s`, result.answers ? "answered" : "taken"],
    ...(achieved.ofRequested === null
      ? []
      : [[shareText(achieved.ofRequested), "of what was requested"] as [string, string]]),
    ...(latency.corrected === null ? [] : [
      [msText(latency.corrected.p50), "p50"] as [string, string],
      [msText(latency.corrected.p99), "p99"] as [string, string],
    ]),
    [exactText(messages.sent), "sent"],
    [exactText(failed), "not good", failed > 0 ? "bad" : ""],
    ...(result.endToEnd === null ? [] : [
      [exactText(result.endToEnd.lost), "lost on the way", result.endToEnd.lost > 0 ? "bad" : ""] as [
        string,
        string,
        string,
      ],
    ]),
    [`${bytesText(achieved.bytesOutRate)}/s`, "out"],
  ];
  return `<div class="cards">${
    all.map(([value, name, style = ""]) =>
      `<div class="card ${style}"><b>${escape(value)}</b>${escape(name)}</div>`
    ).join("")
  }</div>`;
}

function gates({ gates }: Result): string {
  if (gates.length === 0) return "";
  const rows = gates.map(({ text, measured, passed }) =>
    `<tr><td>${escape(text)}</td><td>${gateText(text, measured)}</td>` +
    `<td class="${passed ? "good" : "bad"}">${passed ? "holds" : "broken"}</td></tr>`
  );
  return section(
    "Thresholds",
    `<div class="wide"><table><tr><th>threshold</th><th>measured</th><th></th></tr>${
      rows.join("")
    }</table></div>`,
  );
}

function searched({ requested, search }: Result): string {
  if (search === null) return "";
  const steps = [...search.steps].sort((a, b) => a.rate - b.rate);
  const through = steps.some(({ lost }) => lost !== null);
  const rows = steps.map((step) =>
    `<tr><td>${step.kind}</td><td>${countText(step.rate)}</td><td>${countText(step.achieved)}</td>` +
    `<td>${msText(step.p50)}</td><td>${msText(step.p99)}</td>` +
    (through
      ? `<td>${step.endToEndP99 === null ? "" : msText(step.endToEndP99)}</td><td>${
        countText(step.lost ?? 0)
      }</td>`
      : "") +
    `<td class="why ${step.passed ? "good" : "bad"}">${
      step.passed ? "holds" : escape(step.why.join("; "))
    }</td></tr>`
  );
  const found = search.confirmed
    ? `${countText(search.rate)}/s held for ${secondsText(search.confirmSeconds)}.`
    : `${unconfirmedText(search)}.`;
  const knee = search.knee === undefined
    ? ""
    : ` Latency begins to rise at about ${countText(search.knee)}/s.`;
  const of = requested.rate === null
    ? ""
    : `<p class="faint">What else stands on this page is of the step at ${countText(requested.rate)}/s.</p>`;
  const curve = plot(
    [
      { name: "p99", style: "b", dots: true, points: steps.map(({ rate, p99 }) => [rate, p99] as const) },
      { name: "p50", style: "a", dots: true, points: steps.map(({ rate, p50 }) => [rate, p50] as const) },
      {
        name: "p99 end to end",
        style: "c",
        dots: true,
        points: steps.flatMap(({ rate, endToEndP99 }) =>
          endToEndP99 === null ? [] : [[rate, endToEndP99] as const]
        ),
      },
    ],
    { title: "messages/s", text: countText },
    { title: "latency", log: true, text: msText },
  );
  return section(
    "Highest rate",
    `<p><b>${
      escape(found + knee)
    }</b></p>${of}${curve}<div class="wide"><table><tr><th>step</th><th>wanted/s</th>` +
      `<th>achieved/s</th><th>p50</th><th>p99</th>${
        through ? "<th>end to end p99</th><th>lost</th>" : ""
      }<th></th></tr>${rows.join("")}</table></div>`,
  );
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
    { title: "seconds", text: (t) => String(Math.round(t * 10) / 10), unit: "s" },
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
    { title: "seconds", text: (t) => String(Math.round(t * 10) / 10), unit: "s" },
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

function troubles({ failures, messages, survived, warnings }: Result): string {
  const rows = Object.entries(failures).map(([name, count]) =>
    `<tr><td>${escape(failureNames[name as keyof typeof failureNames] ?? name)}</td><td>${
      exactText(count)
    }</td></tr>`
  );
  const add = (name: string, count: number): void => {
    if (count > 0) rows.push(`<tr><td>${name}</td><td>${exactText(count)}</td></tr>`);
  };
  add("due and never sent", messages.unsent);
  add(survived === null ? "sent and not answered" : "cut off or held back on purpose", messages.unanswered);
  add("answered behind the deadline", messages.lateForDeadline);
  const said = warnings.map((warning) => `<p>${escape(warning)}</p>`).join("");
  if (rows.length === 0 && said === "") return "";
  return section("Failures and warnings", `${said}<table>${rows.join("")}</table>`);
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
  const heads = rows.map(([name]) => `<th>${name}</th>`).join("");
  const cells = rows.map(([, count]) => `<td>${exactText(count)}</td>`).join("");
  const { latency } = endToEnd;
  const times = latency === null
    ? ""
    : `<p class="faint">end to end p50 ${msText(latency.p50)}, p99 ${msText(latency.p99)}, max ${
      msText(latency.max)
    }</p>`;
  const problem = endToEnd.problem === null ? "" : `<p class="bad">${escape(endToEnd.problem)}</p>`;
  return section(
    `Through to ${endToEnd.source}`,
    `<div class="wide"><table><tr>${heads}</tr><tr>${cells}</tr></table></div>${times}${problem}`,
  );
}

function targetView({ targetView }: Result): string {
  if (targetView === null) return "";
  return section(
    "What the target said",
    `<ul>${targetView.findings.map((text) => `<li>${escape(text)}</li>`).join("")}</ul>`,
  );
}
