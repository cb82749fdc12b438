/**
 * Families of metrics as text: Prometheus' format 0.0.4, or OpenMetrics 1.0 for who asks for it.
 *
 *     # HELP name text            backslash and newline escaped
 *     # TYPE name counter|gauge|histogram
 *     name{label="value",...} 1   label values: backslash, quote and newline escaped
 *     # EOF                       OpenMetrics; there a counter's family lacks the `_total` of its samples
 *
 * @module
 */
import type { LatencyBuckets } from "../admin/stats_view.ts";

/** Values of a sample's labels. */
export type Labels = Readonly<Record<string, string>>;
/** Samples of one family. */
export type Samples = Iterable<readonly [Labels, number]>;

/** What has one name, and its samples: `suffix` is what a sample's name has behind the family's. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly { readonly suffix: string; readonly labels: Labels; readonly value: number }[];
}

/** Formats of the answer. */
export type MetricFormat = "prometheus" | "openmetrics";

/** `Content-Type` of each. */
export const metricContentTypes: Readonly<Record<MetricFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** The format that an `Accept` header asks for. */
export function metricFormatOf(accept: string | undefined): MetricFormat {
  return accept?.includes("application/openmetrics-text") === true ? "openmetrics" : "prometheus";
}

/** A counter or gauge without labels. */
export function single(name: string, type: "counter" | "gauge", help: string, value: number): Family {
  return family(name, type, help, [[{}, value]]);
}

/** A counter or gauge. The name of a counter ends in `_total`. */
export function family(name: string, type: "counter" | "gauge", help: string, samples: Samples): Family {
  return {
    name,
    type,
    help,
    samples: Array.from(samples, ([labels, value]) => ({ suffix: "", labels, value })),
  };
}

/** Samples with one label. */
export function labelled(label: string, sums: Map<string, number>): Samples {
  return Array.from(sums, ([value, count]) => [{ [label]: value }, count] as const);
}

/** A histogram of seconds, one set of buckets per label set. */
export function histogram(
  name: string,
  help: string,
  parts: Iterable<readonly [Labels, LatencyBuckets]>,
): Family {
  const samples = [...parts].flatMap(([labels, { upper_bounds_ms, cumulative, sum_ms, count }]) => [
    ...upper_bounds_ms.map((bound, index) => ({
      suffix: "_bucket",
      labels: { ...labels, le: String(bound / 1000) },
      value: cumulative[index]!,
    })),
    { suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: count },
    { suffix: "_sum", labels, value: sum_ms / 1000 },
    { suffix: "_count", labels, value: count },
  ]);
  return { name, type: "histogram", help, samples };
}

/** The whole text. */
export function metricText(families: readonly Family[], format: MetricFormat): string {
  const isOpen = format === "openmetrics";
  let text = "";
  for (const { name, type, help, samples } of families) {
    const familyName = isOpen && type === "counter" ? name.replace(/_total$/, "") : name;
    text += `# HELP ${familyName} ${isOpen ? escapeLabel(help) : escapeHelp(help)}\n`;
    text += `# TYPE ${familyName} ${type}\n`;
    for (const { suffix, labels, value } of samples) {
      const pairs = Object.entries(labels).map(([label, of]) =>
        `${label}="${escapeLabel(isOpen && label === "le" ? canonical(of) : of)}"`
      );
      text += `${name}${suffix}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
    }
  }
  return isOpen ? `${text}# EOF\n` : text;
}

/** OpenMetrics wants bounds as floats: `1` is `1.0`. */
function canonical(bound: string): string {
  return /^\d+$/.test(bound) ? `${bound}.0` : bound;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
