/**
 * `corndog deadletter`: opens file and topic, and lists or replays what is in them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { LetterCommand, ReplayCommand } from "../cli/commands.ts";
import type { Config } from "../config/config.ts";
import { ForwarderError } from "../core/errors.ts";
import { FileSource } from "./file_source.ts";
import { addressName, type ListenerAddress } from "./listener_target.ts";
import { lockReplay } from "./lock.ts";
import { Progress } from "./progress.ts";
import { replay, type ReplayState } from "./replay.ts";
import type { LetterSource } from "./stored_letter.ts";
import { counted, summarize, summaryText } from "./summary.ts";
import { TopicTarget } from "./topic_target.ts";
import { TopicSource } from "./topic_source.ts";

/** How often a person hears of the progress. */
const progressMs = 2000;
/** Letters that a dry run shows of each way. */
const shownMax = 5;
/** Characters of a letter that it shows. */
const shownCharsMax = 120;

/** Counts what is there. Resolves with the exit code. */
export async function listLetters(config: Config, command: LetterCommand): Promise<number> {
  const progress = await Progress.load(progressPath(config));
  const sources = await openSources(config, command);
  try {
    const summaries = [];
    for (const source of sources) summaries.push(await summarize(source, progress, command.reasons));
    if (command.json) command.out(`${JSON.stringify(summaries, undefined, 2)}\n`);
    else if (summaries.length === 0) command.out("no dead letters\n");
    else for (const summary of summaries) command.out(summaryText(summary));
    return 0;
  } finally {
    await closeAll(sources);
  }
}

/** Replays. Resolves with the exit code: 1 if something was left out or refused again. */
export async function replayLetters(config: Config, command: ReplayCommand): Promise<number> {
  const path = progressPath(config);
  await mkdir(dirname(path), { recursive: true });
  await using _lock = await lockReplay(`${path}.lock`);
  const progress = await Progress.load(path);
  const sources = await openSources(config, command);
  const listener = command.listener ?? listenerOf(config);
  const canProduce = config.kafka.brokers.length > 0 && command.route !== "listener";
  const topics = canProduce ? new TopicTarget(config, `${config.deadLetter.file}.refused`) : undefined;
  try {
    const state = await replay({
      ...command,
      sources,
      progress,
      listener,
      topics,
      progressed: progressWriter(command, () => topics?.problem),
      ...(command.dryRun ? { would: exampleWriter(command) } : {}),
    });
    return finish(state, command, listener, topics);
  } finally {
    await closeAll(sources);
    await topics?.close();
  }
}

/** What progress is kept in: beside the dead-letter file, also for the topic and for files elsewhere. */
function progressPath(config: Config): string {
  return `${config.deadLetter.file}.replay`;
}

async function openSources(config: Config, { file, from }: LetterCommand): Promise<LetterSource[]> {
  if (file !== undefined) {
    const source = await FileSource.open(file);
    if (source === undefined) throw new ForwarderError("disk_failed", `Cannot read "${file}": no such file`);
    return [source];
  }
  const sources: LetterSource[] = [];
  const { deadLetter, kafka } = config;
  if (from !== "topic") {
    const source = await FileSource.open(deadLetter.file);
    if (source !== undefined) sources.push(source);
  }
  const wantsTopic = from === "topic" || from === undefined && config.sink === "kafka";
  if (wantsTopic && deadLetter.topic !== undefined) {
    try {
      const source = await TopicSource.open(deadLetter.topic, kafka);
      if (source !== undefined) sources.push(source);
    } catch (cause) {
      await closeAll(sources);
      throw cause;
    }
  } else if (from === "topic") {
    throw new ForwarderError(
      "config_invalid",
      "dead_letter.topic is not written, so there is no topic to read",
    );
  }
  return sources;
}

async function closeAll(sources: readonly LetterSource[]): Promise<void> {
  await Promise.all(sources.map((source) => source.close()));
}

/** The listener of a corndog with this configuration on this machine: the first that takes syslog without TLS. */
function listenerOf({ listen }: Config): ListenerAddress | undefined {
  for (const one of listen) {
    if (one.kind !== "syslog" || one.transport !== "tcp" && one.transport !== "unix") continue;
    if (one.transport === "tcp" && one.port === 0) continue;
    const host = one.hostname === "0.0.0.0" ? "127.0.0.1" : one.hostname === "::" ? "::1" : one.hostname;
    return { host, port: one.port, path: one.transport === "unix" ? one.path : "", framing: one.framing };
  }
  return undefined;
}

function progressWriter(
  { err }: ReplayCommand,
  problem: () => string | undefined,
): (state: ReplayState) => void {
  let toldMs = performance.now();
  return ({ replayed, title, part }) => {
    if (performance.now() - toldMs < progressMs) return;
    toldMs = performance.now();
    const trouble = problem();
    err(
      `${counted(replayed, "letter")} replayed, ${Math.floor(part * 100)} % of ${title}${
        trouble === undefined ? "" : `; ${trouble}`
      }\n`,
    );
  };
}

/** The first letters of each way, for a dry run. */
function exampleWriter(
  { out }: ReplayCommand,
): (letter: { reason: string; value: Uint8Array }, where: string) => void {
  const shown = new Map<string, number>();
  return ({ reason, value }, where) => {
    const way = `${where} ${reason}`;
    const count = (shown.get(way) ?? 0) + 1;
    shown.set(way, count);
    if (count > shownMax) return;
    // deno-lint-ignore no-control-regex
    const text = Buffer.from(value).toString("utf8").replaceAll(/[\u0000-\u001f\u007f]+/g, " ");
    out(`to ${where}: ${reason}: ${text.slice(0, shownCharsMax)}${text.length > shownCharsMax ? "…" : ""}\n`);
  };
}

function finish(
  state: ReplayState,
  { out, dryRun }: ReplayCommand,
  listener: ListenerAddress | undefined,
  topics: TopicTarget | undefined,
): number {
  const verb = dryRun ? "would be replayed" : "replayed";
  const refused = topics?.refused ?? 0;
  const to = listener === undefined ? "" : ` (listener: ${addressName(listener)})`;
  out(`${counted(state.replayed, "dead letter")} ${verb}${dryRun ? to : ""}\n`);
  if (state.before > 0) out(`${state.before} were replayed before\n`);
  if (state.isCut) out("there are more: --limit ended it\n");
  for (const [why, letters] of state.skipped) out(`${counted(letters, "dead letter")} left out: ${why}\n`);
  if (refused > 0) {
    out(`${counted(refused, "dead letter")} refused again by Kafka, now in ${topics!.refusedPath}\n`);
  }
  return refused > 0 || state.skipped.size > 0 ? 1 : 0;
}
