/**
 * The action `merge`: into the message's bytes where the line knows its members, else into its text.
 *
 * | | corndog | hotdog |
 * |---|---|---|
 * | what it merges into | what earlier actions of the rule made, else the message | the message |
 * | that is no JSON object | the line goes to the dead letter | the rule's other actions run, then the line ends |
 * | the file has no object to merge | fault | the message goes on as it is |
 *
 * @module
 */

import { type ActionOptions, failed, goOn, type RunAction, type Signal } from "./action.ts";
import { Edits } from "./edits.ts";
import { isJsonObject, parseJsonText } from "./json_text.ts";
import type { LineContext } from "./line_context.ts";
import { compileMerge, type Merge } from "./merge.ts";

/** Compiles the object `json` of a `merge`; faults are reported, and the result is then not to be run. */
export function compileMergeAction(json: unknown, options: ActionOptions): RunAction {
  const isHotdog = options.dialect === "hotdog";
  const fail = isHotdog ? endLater : explain;
  const merge = mergeOf(json, options);
  return (context) => {
    const isFirst = isHotdog || context.outputSource === "message";
    if (isFirst && merge?.members !== undefined && spliceMessage(merge.members, context)) return goOn;
    const text = isFirst ? context.message() : context.outputText();
    const document = isFirst ? context.json() : parseJsonText(text);
    if (!isJsonObject(document)) return fail(context, document === undefined);
    context.setOutput(merge === undefined ? text : merge.apply(text, document, context));
    return goOn;
  };
}

function mergeOf(json: unknown, options: ActionOptions): Merge<LineContext> | undefined {
  if (!isJsonObject(json)) {
    // hotdog passes the message on.
    if (options.dialect !== "hotdog") {
      options.fault("json", "must be a mapping: only an object can be merged into a message");
    }
    return undefined;
  }
  const compiled = compileMerge(json, options.variables.resolve);
  if (compiled.ok) return compiled.merge;
  for (const { path, message, column } of compiled.faults) {
    options.fault(path === "" ? "json" : `json.${path}`, message, column);
  }
  return undefined;
}

/** One list of edits is enough: it is used up before the next line. */
const edits = new Edits();

/** True if the line wrote the merged message as bytes, without a parse or a text. */
function spliceMessage(merge: NonNullable<Merge<LineContext>["members"]>, context: LineContext): boolean {
  const members = context.members();
  if (members === undefined) return false;
  merge(members, edits, context);
  const { line } = context;
  if (line.splice?.(edits) !== true) return false;
  context.setOutputBytes(line.splicedStart!, line.splicedEnd!);
  return true;
}

function explain(context: LineContext, isNotJson: boolean): Signal {
  context.reason = isNotJson ? "merge_not_json" : "merge_not_object";
  context.failure = isNotJson
    ? "the value to merge into is not JSON"
    : "the value to merge into is no JSON object";
  return failed;
}

/** The remaining actions of the rule run with what there is, and no further rule does. */
function endLater(context: LineContext): Signal {
  context.stopsAfterRule = true;
  return goOn;
}
