/**
 * What `corndog spool` does: `ls`, `verify`, `cat`, `repair`.
 *
 * @module
 */
import { systemClock } from "../spool/clock.ts";
import { type Disk, nodeDisk, readWhole } from "../spool/disk.ts";
import { homeOf } from "../spool/folder_names.ts";
import {
  decodeSpooled,
  findFolders,
  type FolderReport,
  type InspectedBatch,
  inspectFolder,
  readBatches,
} from "../spool/inspect.ts";
import { FolderLock, readLock, systemProcesses } from "../spool/lock.ts";
import { repairFolder } from "../spool/repair.ts";
import type { Arguments } from "./arguments.ts";
import { exitCode } from "./command.ts";
import type { CliIo } from "./io.ts";
import { counted, reportError } from "./report.ts";
import { folderJson, folderTable, recordJson, recordLine, segmentTable } from "./spool_text.ts";

/** A quarantined batch is read whole. */
const fileBytesMax = 1024 * 1024 * 1024;

/** One of them; gives the exit code. */
type Action = (dir: string, given: Arguments, io: CliIo) => Promise<number>;

/** By name. */
export const actions: Readonly<Record<string, Action>> = { ls, verify, cat, repair };

async function ls(dir: string, given: Arguments, io: CliIo): Promise<number> {
  const reports = await inspect(dir, false, io);
  if (reports === undefined) return exitCode.faults;
  const nowMs = Date.now();
  if (given.switches.has("json")) {
    for (const report of reports) io.out(`${JSON.stringify(folderJson(report, nowMs))}\n`);
  } else {
    io.out(folderTable(reports, dir, nowMs));
    if (given.switches.has("segments")) io.out(`\n${segmentTable(reports, dir, nowMs)}`);
  }
  return tellProblems(reports, io);
}

async function verify(dir: string, given: Arguments, io: CliIo): Promise<number> {
  const reports = await inspect(dir, true, io);
  if (reports === undefined) return exitCode.faults;
  if (given.switches.has("json")) {
    for (const report of reports) io.out(`${JSON.stringify(folderJson(report, Date.now()))}\n`);
  } else {
    const segments = reports.reduce((sum, report) => sum + report.segments.length, 0);
    const batches = reports.reduce((sum, report) => sum + report.batches, 0);
    const problems = reports.reduce((sum, report) => sum + report.problems.length, 0);
    io.out(
      `${counted(reports.length, "folder")}, ${counted(segments, "segment")}, ${batches} batches wait: ${
        problems === 0 ? "fine" : counted(problems, "problem")
      }\n`,
    );
  }
  return tellProblems(reports, io);
}

async function cat(dir: string, given: Arguments, io: CliIo): Promise<number> {
  const topic = given.values.get("topic")?.[0];
  let code: number = exitCode.fine;
  for await (const batch of batchesOf(nodeDisk, dir, given.switches.has("all"))) {
    if (topic !== undefined && batch.head.topic !== topic) continue;
    const { records, problem } = batch;
    while (records?.next() === true) {
      io.out(given.switches.has("json") ? recordJson(batch, records) : recordLine(records));
    }
    const fault = problem ?? records?.fault;
    if (fault === undefined) continue;
    reportError(
      io,
      `batch ${batch.batch} of segment ${batch.segment} in ${batch.folder} cannot be read: ${fault}`,
    );
    code = exitCode.faults;
  }
  return code;
}

async function repair(dir: string, given: Arguments, io: CliIo): Promise<number> {
  const folders = await foldersOf(dir, io);
  if (folders === undefined) return exitCode.faults;
  const homes = [...new Set(folders.map(homeOf))];
  for (const home of homes) {
    const state = await readLock(nodeDisk, home, systemProcesses(), Date.now());
    if (state.kind !== "held") continue;
    reportError(io, `${home} is in use by process ${state.owner.pid} on ${state.owner.host}; stop it first`);
    return exitCode.faults;
  }
  let code: number = exitCode.fine;
  for (const home of homes) {
    const lock = await FolderLock.take(nodeDisk, home, systemClock, systemProcesses());
    try {
      for (const folder of folders.filter((folder) => homeOf(folder) === home)) {
        const done = await repairFolder(nodeDisk, folder, given.switches.has("requeue"));
        if (given.switches.has("json")) io.out(`${JSON.stringify(done)}\n`);
        else {
          for (const line of done.mended) io.out(`${line}\n`);
          if (done.requeued > 0) {
            io.out(`${folder}: ${done.requeued} ${done.requeued === 1 ? "batch" : "batches"} put back\n`);
          }
        }
        for (const problem of done.problems) reportError(io, problem);
        if (done.problems.length > 0) code = exitCode.faults;
      }
    } finally {
      await lock.release();
    }
  }
  if (!given.switches.has("json")) io.out(`${counted(folders.length, "folder")}: done\n`);
  return code;
}

/** Batches of a spool, or of one file of a quarantine. */
async function* batchesOf(disk: Disk, path: string, all: boolean): AsyncGenerator<InspectedBatch> {
  if (path.endsWith(".batch")) {
    const bytes = await readWhole(disk, path, fileBytesMax);
    const read = bytes === undefined ? undefined : decodeSpooled(bytes);
    if (read !== undefined) yield { folder: path, segment: 0, batch: 0, done: false, ...read };
    return;
  }
  for (const folder of await findFolders(disk, path)) yield* readBatches(disk, folder, all);
}

async function foldersOf(dir: string, io: CliIo): Promise<readonly string[] | undefined> {
  const folders = await findFolders(nodeDisk, dir);
  if (folders.length > 0) return folders;
  reportError(io, `${dir} is no spool: it has no folder w0 and no segments; DIR is what spool.dir says`);
  return undefined;
}

async function inspect(dir: string, deep: boolean, io: CliIo): Promise<FolderReport[] | undefined> {
  const folders = await foldersOf(dir, io);
  if (folders === undefined) return undefined;
  const reports: FolderReport[] = [];
  for (const folder of folders) {
    reports.push(await inspectFolder(nodeDisk, folder, systemProcesses(), Date.now(), deep));
  }
  return reports;
}

function tellProblems(reports: readonly FolderReport[], io: CliIo): number {
  const problems = reports.flatMap((report) => report.problems);
  for (const problem of problems) reportError(io, problem);
  return problems.length === 0 ? exitCode.fine : exitCode.faults;
}
