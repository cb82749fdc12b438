/**
 * What `corndog spool` writes: tables for people, objects for programs, records as lines.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { RecordReader } from "../batch/record_reader.ts";
import type { FolderReport, InspectedBatch } from "../spool/inspect.ts";
import type { LockState } from "../spool/lock.ts";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One row per folder. */
export function folderTable(reports: readonly FolderReport[], dir: string, nowMs: number): string {
  const rows = reports.map((report) => [
    nameOf(report.folder, dir),
    lockText(report.lock),
    String(report.segments.length),
    bytesText(report.bytes),
    String(report.batches),
    String(report.records),
    report.oldestMs === undefined ? "-" : ageText(nowMs - report.oldestMs),
    report.quarantinedFiles + report.bad.length === 0
      ? "-"
      : String(report.quarantinedFiles + report.bad.length),
  ]);
  return table(["FOLDER", "USED BY", "SEGMENTS", "SIZE", "BATCHES", "LINES", "OLDEST", "SET ASIDE"], rows);
}

/** One row per segment. */
export function segmentTable(reports: readonly FolderReport[], dir: string, nowMs: number): string {
  const rows = reports.flatMap(({ folder, segments }) =>
    segments.map((segment) => [
      nameOf(folder, dir),
      String(segment.number),
      bytesText(segment.fileBytes),
      `${segment.batches - segment.doneBatches} of ${segment.batches}`,
      `${segment.records - segment.doneRecords} of ${segment.records}`,
      segment.oldestMs === Infinity ? "-" : ageText(nowMs - segment.oldestMs),
      segment.trailer === undefined ? "in writing" : "ended",
    ])
  );
  return table(["FOLDER", "SEGMENT", "SIZE", "BATCHES WAIT", "LINES WAIT", "OLDEST", "STATE"], rows);
}

/** A folder as an object. */
export function folderJson(report: FolderReport, nowMs: number): Record<string, unknown> {
  const { lock } = report;
  return {
    folder: report.folder,
    ...(report.topic === undefined ? {} : { parked_topic: report.topic }),
    lock: lock.kind,
    ...(lock.kind === "held" ? { pid: lock.owner.pid, host: lock.owner.host } : {}),
    cursor: report.cursor,
    segments: report.segments.length,
    bytes: report.bytes,
    batches: report.batches,
    records: report.records,
    oldest_age_ms: report.oldestMs === undefined ? null : Math.max(0, nowMs - report.oldestMs),
    bad_segments: report.bad,
    quarantined_files: report.quarantinedFiles,
    quarantined_bytes: report.quarantinedBytes,
    problems: report.problems,
  };
}

/** A record as its value and a newline; what is no UTF-8 is replaced, `recordJson` keeps it. */
export function recordLine(records: RecordReader): string {
  const value = records.value();
  return `${value === null ? "" : Buffer.from(value).toString("utf8")}\n`;
}

/** A record as an object; `value_b64` where its value is no UTF-8. */
export function recordJson({ head, segment, batch }: InspectedBatch, records: RecordReader): string {
  return `${
    JSON.stringify({
      topic: head.topic,
      ...(head.partition < 0 ? {} : { partition: head.partition }),
      time: new Date(records.timestampMs).toISOString(),
      segment,
      batch,
      ...part("key", records.key()),
      ...part("value", records.value()),
      ...(records.headerCount === 0
        ? {}
        : { headers: records.headers().map(({ name, value }) => ({ name, ...part("value", value) })) }),
    })
  }\n`;
}

function part(name: string, bytes: Uint8Array | null): Record<string, string> {
  if (bytes === null) return {};
  try {
    return { [name]: strictUtf8.decode(bytes) };
  } catch {
    return { [`${name}_b64`]: Buffer.from(bytes).toString("base64") };
  }
}

function nameOf(folder: string, dir: string): string {
  return folder === dir ? "." : folder.slice(dir.length + 1);
}

function lockText(lock: LockState): string {
  switch (lock.kind) {
    case "free":
      return "nobody";
    case "held":
      return `process ${lock.owner.pid}${lock.certain ? "" : ` on ${lock.owner.host}`}`;
    case "stale":
      return lock.owner === undefined ? "nobody" : `nobody (${lock.owner.pid} died)`;
  }
}

function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]!}`;
}

function ageText(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} d`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length))
  );
  return [head, ...rows].map((row) =>
    `${row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd()}\n`
  ).join("");
}
