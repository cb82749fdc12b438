/**
 * `type: forward` as a closure that writes one record: topic, value, key, headers, partition. Hot path: each part is
 * a writer of its own, decided at load, and only what varies is there at all.
 *
 * @module
 */

import {
  type ActionOptions,
  type CompiledAction,
  done,
  emptyTemplate,
  failed,
  goOn,
  templateOf,
} from "./action.ts";
import { type Action, isPartition, partitionMax } from "./action_schema.ts";
import { headersMax, type RecordHeaders, recordHeaders } from "./headers.ts";
import { jsonForm, timestampMembers } from "./json_form.ts";
import { JoinedNames } from "./joined_names.ts";
import type { LineContext } from "./line_context.ts";
import type { Forward, Outcome, Program } from "./program.ts";
import { hasVariables, type Template } from "./template.ts";
import { topicNameFault } from "./topic_name.ts";

type ForwardAction = Extract<Action, { type: "forward" }>;

/** Writes one part of a record. False: the line cannot be sent so; the context has reason and failure. */
type WritePart = (forward: Forward, context: LineContext) => boolean;

/** Compiles a forward; faults are reported, and the result is then not to be run. */
export function compileForward(action: ForwardAction, options: ActionOptions): CompiledAction {
  const topic = templateOf(action.topic, "topic", options);
  const topicFault = topic.constant === undefined || topic === emptyTemplate
    ? undefined
    : topicNameFault(topic.constant);
  if (topicFault !== undefined) options.fault("topic", topicFault, 1);
  const key = action.key === undefined ? undefined : templateOf(action.key, "key", options);
  const headers = headersOf(action.headers, options);
  const writers = [
    topicWriter(topic),
    valueWriter(action.value, options),
    keyWriter(key),
    headersWriter(headers),
    partitionWriter(action.partition, options),
  ].filter((writer) => writer !== undefined);
  const isOutput = action.value === undefined || action.value === "msg";
  const signal = action.continue === true ? goOn : done;
  const constant: Omit<Forward, "value" | "text" | "start" | "end"> = {
    topic: topic.constant ?? "",
    topicFromLine: topic.constant === undefined,
    key: key?.constant,
    headers: headers?.record,
    partition: typeof action.partition === "number" ? action.partition : -1,
  };
  const count = writers.length;
  const run = (context: LineContext, outcome: Outcome) => {
    const forward = outcome.forwards[outcome.count];
    forward.topic = constant.topic;
    forward.topicFromLine = constant.topicFromLine;
    forward.key = constant.key;
    forward.headers = constant.headers;
    forward.partition = constant.partition;
    for (let i = 0; i < count; i++) if (!writers[i](forward, context)) return failed;
    outcome.count++;
    return signal;
  };
  const isUniform = topic.constant !== undefined && action.key === undefined && headers === undefined &&
    action.partition === undefined && signal === done &&
    (isOutput || action.value === "raw" || action.value === "json");
  return {
    run,
    forwards: true,
    readsHeader: isOutput || action.value === "json",
    uniform: isUniform
      ? { topic: topic.constant, value: isOutput ? "message" : action.value as "raw" | "json" }
      : undefined,
  };
}

function topicWriter(topic: Template<LineContext>): WritePart | undefined {
  if (topic.constant !== undefined) return undefined;
  const { single } = topic;
  if (single !== undefined) {
    const names = new JoinedNames(single.before, single.after);
    return (forward, context) => {
      forward.topic = names.of(single.read(context));
      return true;
    };
  }
  return (forward, context) => {
    forward.topic = topic.render(context);
    return true;
  };
}

function keyWriter(key: Template<LineContext> | undefined): WritePart | undefined {
  if (key === undefined || key.constant !== undefined) return undefined;
  return (forward, context) => {
    forward.key = key.render(context);
    return true;
  };
}

function valueWriter(value: string | undefined, options: ActionOptions): WritePart {
  switch (value) {
    case undefined:
    case "msg":
      return writeOutput;
    case "raw":
      return writeRaw;
    case "json":
      return writeJsonForm;
  }
  if (!hasVariables(value)) {
    options.fault(
      "value",
      `must be msg, raw, json or a template with a {{variable}}, is ${JSON.stringify(value)}`,
    );
  }
  const template = templateOf(value, "value", options);
  return (forward, context) => writeText(forward, template.render(context));
}

