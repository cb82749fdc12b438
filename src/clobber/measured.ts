/**
 * A result's numbers by the names that thresholds use.
 *
 * @module
 */
import type { Percentiles, Result } from "./result.ts";
import hdr from "hdr-histogram-js";
import { unitsPerMs } from "./measure/counts.ts";

/** The value of a metric; undefined when it was not measured. */
export function measuredOf(result: Result, metric: string): number | undefined {
  const { messages, achieved, endToEnd } = result;
  const part = (count: number): number => messages.due === 0 ? 0 : count / messages.due;
  switch (metric) {
    case "rate":
      // A search that found nothing shows a step that broke.
      return result.search?.rate === 0 ? 0 : achieved.answeredRate;
    case "sent":
      return messages.sent;
    case "achieved":
      return achieved.ofRequested ?? undefined;
    case "good":
      return part(messages.good);
    case "errors":
      return part(messages.due - messages.good - messages.lateForDeadline);
    case "unsent":
      return part(messages.unsent);
    case "late":
      return messages.answered === 0 ? 0 : messages.lateForDeadline / messages.answered;
    case "status4xx":
      return result.statuses["4xx"] ?? 0;
    case "status5xx":
      return result.statuses["5xx"] ?? 0;
    case "connections":
      return result.requested.connections === 0 ? 1 : achieved.connections / result.requested.connections;
    case "cpu":
      return result.generator.cpu;
    case "loss":
      return endToEnd === null ? undefined : endToEnd.sent === 0 ? 0 : endToEnd.lost / endToEnd.sent;
    case "dup":
      return endToEnd === null ? undefined : endToEnd.duplicates / Math.max(1, endToEnd.sent);
    case "reorder":
      return endToEnd === null ? undefined : endToEnd.reordered / Math.max(1, endToEnd.sent);
  }
  const [, family, name] = /^(?:(raw|e2e|connect|lateness)\.)?(.+)$/.exec(metric) ?? [];
  return percentileOf(familyOf(result, family), name!);
}

function familyOf(result: Result, family: string | undefined): Percentiles | null {
  switch (family) {
    case "raw":
      return result.latency.uncorrected;
    case "e2e":
      return result.endToEnd?.latency ?? null;
    case "connect":
      return result.latency.connect;
    case "lateness":
      return result.generator.lateness;
    default:
      return result.latency.corrected;
  }
}

function percentileOf(percentiles: Percentiles | null, name: string): number | undefined {
  if (percentiles === null) return undefined;
  if (name === "max") return percentiles.max;
  if (name === "mean") return percentiles.mean;
  const wanted = /^p(\d+(?:\.\d+)?)$/.exec(name)?.[1];
  if (wanted === undefined) return undefined;
  const histogram = hdr.decodeFromCompressedBase64(percentiles.hdr, 64, false);
  return histogram.getValueAtPercentile(Number(wanted)) / unitsPerMs;
}
