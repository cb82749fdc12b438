/**
 * Flags to settings. Everything that is wrong is found before the first byte is sent, and said with what to write
 * instead. Reads files and the payload on standard input through what it is given.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import { type Gate, readGate, readGates } from "./measure/gate.ts";
import { readBase } from "./report/compare.ts";
import { readWork } from "./options_work.ts";
import type { Answer, Concurrency, Pace, Plan, Target } from "./plan.ts";
import { type Segment, segmentsOf, type Stage } from "./schedule/schedule.ts";
import type { Settings, VerifySource } from "./settings.ts";
import { readCount, readRate, readTarget, readTime } from "./units.ts";
import { type FuzzKind, fuzzKinds } from "./work/fuzz.ts";
import { sendersMax } from "./work/mark.ts";

/** Flags as the command line gives them. */
export interface Flags {
  readonly switches: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
}

/** Where files and standard input come from. */
export interface Inputs {
  readonly readText: (path: string) => string;
  readonly readBytes: (path: string) => Uint8Array;
  /** Bytes on standard input; undefined where it is a terminal, or nothing comes. */
  readonly stdin: () => Promise<Uint8Array | undefined>;
}

/** Something that the user wrote makes no sense; the message says what. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Ends reading: `--flag: what is wrong`. */
export function refuse(flag: string, problem: string): never {
  throw new UsageError(`--${flag}: ${problem}`);
}

/** Reads single flags. */
export class FlagReader {
  readonly flags: Flags;

  constructor(flags: Flags) {
    this.flags = flags;
  }

  has(name: string): boolean {
    return this.flags.switches.has(name);
  }

  text(name: string): string | undefined {
    return this.flags.values.get(name)?.[0];
  }

  all(name: string): readonly string[] {
    return this.flags.values.get(name) ?? [];
  }

  count(name: string, low: number, high: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const count = readCount(text);
    if (count === undefined || count < low || count > high) {
      refuse(name, `write a number from ${low} to ${high}, not "${text}"`);
    }
    return count;
  }

  rate(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const rate = readRate(text);
    if (rate === undefined || rate <= 0 || rate > rateMax) {
      refuse(name, `write messages per second, such as 500, 50k or 1.5M, not "${text}"`);
    }
    return rate;
  }

  /** Milliseconds. A number alone is milliseconds only where `plainMs` says so: as clobber's timeouts had it. */
  time(name: string, plainMs = false): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const ms = plainMs && /^\d+$/.test(text) ? Number(text) : readTime(text);
    if (ms === undefined || ms > timeMsMax) {
      refuse(name, `write a time such as 500ms, 10s or 1m30s, not "${text}"`);
    }
    return ms;
  }
}

const rateMax = 1e9;
const timeMsMax = 7 * 86_400_000;
const durationMsDefault = 10_000;
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
  const durationMs = reader.time("duration") ??
    (stages.length > 1 ? stages[stages.length - 1]!.atMs : limit > 0 ? timeMsMax : durationMsDefault);
  if (durationMs <= 0) refuse("duration", "write a time longer than nothing");
  const pace = readPace(reader, stages, durationMs);
  if (pace.kind === "find") checkSearch(pace.gates, answer, reader);
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
    connectTimeoutMs: reader.time("connect-timeout", true) ?? 5000,
    readTimeoutMs: reader.time("read-timeout", true) ?? 10_000,
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
  const verify = readVerify(reader, plan);
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
    output: {
      quiet: reader.has("quiet"),
      json: reader.text("json"),
      hgrm: reader.text("hdr"),
      series: reader.text("series"),
      html: reader.text("html"),
    },
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

/** `0:1k,60s:50k`. */
function readStages(reader: FlagReader): Stage[] {
  const text = reader.text("stages");
  if (text === undefined) return [];
  const example = "write moments and rates, such as 0:1k,60s:50k";
  const stages = text.split(",").map((part): Stage => {
    const [moment, rate, ...more] = part.split(":");
    const atMs = readTime(moment ?? "");
    const perSecond = /^0(?:\/s)?$/.test(rate?.trim() ?? "") ? 0 : readRate(rate ?? "");
    if (atMs === undefined || perSecond === undefined || perSecond > rateMax || more.length > 0) {
      refuse("stages", `"${part}" is no stage; ${example}`);
    }
    return { atMs, rate: perSecond };
  });
  if (stages[0]!.atMs !== 0) refuse("stages", `the first stage begins at 0; ${example}`);
  stages.forEach((stage, index) => {
    if (index > 0 && stage.atMs < stages[index - 1]!.atMs) refuse("stages", `moments go up; ${example}`);
  });
  return stages;
}

function readPace(reader: FlagReader, stages: readonly Stage[], durationMs: number): Pace {
  const chosen = ["rate", "stages", "find-max"].filter((name) => reader.text(name) !== undefined);
  if (reader.has("max")) chosen.push("max");
  if (chosen.length > 1) {
    throw new UsageError(`--${chosen[0]} and --${chosen[1]} say two different things; keep one`);
  }
  const rate = reader.rate("rate");
  if (rate !== undefined) return { kind: "open", segments: [{ ms: durationMs, from: rate, to: rate }] };
  if (stages.length > 0) {
    const segments: Segment[] = segmentsOf(stages, durationMs);
    if (segments.every((segment) => segment.from === 0 && segment.to === 0)) {
      refuse("stages", "all rates are 0");
    }
    return { kind: "open", segments };
  }
  const find = reader.text("find-max");
  if (find === undefined) {
    for (const name of ["find-from", "confirm"]) {
      if (reader.text(name) !== undefined) refuse(name, "belongs to --find-max");
    }
    return { kind: "closed" };
  }
  const gates = readGates(find);
  if (typeof gates === "string") refuse("find-max", gates);
  return {
    kind: "find",
    gates: gates.map((gate) => gate.text),
    from: reader.rate("find-from") ?? 1000,
    confirmMs: reader.time("confirm") ?? 20_000,
  };
}

