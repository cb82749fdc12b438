/**
 * `POST /admin/rules/trace`: lines taken through the rules in force, or through others, in the control plane.
 *
 * Nothing of it reaches a worker, a sink or a counter. A trace is bounded: the line by the longest frame, the rules'
 * time by `traceMsMax`, what is told by the tracer's own limits. The rules in force are compiled once per version.
 *
 * @module
 */
import type { TraceRequest, TraceResult } from "../admin/rules_view.ts";
import type { Config, RuleSet } from "../config/config.ts";
import { parseRuleFile } from "../config/rule_files.ts";
import type { Fault } from "../core/errors.ts";
import { LineTracer } from "./line_tracer.ts";

/** The control plane watches over the workers: it must not be held for longer. */
const traceMsMax = 500;

/** How faults of rules that came with a request are told apart from those of files. */
const requestName = "rules";

/** Traces lines for the admin API. */
export class TraceDesk {
  readonly #config: Config;
  readonly #programVersion: string;
  #inForce: { readonly version: number; readonly tracer: LineTracer } | undefined;

  constructor(config: Config, programVersion: string) {
    this.#config = config;
    this.#programVersion = programVersion;
  }

  /** `ruleSet` is in force as `version`. */
  trace(request: TraceRequest, ruleSet: RuleSet, version: number): TraceResult {
    const prepared = request.rules === undefined
      ? this.#tracerInForce(ruleSet, version)
      : this.#tracerOf(request.rules, ruleSet);
    if (!prepared.ok) return { ...prepared, version };
    const { frameBytesMax } = this.#config;
    const truncated = request.line.byteLength > frameBytesMax;
    const line = truncated ? request.line.subarray(0, frameBytesMax) : request.line;
    const trace = prepared.tracer.trace(line, Date.now(), request.peer);
    return { ok: true, ...(request.rules === undefined ? { version } : {}), truncated, trace };
  }

  #tracerInForce(ruleSet: RuleSet, version: number): Prepared {
    if (this.#inForce?.version === version) return { ok: true, tracer: this.#inForce.tracer };
    const prepared = this.#compile(ruleSet);
    if (prepared.ok) this.#inForce = { version, tracer: prepared.tracer };
    return prepared;
  }

  #tracerOf(text: string, { dialect }: RuleSet): Prepared {
    const parsed = parseRuleFile(text, requestName);
    return parsed.ok
      ? this.#compile({ dialect, rules: parsed.rules, tests: parsed.tests, files: [] })
      : parsed;
  }

  #compile(ruleSet: RuleSet): Prepared {
    return LineTracer.compile(ruleSet, this.#programVersion, this.#config, traceMsMax);
  }
}

type Prepared = { readonly ok: true; readonly tracer: LineTracer } | {
  readonly ok: false;
  readonly faults: readonly Fault[];
};
