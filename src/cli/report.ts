/**
 * Faults and warnings as a person reads them: `file:line:column: path: message`, files relative to where they stand.
 *
 * @module
 */
import { isAbsolute, relative } from "node:path";
import { type Fault, formatFault } from "../core/errors.ts";
import type { CliIo } from "./io.ts";

const red = "31";
const yellow = "33";

/** Writes faults, then how many there are. */
export function reportFaults(io: CliIo, faults: readonly Fault[]): void {
  for (const fault of faults) io.err(`${marked(io, fault, "error", red)}\n`);
}

/** Writes warnings. */
export function reportWarnings(io: CliIo, warnings: readonly Fault[]): void {
  for (const warning of warnings) io.err(`${marked(io, warning, "warning", yellow)}\n`);
}

/** Writes one line about what went wrong outside of any file. */
export function reportError(io: CliIo, message: string): void {
  io.err(`${paint(io, "corndog:", red)} ${message}\n`);
}

/** `3 faults`, `1 fault`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Faults begin with the file, as editors want it; a warning says so behind the place, as compilers do. */
function marked(io: CliIo, fault: Fault, kind: "error" | "warning", color: string): string {
  const near = { ...fault, file: nearby(io.cwd, fault.file) };
  const place = formatFault({ ...near, path: "", message: "" }).replace(/: $/, ":");
  const rest = formatFault(near).slice(place.length + 1);
  return kind === "error"
    ? `${paint(io, place, color)} ${rest}`
    : `${place} ${paint(io, "warning:", color)} ${rest}`;
}

function paint(io: CliIo, text: string, color: string): string {
  return io.colors ? `\x1b[${color}m${text}\x1b[0m` : text;
}

/** A file as it is called from `cwd`, where that is shorter. */
export function nearby(cwd: string, file: string): string {
  if (!isAbsolute(file)) return file;
  const path = relative(cwd, file);
  return path === "" || path.length >= file.length ? file : path;
}
