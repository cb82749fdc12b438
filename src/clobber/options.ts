/**
 * Flags to settings. Everything that is wrong is found before the first byte is sent, and said with what to write
 * instead. Reads files and the payload on standard input through what it is given.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import { FlagReader, type Flags, refuse, timeMsMax, UsageError } from "./flags.ts";
import { type Gate, readGate } from "./measure/gate.ts";
import { readAdmin, readOutput, readTheBase, readTls, readVerify } from "./options_ends.ts";
import { checkFit } from "./options_fit.ts";
import { checkMeasurable, checkSearch, readConcurrency, readPace, readStages } from "./options_pace.ts";
import { readWork } from "./options_work.ts";
import type { Answer, Plan, Target } from "./plan.ts";
import type { Settings } from "./settings.ts";
import { readTarget, readTime } from "./units.ts";
import type { KafkaAccess } from "./verify/access.ts";
import { type FuzzKind, fuzzKinds } from "./payload/fuzz.ts";
import { sendersMax } from "./payload/mark.ts";

/** Where files and standard input come from. */
export interface Inputs {
  readonly readText: (path: string) => string;
  readonly readBytes: (path: string) => Uint8Array;
  /** Bytes on standard input; undefined where it is a terminal, or nothing comes. */
  readonly stdin: () => Promise<Uint8Array | undefined>;
  /** Why no file can be written there; undefined where one can. */
  readonly outputProblem: (path: string) => string | undefined;
  /** The `kafka` section of a configuration file. Throws or rejects with what is wrong in it. */
  readonly readAccess: (path: string) => KafkaAccess | Promise<KafkaAccess>;
}

const durationMsDefault = 10_000;
const readMs = 10_000;
/** Many a wrong message has no answer: waiting long for each would leave little time for others. */
const fuzzedReadMs = 1000;
const connectionsMax = sendersMax;

/** Settings of one call. @throws UsageError */
export async function readSettings(flags: Flags, inputs: Inputs): Promise<Settings> {
  const reader = new FlagReader(flags);
  const target = readTheTarget(reader);
  const seed = reader.count("seed", 0, 2 ** 32 - 1) ?? Math.floor(Math.random() * 2 ** 32);
  const run = (Math.floor(Math.random() * 65_536)).toString(16).padStart(4, "0");
  const { work, http } = await readWork(reader, target, run, inputs);
  const answer = readAnswer(reader, target, work.kind);
  const limit = reader.count("limit", 1, Number.MAX_SAFE_INTEGER) ?? 0;
  const stages = readStages(reader);
  const durationMs = reader.span("duration") ??
    (stages.length > 1 ? stages[stages.length - 1]!.atMs : limit > 0 ? timeMsMax : durationMsDefault);
  if (durationMs <= 0) refuse("stages", "the last moment is 0; write --duration, or a later moment");
  const pace = readPace(reader, stages, durationMs);
  if (pace.kind === "find") checkSearch(pace.gates, answer, reader);
  checkFit(reader, { target, answer, pace, work, bodiless: http?.batch === 0 });
  const fuzz = readFuzz(reader);
  const isStream = answer.kind === "none";
  const concurrency = readConcurrency(reader, pace, isStream);
  const connections = reader.count("connections", 1, connectionsMax) ??
    (concurrency !== "fixed" ? 1000 : isStream ? 8 : answer.kind === "relp" ? 8 : 50);
  const pipeline = reader.count("pipeline", 1, 4096) ?? (answer.kind === "relp" ? 128 : 1);
  if (pipeline > 1 && (answer.kind === "any" || answer.kind === "close")) {
    refuse("pipeline", "answers cannot be told apart on this target; use --answer line or --answer bytes:N");
  }
  const threads = Math.min(reader.count("threads", 1, 256) ?? availableParallelism(), connections);
  const plan: Settings["plan"] = {
    target,
    work,
    http,
    answer,
    connections,
    bundle: target.scheme === "udp" ? 1 : reader.count("bundle", 1, 100_000) ?? (fuzz.length > 0 ? 1 : 0),
    pipeline,
    repeat: reader.count("repeat", 0, Number.MAX_SAFE_INTEGER) ?? 0,
    lifetimeMs: readLifetime(reader),
    connectRate: reader.rate("conn-rate") ?? 0,
    idleConnections: reader.count("idle-connections", 0, connectionsMax) ?? 0,
    slowReaders: reader.count("slow-readers", 0, connectionsMax) ?? 0,
    limit,
    connectTimeoutMs: reader.span("connect-timeout", true) ?? 5000,
    readTimeoutMs: reader.span("read-timeout", true) ?? (fuzz.length > 0 ? fuzzedReadMs : readMs),
    deadlineMs: reader.time("deadline") ?? 0,
    drainMs: reader.time("drain") ?? 5000,
    fuzz,
    seed,
    run,
    precise: reader.has("precise"),
    threads,
  };
  if (plan.connections + plan.idleConnections + plan.slowReaders > connectionsMax) {
    refuse("connections", `there can be ${connectionsMax} connections in all`);
  }
  const verify = await readVerify(reader, plan, inputs);
  const gates = reader.all("fail").map((text): Gate => {
    const gate = readGate(text);
    return typeof gate === "string" ? refuse("fail", gate) : gate;
  });
  for (const gate of gates) checkMeasurable("fail", gate, pace, isStream, verify !== undefined);
  return {
    plan,
    tls: readTls(reader, inputs),
    pace,
    durationMs,
    concurrency,
    gates,
    verify,
    verifyMs: reader.time("verify-timeout") ?? 30_000,
    admin: readAdmin(reader, inputs),
    output: readOutput(reader, inputs),
    base: readTheBase(reader, inputs),
  };
}

