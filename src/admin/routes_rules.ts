/**
 * Rules over HTTP: `GET /admin/rules` shows what is in force, `PUT` replaces the text of one rule file on all
 * workers or none, `POST /admin/rules/check` only says what would happen.
 *
 * @module
 */
import type { Context } from "hono";
import { formatFault } from "../core/errors.ts";
import type { SwapResult } from "./control.ts";
import { problem } from "./problem.ts";
import { readRequestText } from "./request_text.ts";
import { type AdminContext, answerJson, type Route, swapDeadlineMs, withDeadline } from "./routes.ts";

/** Text of one rule file. */
const rulesBytesMax = 1024 * 1024;

/** The routes; both writing ones take YAML as the body and `?file=` where there are several rule files. */
export function rulesRoutes({ control }: AdminContext): Route[] {
  const swap = (work: (text: string, file?: string) => Promise<SwapResult>, what: string) =>
  async (
    context: Context,
  ) => {
    const file = context.req.query("file");
    const refusal = refuseFile(control.rules().files.map(({ path }) => path), file);
    if (refusal !== undefined) return refusal;
    const body = await readRequestText(context.req.raw, rulesBytesMax);
    if (!body.ok) return body.refusal;
    return answerSwap(await withDeadline(work(body.text, file), swapDeadlineMs, what));
  };
  return [
    {
      path: "/admin/rules",
      methods: {
        GET: () => answerJson(control.rules()),
        PUT: swap((text, file) => control.putRules(text, file), "the new rules' result"),
      },
    },
    {
      path: "/admin/rules/check",
      methods: { POST: swap((text, file) => control.checkRules(text, file), "the check's result") },
    },
  ];
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
  if (file !== undefined && !files.includes(file)) {
    return problem(
      404,
      "rule_file_unknown",
      `Cannot find rule file "${file}": expected one of those in force`,
      { files },
    );
  }
  return undefined;
}
