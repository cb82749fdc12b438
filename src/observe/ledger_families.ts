/**
 * Where each line is, as families of metrics: the sums of the ledger, the dead letter and the spool.
 *
 * @module
 */
import type { Stats } from "../admin/stats_view.ts";
import { type Family, family, single } from "./metric_text.ts";
import { spoolFamilies } from "./spool_families.ts";

/** What came in and what became of it, with the dead letter and the spool. */
export function ledgerFamilies({ ledger, dead_letter: deadLetter, spool }: Stats): Family[] {
  const dropped = Object.entries(ledger.dropped).map(([reason, count]) => [{ reason }, count] as const);
  return [
    single("corndog_lines_received_total", "counter", "Lines read from all listeners.", ledger.received),
    single(
      "corndog_lines_fan_out_total",
      "counter",
      "Additional copies of lines that rules made.",
      ledger.fan_out,
    ),
    single(
      "corndog_lines_split_total",
      "counter",
      "Further parts of lines that were cut in several.",
      ledger.split,
    ),
    single(
      "corndog_lines_replayed_total",
      "counter",
      "Lines that earlier sessions left in the spool.",
      ledger.replayed,
    ),
    single(
      "corndog_lines_joined_total",
      "counter",
      "Lines that became a part of the line before them.",
      ledger.joined,
    ),
    single("corndog_lines_delivered_total", "counter", "Lines that the sink acknowledged.", ledger.delivered),
    single("corndog_lines_dead_lettered_total", "counter", "Lines in the dead letter.", ledger.dead_lettered),
    ...deadLetterFamilies(deadLetter),
    ...spoolFamilies(spool),
    family("corndog_lines_dropped_total", "counter", "Lines dropped on purpose, by reason.", dropped),
    single("corndog_lines_spooled", "gauge", "Lines that the disk alone has.", ledger.spooled),
    single("corndog_lines_in_flight", "gauge", "Lines in memory on their way to the sink.", ledger.in_flight),
    single(
      "corndog_ledger_balanced",
      "gauge",
      "1 while every line is accounted for.",
      Number(ledger.balanced),
    ),
  ];
}

/** By place and reason, and how full the file is. */
function deadLetterFamilies(stats: Stats["dead_letter"]): Family[] {
  if (stats === undefined) return [];
  const { file, topic, reasons } = stats;
  return [
    family("corndog_dead_letters_total", "counter", "Dead letters that are safe, by place.", [
      [{ place: "file" }, file.lines],
      ...(topic === undefined ? [] : [[{ place: "topic" }, topic.lines] as const]),
    ]),
    family(
      "corndog_dead_letter_reasons_total",
      "counter",
      "Dead letters, by reason.",
      Object.entries(reasons).map(([reason, lines]) => [{ reason }, lines] as const),
    ),
    single("corndog_dead_letter_file_bytes", "gauge", "Size of the dead-letter file.", file.bytes),
    single(
      "corndog_dead_letter_file_bytes_max",
      "gauge",
      "Bound of the dead-letter file; at it corndog stops reading.",
      file.bytes_max,
    ),
  ];
}