function readTheTarget(reader: FlagReader): Target {
  const named = reader.text("target");
  const [first] = reader.flags.rest;
  if (named !== undefined && first !== undefined) {
    throw new UsageError(`there are two targets, ${first} and --target ${named}; keep one`);
  }
  const text = named ?? first;
  if (text === undefined) throw new UsageError("no target; write one such as tcp://127.0.0.1:1514");
  const target = readTarget(text);
  if (typeof target === "string") throw new UsageError(target);
  return target;
}

function readAnswer(reader: FlagReader, target: Target, work: Plan["work"]["kind"]): Answer {
  const text = reader.text("answer");
  const byProtocol: Answer | undefined = target.scheme.startsWith("http")
    ? { kind: "http" }
    : target.scheme === "relp"
    ? { kind: "relp" }
    : target.scheme === "udp"
    ? { kind: "none" }
    : undefined;
  if (text === undefined) return byProtocol ?? { kind: work === "payload" ? "any" : "none" };
  if (byProtocol !== undefined) {
    refuse("answer", `${target.scheme} knows itself what an answer is; leave it out`);
  }
  const bytes = /^bytes:(\d+)$/.exec(text);
  if (bytes && Number(bytes[1]) > 0) return { kind: "bytes", count: Number(bytes[1]) };
  if (text === "none" || text === "any" || text === "line" || text === "close") return { kind: text };
  return refuse("answer", `write none, any, line, bytes:N or close, not "${text}"`);
}

function readLifetime(reader: FlagReader): readonly [number, number] {
  const text = reader.text("lifetime");
  if (text === undefined) return [0, 0];
  const [low, high, ...more] = text.split("..");
  const from = readTime(low ?? "");
  const to = readTime(high ?? low ?? "");
  if (from === undefined || to === undefined || more.length > 0 || to < from || to === 0) {
    refuse("lifetime", `write a time or a span, such as 30s or 10s..60s, not "${text}"`);
  }
  return [from, to];
}

function readFuzz(reader: FlagReader): FuzzKind[] {
  const text = reader.text("fuzz");
  if (text === undefined) return [];
  if (text === "all") return [...fuzzKinds];
  return text.split(",").map((name): FuzzKind => {
    const kind = fuzzKinds.find((known) => known === name.trim());
    return kind ??
      refuse("fuzz", `"${name}" is no way to be wrong; there are ${fuzzKinds.join(" ")}, and all`);
  });
}