/** The line as a JSON object: as bytes where the line can write it so, as text where rules changed the message. */
function writeJsonForm(forward: Forward, context: LineContext): boolean {
  const { line } = context;
  if (line.writeJsonForm === undefined || context.outputSource !== "message" || context.redacted) {
    return writeText(forward, jsonForm(context));
  }
  let written = line.writeJsonForm(undefined);
  if (written === "needs_time") written = line.writeJsonForm(timestampMembers(context));
  if (written !== true) return writeText(forward, jsonForm(context));
  forward.value = "bytes";
  forward.text = "";
  forward.start = line.splicedStart!;
  forward.end = line.splicedEnd!;
  return true;
}

function writeText(forward: Forward, text: string): boolean {
  forward.value = "text";
  forward.text = text;
  return true;
}

function writeOutput(forward: Forward, context: LineContext): boolean {
  forward.value = context.outputSource;
  forward.text = context.outputSource === "text" ? context.output : "";
  forward.start = context.outputStart;
  forward.end = context.outputEnd;
  return true;
}

/** The frame's bytes; once the line is redacted, its redacted text. */
function writeRaw(forward: Forward, context: LineContext): boolean {
  forward.value = "raw";
  forward.text = "";
  if (!context.redacted) return true;
  const text = context.raw();
  if (text === undefined) {
    context.redactionFailed = true;
    context.reason = "redact_too_costly";
    context.failure = "the frame has too many matches to be redacted";
    return false;
  }
  return writeText(forward, text);
}

/** Names and templates of `headers`, and the object that carries them. */
interface Headers {
  readonly record: RecordHeaders;
  readonly values: string[];
  /** Values that change from line to line, with their place. */
  readonly varying: readonly { readonly index: number; readonly template: Template<LineContext> }[];
}

function headersOf(written: unknown, options: ActionOptions): Headers | undefined {
  const entries = Object.entries((written ?? {}) as Readonly<Record<string, string>>);
  if (entries.length === 0) return undefined;
  if (entries.length > headersMax) options.fault("headers", `more than ${headersMax} headers`);
  const templates = entries.map(([name, text]) => templateOf(text, `headers.${name}`, options));
  const values = templates.map(({ constant }) => constant ?? "");
  const varying = templates.map((template, index) => ({ template, index }))
    .filter(({ template }) => template.constant === undefined);
  const record = recordHeaders(entries.map(([name]) => name), values, varying.length === 0);
  return { record, values, varying };
}

function headersWriter(headers: Headers | undefined): WritePart | undefined {
  if (headers === undefined || headers.varying.length === 0) return undefined;
  const { values, varying } = headers;
  return (_forward, context) => {
    for (let i = 0; i < varying.length; i++) values[varying[i].index] = varying[i].template.render(context);
    return true;
  };
}

const digits = /^[0-9]{1,9}$/;

function partitionWriter(
  partition: number | string | undefined,
  options: ActionOptions,
): WritePart | undefined {
  if (typeof partition !== "string") return undefined;
  const template = templateOf(partition, "partition", options);
  const { constant } = template;
  if (constant !== undefined && partitionOf(constant) < 0 && template !== emptyTemplate) {
    options.fault("partition", partitionFault(constant), 1);
  }
  return (forward, context) => {
    const text = template.render(context);
    forward.partition = partitionOf(text);
    if (forward.partition >= 0) return true;
    context.reason = "partition_not_legal";
    context.failure = `the partition ${partitionFault(text)}`;
    return false;
  };
}

function partitionFault(text: string): string {
  return `must be a whole number from 0 to ${partitionMax}, is ${JSON.stringify(text.slice(0, 40))}`;
}

/** The partition that a text names, or -1. */
function partitionOf(text: string): number {
  const partition = digits.test(text) ? Number(text) : -1;
  return isPartition(partition) ? partition : -1;
}

/**
 * Sends a redacted line, which no rule forwards or ends, where the others go (`Program.fallback`): its bytes must not
 * be sent as they came. Writes the next record of `outcome`. False: it cannot be redacted; the context says why.
 */
export function forwardRedacted(
  context: LineContext,
  outcome: Outcome,
  { topic, value }: Program["fallback"],
): boolean {
  const forward = outcome.forwards[outcome.count];
  forward.topic = topic;
  forward.topicFromLine = false;
  forward.key = undefined;
  forward.headers = undefined;
  forward.partition = -1;
  context.resetOutput();
  if (!(value === "raw" ? writeRaw : writeOutput)(forward, context)) return false;
  outcome.count++;
  return true;
}