/** Thresholds of a search are held against each step. */
function checkSearch(gates: readonly string[], answer: Answer, reader: FlagReader): void {
  const isVerified = reader.text("verify") !== undefined;
  for (const text of gates) {
    const gate = readGate(text);
    if (typeof gate === "string") continue;
    const isWhole = /^e2e\./.test(gate.metric) ||
      ["dup", "reorder", "cpu", "connections"].includes(gate.metric);
    if (isWhole) refuse("find-max", `${gate.metric} is not known for a single step; use it with --fail`);
    if (gate.metric === "loss" && answer.kind === "none" && !isVerified) {
      refuse("find-max", "nothing answers on this target, so loss is only known with --verify");
    }
  }
}

/** A threshold on what this run does not measure would fail every time, or worse, pass. */
function checkMeasurable(flag: string, gate: Gate, pace: Pace, isStream: boolean, isVerified: boolean): void {
  const { metric } = gate;
  const isFarEnd = /^e2e\./.test(metric) || ["loss", "dup", "reorder"].includes(metric);
  if (isFarEnd && !isVerified) refuse(flag, `${metric} is known only with --verify`);
  const isTimed = pace.kind !== "closed";
  if (metric === "achieved" && !isTimed) refuse(flag, "achieved needs a rate: --rate or --stages");
  const isLatency = /^(?:raw\.)?(?:p\d.*|max|mean)$/.test(metric);
  if (isLatency && isStream && !isTimed) {
    refuse(flag, "nothing answers on this target, and without --rate nothing is due: there is no latency");
  }
}

function readConcurrency(reader: FlagReader, pace: Pace, isStream: boolean): Concurrency {
  const text = reader.text("concurrency");
  if (text !== undefined && text !== "auto") {
    refuse("concurrency", `write auto, or a number with --connections`);
  }
  if (text === undefined && !reader.has("max")) return "fixed";
  if (isStream) {
    refuse(
      text === undefined ? "max" : "concurrency",
      "nothing answers on this target, so more connections tell nothing; give --connections",
    );
  }
  if (pace.kind === "find") {
    refuse("concurrency", "--find-max searches with a fixed number; give --connections");
  }
  return text === undefined ? "aimd" : "pid";
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

function readTls(reader: FlagReader, inputs: Inputs): Settings["tls"] {
  const file = (name: string): string | undefined => {
    const path = reader.text(name);
    if (path === undefined) return undefined;
    try {
      return inputs.readText(path);
    } catch (error) {
      return refuse(name, `cannot read ${path}: ${(error as Error).message}`);
    }
  };
  const [cert, key] = [file("cert"), file("key")];
  if ((cert === undefined) !== (key === undefined)) {
    refuse(cert === undefined ? "key" : "cert", "a certificate and its key go together: --cert and --key");
  }
  return { verify: !reader.has("insecure"), ca: file("ca"), cert, key };
}

function readVerify(reader: FlagReader, plan: Settings["plan"]): VerifySource | undefined {
  const text = reader.text("verify");
  if (text === undefined) {
    if (reader.text("verify-timeout") !== undefined) refuse("verify-timeout", "belongs to --verify");
    return undefined;
  }
  const marked = (plan.work.kind === "syslog" && plan.work.marks) ||
    (plan.work.kind === "template" && plan.work.lines.every((line) => /\{\{\s*mark\s*\}\}/.test(line)));
  if (!marked) refuse("verify", "lines must carry marks: use --syslog, or {{mark}} in each template");
  if (plan.fuzz.length > 0) {
    refuse("verify", "lines that are made wrong cannot be found again; leave out --fuzz");
  }
  const file = /^file:(?:\/\/)?(.+)$/.exec(text);
  if (file) return { kind: "file", dir: file[1]! };
  const [, brokers, topics] = /^kafka:\/\/([^/]+)\/(.+)$/.exec(text) ?? [];
  const places = brokers?.split(",") ?? [];
  if (topics === undefined || !places.every((broker) => /^(\[[^\]]+\]|[^:\s]+):\d{1,5}$/.test(broker))) {
    refuse("verify", `write kafka://BROKER:PORT/TOPIC or file:DIR, not "${text}"`);
  }
  return { kind: "kafka", brokers: places, topics: topics.split(",") };
}

/** The file is read before the load: it may be the one that `--json` writes. */
function readTheBase(reader: FlagReader, inputs: Inputs): Settings["base"] {
  const path = reader.text("compare");
  if (path === undefined) return undefined;
  try {
    return readBase(inputs.readText(path));
  } catch (error) {
    return refuse("compare", `cannot use ${path}: ${(error as Error).message}`);
  }
}

function readAdmin(reader: FlagReader, inputs: Inputs): Settings["admin"] {
  const written = reader.text("admin");
  const tokenFile = reader.text("token-file");
  if (written === undefined) {
    if (tokenFile !== undefined) refuse("token-file", "belongs to --admin");
    return undefined;
  }
  const url = (/^https?:\/\//.test(written) ? written : `http://${written}`).replace(/\/+$/, "");
  if (!URL.canParse(url)) refuse("admin", `"${written}" is no URL; write http://127.0.0.1:8585`);
  try {
    return { url, token: tokenFile === undefined ? undefined : inputs.readText(tokenFile).trim() };
  } catch (error) {
    return refuse("token-file", `cannot read ${tokenFile}: ${(error as Error).message}`);
  }
}
