/**
 * Rules over HTTP: `GET /admin/rules` shows what is in force, `PUT` replaces the text of one rule file on all
 * workers or none (with `If-Match` only if it is still the text that the new one was made from), `POST /admin/rules/check` only says what would happen, `POST /admin/rules/rollback` puts the
 * replaced text back, and `POST /admin/rules/trace` tells what the rules do with one line.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Context } from "hono";
import * as v from "valibot";
import { formatFault } from "../core/errors.ts";
import type { Control } from "./control.ts";
import type { RulesConflict, SwapResult, TraceRequest } from "./rules_view.ts";
import { problem } from "./problem.ts";
import { findRuleFile } from "./rule_file_name.ts";
import { readRequestText } from "./request_text.ts";
import {
  type AdminContext,
  answerDeadlineMs,
  answerJson,
  type Route,
  swapDeadlineMs,
  withDeadline,
} from "./routes.ts";

/** Text of one rule file. */
const rulesBytesMax = 1024 * 1024;

/** A trace's line, as text or base64; longer ones than any frame may be are refused before they are looked at. */
const traceLineCharsMax = 512 * 1024;
/** The body of a trace: rules and a line, with the escapes that JSON puts into them. */
const traceBytesMax = 2 * (rulesBytesMax + traceLineCharsMax);
/** Traces at a time; each holds its body in memory, and the control plane for a moment. */
const tracesMax = 4;

const traceSchema = v.pipe(
  v.strictObject({
    line: v.optional(v.pipe(v.string(), v.maxLength(traceLineCharsMax, "the line is too long"))),
    line_b64: v.optional(
      v.pipe(v.string(), v.maxLength(traceLineCharsMax, "the line is too long"), v.base64("is not base64")),
    ),
    rules: v.optional(v.pipe(v.string(), v.maxLength(rulesBytesMax, "the rules are too long"))),
    peer: v.optional(v.pipe(v.string(), v.maxLength(256, "the peer is too long"))),
  }),
  v.check(
    ({ line, line_b64 }) => (line === undefined) !== (line_b64 === undefined),
    'needs exactly one of "line" and "line_b64"',
  ),
);

/** The routes; both writing ones take YAML as the body and `?file=` where there are several rule files. */
export function rulesRoutes({ control }: AdminContext): Route[] {
  type Work = (text: string, file?: string, base?: string) => Promise<SwapResult | RulesConflict>;
  const swap = (work: Work, what: string) => async (context: Context) => {
    const file = context.req.query("file");
    const refusal = refuseFile(control.rules().files.map(({ path }) => path), file);
    if (refusal !== undefined) return refusal;
    const body = await readRequestText(context.req.raw, rulesBytesMax);
    if (!body.ok) return body.refusal;
    const result = await withDeadline(work(body.text, file, baseOf(context)), swapDeadlineMs, what);
    return "conflict" in result ? problem(412, "rules_changed", result.conflict) : answerSwap(result);
  };
  return [
    {
      path: "/admin/rules",
      methods: {
        GET: () => answerJson(control.rules()),
        PUT: swap((text, file, base) => control.putRules(text, file, base), "the new rules' result"),
      },
    },
    {
      path: "/admin/rules/check",
      methods: { POST: swap((text, file) => control.checkRules(text, file), "the check's result") },
    },
    { path: "/admin/rules/rollback", methods: { POST: (context) => rollback(control, context) } },
    { path: "/admin/rules/trace", methods: { POST: tracer(control) } },
  ];
}

/** The text that a change was made from: `If-Match` with the `etag` of `GET /admin/rules`, quoted or not. */
function baseOf(context: Context): string | undefined {
  const header = context.req.header("if-match")?.trim();
  return header === undefined || header === "" || header === "*"
    ? undefined
    : header.replace(/^"(.*)"$/, "$1");
}

async function rollback(control: Control, context: Context): Promise<Response> {
  const file = context.req.query("file");
  const refusal = refuseFile(control.rules().files.map(({ path }) => path), file);
  if (refusal !== undefined) return refusal;
  const result = await withDeadline(control.rollbackRules(file), swapDeadlineMs, "the rollback's result");
  return "conflict" in result ? problem(409, "rollback_impossible", result.conflict) : answerSwap(result);
}

/** Answers `{"line": …}` with the line's way through the rules. */
function tracer(control: Control): (context: Context) => Promise<Response> {
  let running = 0;
  return async (context) => {
    if (running >= tracesMax) {
      return problem(503, "traces_busy", `Cannot trace now: ${tracesMax} traces are running`, {}, [[
        "retry-after",
        "1",
      ]]);
    }
    running++;
    try {
      const request = await readTrace(context.req.raw);
      if (!request.ok) return request.refusal;
      const result = await withDeadline(control.traceRules(request.request), answerDeadlineMs, "the trace");
      return result.ok ? answerJson(result) : answerSwap(result);
    } finally {
      running--;
    }
  };
}

async function readTrace(
  request: Request,
): Promise<
  { readonly ok: true; readonly request: TraceRequest } | { readonly ok: false; readonly refusal: Response }
> {
  const refuse = (detail: string) => ({ ok: false, refusal: problem(400, "trace_invalid", detail) }) as const;
  const body = await readRequestText(request, traceBytesMax);
  if (!body.ok) return body;
  let value: unknown;
  try {
    value = JSON.parse(body.text);
  } catch {
    return refuse('Cannot use the body: it is not JSON; send {"line": "one frame"}');
  }
  const parsed = v.safeParse(traceSchema, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const path = v.getDotPath(issue);
    return refuse(`Cannot use the body: ${path === null ? "" : `${path}: `}${issue.message}`);
  }
  const { line, line_b64, rules, peer } = parsed.output;
  return {
    ok: true,
    request: {
      line: line === undefined ? Buffer.from(line_b64!, "base64") : Buffer.from(line),
      ...(rules === undefined ? {} : { rules }),
      ...(peer === undefined ? {} : { peer }),
    },
  };
}

/** 200 with the version in force, or 422 with every fault. Shared with reload. */
export function answerSwap(result: SwapResult): Response {
  if (result.ok) return answerJson(result);
  const count = result.faults.length;
  return problem(
    422,
    "rules_invalid",
    `Cannot use this text: ${count} ${
      count === 1 ? "fault" : "faults"
    }; version ${result.version} stays in force`,
    {
      version: result.version,
      faults: result.faults.map((fault) => ({ ...fault, text: formatFault(fault) })),
    },
  );
}

function refuseFile(files: readonly string[], file: string | undefined): Response | undefined {
  if (file === undefined && files.length > 1) {
    return problem(
      400,
      "rule_file_needed",
      "Cannot tell which rule file is meant: add ?file= with one of them",
      { files },
    );
  }
  if (file === undefined) return undefined;
  const found = findRuleFile(files, file);
  if (found.ok) return undefined;
  if (found.several.length > 0) {
    const fits = `it fits ${found.several.join(", ")}`;
    return problem(
      409,
      "rule_file_ambiguous",
      `Cannot tell which rule file "${file}" means: ${fits}; write more of the path`,
      { files: found.several },
    );
  }
  return problem(
    404,
    "rule_file_unknown",
    `Cannot find rule file "${file}": expected one of those in force`,
    { files },
  );
}
