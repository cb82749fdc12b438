/**
 * What HTTP needs of the pipeline: it hands over the events of a request and hears once what became of them. The
 * shapes are those of src/pipeline/submission.ts.
 *
 * @module
 */

/** How far events have come: placed in memory, written to the spool, acknowledged by the sink. */
export type Until = "memory" | "disk" | "kafka";

/** What is handed over. The bytes must stay as they are until `placed`, or the answer. */
export interface EventRequest {
  readonly lines:
    | { readonly kind: "one"; readonly bytes: Uint8Array }
    | {
      readonly kind: "ranges";
      readonly bytes: Uint8Array;
      readonly ranges: Uint32Array;
      readonly count: number;
    }
    | { readonly kind: "framed"; readonly bytes: Uint8Array; readonly framing: "auto" };
  readonly peer: string;
  readonly topic?: string | undefined;
  readonly key?: string | undefined;
  /** What of a line is the value where no rule forwards it; `raw` where it is not said. */
  readonly value?: "message" | undefined;
  readonly until: Until;
  readonly waitMs: number;
}

/** What became of a request. */
export interface EventResult {
  /** `late`: placed, and `until` was not reached in time. `refused`: events from `placed` on were not taken. */
  readonly kind: "kept" | "late" | "refused";
  readonly reached: Until;
  readonly placed: number;
  readonly dropped: number;
  readonly deadLettered: number;
  readonly truncated: number;
  readonly notes: readonly { readonly line: number; readonly state: string; readonly reason: string }[];
  readonly rejection: string | undefined;
  readonly refusal: string | undefined;
  readonly retryAfterMs: number;
}

/** A request that was handed over. `placing`: its bytes are still needed. */
export interface EventSubmission {
  readonly state: "placing" | "waiting" | "answered";
}

/** The way into the pipeline of one worker. */
export interface EventPort<Submission extends EventSubmission = EventSubmission> {
  /** Longest frame. */
  readonly frameBytesMax: number;
  /** `answer` is called once; before this returns where everything is decided by then. */
  submit(request: EventRequest, answer: (result: EventResult) => void): Submission;
  /** The sender went away. */
  cancel(submission: Submission): void;
  /** When there will be room, in milliseconds. */
  retryAfterMs(): number;
  /** Those of `count` frames in `bytes` that are not the text of one JSON value, ascending. */
  notJson(bytes: Uint8Array, ranges: Uint32Array, count: number): readonly number[];
}
